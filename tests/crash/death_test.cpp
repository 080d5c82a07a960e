// The process dies at every single store operation of a backup and of a prune. A put that had not returned may be there
// or not, one that had returned is. Afterwards the repository must check clean, every snapshot that is there must read
// byte for byte, and the next run must do its work.
#include <gtest/gtest.h>

#include "repo/check.h"
#include "repo/prune.h"
#include "store/fault_store.h"
#include "tests/support/small_repository.h"

namespace holdfast {
namespace {

using store::CrashEffect;
using store::FaultStore;
using test::SmallRepository;

// Checks everything, and reads every snapshot's file against what was stored under its time.
void expect_sound(const SmallRepository& small, const std::map<int64_t, const Buffer*>& contents,
                  const std::string& when) {
  {
    auto repository = small.open();
    ASSERT_TRUE(repository) << when;
    std::string errors;
    repo::CheckOptions options;
    options.read.kind = repo::ReadSelection::Kind::all;
    options.on_error = [&](const Error& error) { errors += error.to_string() + "\n"; };
    const auto report = repo::check_repository(**repository, options, {});
    ASSERT_TRUE(report) << when << report.error().to_string();
    ASSERT_EQ(report->errors, 0u) << when << ":\n" << errors;
  }
  auto repository = small.open();
  ASSERT_TRUE((*repository)->load_index()) << when;
  const auto snapshots = (*repository)->load_snapshots();
  ASSERT_TRUE(snapshots) << when;
  for (const repo::Snapshot& snapshot : *snapshots) {
    const auto content = SmallRepository::read(**repository, snapshot, "/a/dump");
    ASSERT_TRUE(content) << when << ": " << content.error().to_string();
    ASSERT_TRUE(contents.contains(snapshot.time.seconds)) << when;
    ASSERT_TRUE(test::same_bytes(*content, *contents.at(snapshot.time.seconds))) << when;
  }
}

size_t snapshot_count(const SmallRepository& small) {
  return (*small.open())->load_snapshots()->size();
}

struct Story {
  SmallRepository small;
  std::vector<Buffer> bytes;
  std::map<int64_t, const Buffer*> contents;

  // Streams that share their first half, so that packs become partly unused when one of them goes.
  explicit Story(int count) {
    const Buffer common = test::random_bytes(1'200'000, 1);
    bytes.reserve(static_cast<size_t>(count) + 2);
    for (int i = 0; i < count + 2; ++i) {
      Buffer content = Buffer::copy_of(common);
      content.append(test::random_bytes(700'000, 100 + static_cast<uint32_t>(i)));
      bytes.push_back(std::move(content));
    }
    for (int i = 0; i < count; ++i) add(i);
  }
  void add(int i) {
    expect(i);
    small.must_backup("a/dump", bytes[static_cast<size_t>(i)], i);
  }
  void expect(int i) { contents[repo::seconds_of(2026, 1, 1, 0, 0, 0) + i * 3600] = &bytes[static_cast<size_t>(i)]; }
};

TEST(Death, at_every_operation_of_a_backup) {
  Story story(1);
  story.expect(1);
  story.expect(2);
  const auto before = story.small.store->image();
  const auto run = [&](const std::shared_ptr<FaultStore>& faults) -> Status {
    auto repository = TRY(story.small.open(faults));
    TRY_VOID(SmallRepository::backup(*repository, "a/dump", story.bytes[1], 1));
    return {};
  };
  auto rehearsal = std::make_shared<FaultStore>(story.small.store);
  ASSERT_TRUE(run(rehearsal));
  const uint64_t operations = rehearsal->operations();
  ASSERT_GT(operations, 8u);
  for (const CrashEffect effect : {CrashEffect::nothing, CrashEffect::applied}) {
    for (uint64_t n = 1; n <= operations; ++n) {
      const std::string when =
          "backup, operation " + std::to_string(n) + (effect == CrashEffect::applied ? ", applied" : "");
      story.small.store->load(before);
      auto faults = std::make_shared<FaultStore>(story.small.store);
      faults->crash_at(n, effect);
      const auto done = run(faults);
      EXPECT_TRUE(!done || !faults->crashed()) << when << ": a backup said it was saved by a store that was gone";
      expect_sound(story.small, story.contents, when);
      // The next run stores what is missing, and nothing is in its way.
      const size_t had = snapshot_count(story.small);
      story.small.must_backup("a/dump", story.bytes[2], 2);
      ASSERT_EQ(snapshot_count(story.small), had + 1) << when;
      expect_sound(story.small, story.contents, when + ", next run");
      if (HasFatalFailure()) return;
    }
  }
}

Status forget_and_prune(repo::Repository& repository, const std::vector<repo::Id>& forgotten, int64_t grace) {
  repo::PruneLimits limits;
  limits.max_unused_percent = 0;
  limits.pack_size = 256 * 1024;
  limits.orphan_grace_seconds = grace;
  const auto plan = TRY(repo::plan_prune(repository, forgotten, limits, {}, {}));
  for (const repo::Id& id : forgotten) TRY_VOID(repository.remove(repo::ObjectType::snapshot, id));
  return repo::run_prune(repository, plan, limits, {}, {});
}

TEST(Death, at_every_operation_of_a_prune) {
  Story story(4);
  const auto snapshots = *(*story.small.open())->load_snapshots();
  const std::vector<repo::Id> forgotten = [&] {
    std::vector<repo::Id> ids{snapshots[0].id, snapshots[2].id};
    std::sort(ids.begin(), ids.end());
    return ids;
  }();
  // All packs in a few: otherwise nothing is partly used.
  {
    auto repository = story.small.open();
    repo::PruneLimits limits;
    limits.repack_small = true;
    auto plan = repo::plan_prune(**repository, {}, limits, {}, {});
    ASSERT_TRUE(plan) << plan.error().to_string();
    ASSERT_TRUE(repo::run_prune(**repository, *plan, limits, {}, {}));
  }
  const auto before = story.small.store->image();
  auto rehearsal = std::make_shared<FaultStore>(story.small.store);
  {
    auto repository = story.small.open(rehearsal);
    const auto done = forget_and_prune(**repository, forgotten, 3600);
    ASSERT_TRUE(done) << done.error().to_string();
  }
  const uint64_t operations = rehearsal->operations();
  ASSERT_GT(operations, 20u);
  size_t rewritten = 0;
  for (const auto& record : rehearsal->records())
    rewritten += record.op == store::StoreOp::put && record.key.starts_with("data/");
  ASSERT_GT(rewritten, 0u) << "the story has nothing to rewrite";
  expect_sound(story.small, story.contents, "prune without death");
  const auto after_sizes = story.small.store->image().size();
  for (const CrashEffect effect : {CrashEffect::nothing, CrashEffect::applied}) {
    for (uint64_t n = 1; n <= operations; ++n) {
      const std::string when =
          "prune, operation " + std::to_string(n) + (effect == CrashEffect::applied ? ", applied" : "");
      story.small.store->load(before);
      auto faults = std::make_shared<FaultStore>(story.small.store);
      faults->crash_at(n, effect);
      if (auto repository = story.small.open(faults)) (void)forget_and_prune(**repository, forgotten, 3600);
      expect_sound(story.small, story.contents, when);
      // The snapshots that were not to go are there.
      ASSERT_GE(snapshot_count(story.small), 2u) << when;
      // The next prune, told not to wait for orphans, leaves what a prune without death leaves.
      auto repository = story.small.open();
      std::vector<repo::Id> still;
      const auto left = (*repository)->load_snapshots();
      ASSERT_TRUE(left) << when;
      for (const auto& snapshot : *left) {
        if (std::binary_search(forgotten.begin(), forgotten.end(), snapshot.id)) still.push_back(snapshot.id);
      }
      std::sort(still.begin(), still.end());
      const auto again = forget_and_prune(**repository, still, 0);
      ASSERT_TRUE(again) << when << ": " << again.error().to_string();
      expect_sound(story.small, story.contents, when + ", next prune");
      ASSERT_EQ(snapshot_count(story.small), 2u) << when;
      ASSERT_LE(story.small.store->image().size(), after_sizes + 2) << when << ": the next prune left things behind";
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace holdfast
