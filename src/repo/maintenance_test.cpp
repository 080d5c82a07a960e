// Prune, copy, repair and check against small repositories: what they must leave alone, and what they must refuse.
#include <gtest/gtest.h>

#include <atomic>

#include "crypto/sha256.h"
#include "repo/check.h"
#include "repo/copy.h"
#include "repo/environment.h"
#include "repo/format/index_file.h"
#include "repo/prune.h"
#include "repo/repair_index.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

using test::SmallRepository;

struct Findings {
  uint64_t errors = 0;
  std::vector<std::string> hints;
};

Findings check(const SmallRepository& small) {
  auto repository = small.open();
  if (!repository) return {1, {}};
  Findings findings;
  CheckOptions options;
  options.read.kind = ReadSelection::Kind::all;
  options.on_hint = [&](const std::string& id, const std::string&) { findings.hints.push_back(id); };
  const auto report = check_repository(**repository, options, {});
  findings.errors = report ? report->errors : 1;
  return findings;
}

Result<PruneStats> prune(const SmallRepository& small, const std::vector<Id>& forgotten = {}, PruneLimits limits = {},
                         const PruneHooks& hooks = {}) {
  auto repository = TRY(small.open());
  const PrunePlan plan = TRY(plan_prune(*repository, forgotten, limits, hooks, {}));
  for (const Id& id : forgotten) TRY_VOID(repository->remove(ObjectType::snapshot, id));
  if (plan.changes_anything()) TRY_VOID(run_prune(*repository, plan, limits, hooks, {}));
  return plan.decision.stats;
}

std::vector<std::string> keys(const SmallRepository& small, const std::string& prefix) {
  std::vector<std::string> found;
  for (const auto& [key, bytes] : small.store->image()) {
    if (key.starts_with(prefix)) found.push_back(key);
  }
  return found;
}

std::vector<MarkedPack> marks(const SmallRepository& small) {
  std::vector<MarkedPack> found;
  auto repository = small.open();
  const auto objects = load_index_objects(**repository);
  for (const IndexObject& object : *objects) found.insert(found.end(), object.marked.begin(), object.marked.end());
  return found;
}

class Maintenance : public testing::Test {
 protected:
  Maintenance() {
    for (int i = 0; i < 3; ++i) {
      contents_.push_back(test::random_bytes(600'000, static_cast<uint32_t>(i)));
      snapshots_.push_back(small_.must_backup("a/dump", contents_.back(), i));
    }
  }
  SmallRepository small_;
  std::vector<Buffer> contents_;
  std::vector<Snapshot> snapshots_;
};

TEST_F(Maintenance, a_prune_with_nothing_to_do_changes_nothing) {
  const auto before = small_.store->image();
  const auto stats = prune(small_);
  ASSERT_TRUE(stats) << stats.error().to_string();
  EXPECT_EQ(stats->freed(), 0u);
  EXPECT_EQ(small_.store->image(), before);
}

TEST_F(Maintenance, forgetting_everything_leaves_an_empty_repository) {
  std::vector<Id> all;
  for (const auto& snapshot : snapshots_) all.push_back(snapshot.id);
  std::sort(all.begin(), all.end());
  ASSERT_TRUE(prune(small_, all));
  EXPECT_TRUE(keys(small_, "data/").empty());
  EXPECT_TRUE(keys(small_, "index/").empty());
  EXPECT_EQ(check(small_).errors, 0u);
}

TEST_F(Maintenance, a_pack_in_no_index_is_marked_first_and_goes_after_the_grace) {
  ASSERT_TRUE(small_.store->remove(keys(small_, "snapshots/")[0]));
  const auto image = small_.store->image();
  ASSERT_TRUE(small_.store->remove(keys(small_, "index/")[0]));  // its packs are in no index now
  const size_t packs = keys(small_, "data/").size();
  // The snapshot that needs them must be gone as well, or the prune refuses.
  auto stats = prune(small_);
  if (!stats) {
    small_.store->load(image);
    for (const auto& key : keys(small_, "snapshots/")) ASSERT_TRUE(small_.store->remove(key));
    ASSERT_TRUE(small_.store->remove(keys(small_, "index/")[0]));
    stats = prune(small_);
  }
  ASSERT_TRUE(stats) << stats.error().to_string();
  EXPECT_GT(stats->orphans_waiting, 0u);
  EXPECT_EQ(stats->orphans_removed, 0u);
  const auto marked = marks(small_);
  EXPECT_EQ(marked.size(), stats->orphans_waiting);
  ASSERT_TRUE(parse_mark(marked[0]));
  EXPECT_LE(keys(small_, "data/").size(), packs);
  EXPECT_TRUE(check(small_).hints.empty()) << "a marked pack is no news";
  // Another run within the grace changes nothing.
  const auto between = small_.store->image();
  ASSERT_TRUE(prune(small_));
  EXPECT_EQ(small_.store->image(), between);
  // After it the packs go, and so do the marks.
  const auto last = prune(small_, {}, {.orphan_grace_seconds = 0});
  ASSERT_TRUE(last);
  EXPECT_EQ(last->orphans_removed, marked.size());
  EXPECT_TRUE(marks(small_).empty());
  for (const MarkedPack& mark : marked) {
    const auto there = small_.store->stat(object_key(ObjectType::pack, parse_mark(mark)->id));
    EXPECT_FALSE(*there);
  }
  EXPECT_EQ(check(small_).errors, 0u);
}

TEST_F(Maintenance, rustics_marks_are_kept_word_for_word_when_an_index_is_rewritten) {
  // A pack that a prune of rustic marked just now: in the store, in no "packs", in "packs_to_delete".
  const Buffer body = test::random_bytes(5000, 77);
  const Id pack{crypto::sha256(body)};
  ASSERT_TRUE(small_.store->put(object_key(ObjectType::pack, pack), body));
  const MarkedPack mark{R"({"id":")" + pack.hex() +
                        R"(","blobs":[],"time":"2126-01-01T00:00:00Z","size":5000,"odd":[1,{"a":null}]})"};
  {
    auto repository = small_.open();
    auto objects = load_index_objects(**repository);
    const PackTable table((*repository)->index());
    const IndexObject* object = nullptr;
    for (const auto& each : *objects) {
      for (const uint32_t number : each.packs) {
        // The index of the first snapshot, which the prune below rewrites.
        for (const PackedBlob& blob : table.blobs(number)) object = blob.id == snapshots_[0].tree ? &each : object;
      }
    }
    ASSERT_NE(object, nullptr);
    std::string packs;
    for (const uint32_t number : object->packs) {
      if (!packs.empty()) packs += ',';
      append_index_pack(packs, (*repository)->index().packs()[number], table.blobs(number));
    }
    Codec codec(small_.master_key);
    ASSERT_TRUE((*repository)->save(ObjectType::index, index_text(packs, {&mark, 1}), codec));
    ASSERT_TRUE((*repository)->remove(ObjectType::index, object->id));
  }
  const auto stats = prune(small_, {snapshots_[0].id});
  ASSERT_TRUE(stats) << stats.error().to_string();
  EXPECT_GT(stats->freed(), 0u);
  const auto left = marks(small_);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].json, mark.json);
  EXPECT_TRUE(*small_.store->stat(object_key(ObjectType::pack, pack)));
}

TEST_F(Maintenance, what_rustic_has_marked_stays_for_rustics_own_time) {
  // A backup of rustic's may use it until 23 hours have passed, whatever our own grace is.
  const Id pack = Id{crypto::sha256(as_bytes("a pack"))};
  ASSERT_TRUE(small_.store->put(object_key(ObjectType::pack, pack), as_bytes("a pack")));
  const PackedBlob blob{Id{crypto::sha256(as_bytes("x"))}, BlobType::data, 0, 40, 0};
  for (const int hours : {2, 22, 24}) {
    auto repository = small_.open().value();
    Codec codec(small_.master_key);
    Timestamp at = now();
    at.seconds -= hours * 3600;
    const MarkedPack mark = mark_pack(pack, 6, at, {&blob, 1});
    const auto id = repository->save(ObjectType::index, index_text("", {&mark, 1}), codec);
    ASSERT_TRUE(id);
    ASSERT_TRUE(prune(small_, {}, {.orphan_grace_seconds = 0}));
    EXPECT_EQ(small_.store->stat(object_key(ObjectType::pack, pack))->has_value(), hours < 23) << hours;
    (void)repository->remove(ObjectType::index, *id);
  }
}

TEST_F(Maintenance, removals_end_when_the_lock_is_too_old) {
  std::atomic<size_t> asked = 0;  // by several threads
  PruneHooks hooks;
  hooks.may_remove = [&]() -> Status {
    if (++asked == 1) return {};
    return fail(ErrorClass::conflict, "repo.lock_lost", "the machine slept");
  };
  const size_t before = keys(small_, "data/").size();
  const auto stopped = prune(small_, {snapshots_[0].id}, {}, hooks);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().id, "repo.lock_lost");
  EXPECT_GE(keys(small_, "data/").size() + 1, before) << "packs were removed without a lock";
}

TEST_F(Maintenance, packs_in_no_index_are_reported_once_with_their_size) {
  const auto whole = check(small_);
  EXPECT_TRUE(whole.hints.empty());
  for (const auto& key : keys(small_, "snapshots/")) ASSERT_TRUE(small_.store->remove(key));
  for (const auto& key : keys(small_, "index/")) ASSERT_TRUE(small_.store->remove(key));
  auto repository = small_.open().value();
  CheckOptions options;
  std::vector<std::string> hints;
  options.on_hint = [&](const std::string& id, const std::string& text) { hints.push_back(id + " " + text); };
  const auto report = check_repository(*repository, options, {});
  ASSERT_TRUE(report);
  uint64_t bytes = 0;
  for (const auto& [key, object] : small_.store->image()) bytes += key.starts_with("data/") ? object->size() : 0;
  EXPECT_EQ(report->orphans, keys(small_, "data/").size());
  EXPECT_EQ(report->orphan_bytes, bytes);
  ASSERT_EQ(hints.size(), 1u) << "one line, however many packs";
  EXPECT_TRUE(hints[0].starts_with("repo.check.pack_orphaned "));
}

TEST_F(Maintenance, an_index_that_is_read_again_has_each_blob_once) {
  auto repository = small_.open().value();
  ASSERT_TRUE(repository->load_index());
  const size_t blobs = repository->index().entries().size(), packs = repository->index().packs().size();
  ASSERT_TRUE(repository->load_index());
  EXPECT_EQ(repository->index().entries().size(), blobs);
  ASSERT_TRUE(repository->reload_index());
  EXPECT_EQ(repository->index().entries().size(), blobs);
  EXPECT_EQ(repository->index().packs().size(), packs);
}

TEST_F(Maintenance, a_prune_refuses_when_something_needed_is_not_there) {
  const auto image = small_.store->image();
  for (const std::string directory : {"data/", "index/"}) {
    for (const std::string& key : keys(small_, directory)) {
      small_.store->load(image);
      ASSERT_TRUE(small_.store->remove(key));
      const auto before = small_.store->image();
      const auto refused = prune(small_, {snapshots_[0].id});
      // Only what the forgotten snapshot alone needed may be missing.
      if (refused) {
        EXPECT_EQ(check(small_).errors, 0u) << key;
        continue;
      }
      EXPECT_EQ(refused.error().error_class, ErrorClass::verification_failed) << refused.error().to_string();
      EXPECT_EQ(small_.store->image(), before) << key << ": refused, and yet something changed";
    }
  }
}

TEST_F(Maintenance, a_prune_stops_when_a_snapshot_appears_meanwhile) {
  bool once = true;
  PruneHooks hooks;
  hooks.on_phase = [&](const char* phase, uint64_t) {
    if (std::string_view(phase) == "rewriting packs" && std::exchange(once, false))
      small_.must_backup("a/dump", contents_[0], 9);
  };
  const auto stopped = prune(small_, {snapshots_[0].id}, {}, hooks);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().id, "repo.prune.concurrent");
  EXPECT_EQ(check(small_).errors, 0u) << "the new snapshot uses data that was about to go";
}

TEST_F(Maintenance, blobs_stored_twice_are_reduced_to_one_copy) {
  // Two writers at once: both store what neither has.
  auto one = small_.open(), two = small_.open();
  const Buffer content = test::random_bytes(600'000, 50);
  ASSERT_TRUE((*one)->load_index());
  ASSERT_TRUE((*two)->load_index());
  const auto image = small_.store->image();
  small_.must_backup("a/dump", content, 20);
  auto both = small_.store->image();
  small_.store->load(image);
  small_.must_backup("a/dump", content, 21);
  for (const auto& [key, bytes] : both) ASSERT_TRUE(small_.store->put(key, *bytes));
  const auto stats = prune(small_, {}, {.max_unused_percent = 0});
  ASSERT_TRUE(stats) << stats.error().to_string();
  EXPECT_GT(stats->duplicate.bytes, 500'000u);
  EXPECT_EQ(stats->unused_after(), 0u);
  EXPECT_EQ(check(small_).errors, 0u);
  EXPECT_EQ(prune(small_, {}, {.max_unused_percent = 0})->duplicate.bytes, 0u);
}

TEST_F(Maintenance, repair_makes_the_index_from_the_packs) {
  for (const std::string& key : keys(small_, "index/")) ASSERT_TRUE(small_.store->remove(key));
  ASSERT_GT(check(small_).errors, 0u);
  auto repository = small_.open();
  const auto report = repair_index(**repository, false, false, {});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->packs_added, keys(small_, "data/").size());
  EXPECT_EQ(check(small_).errors, 0u);
  // A damaged pack is named and left out, the others stay.
  const std::string victim = keys(small_, "data/")[0];
  small_.store->tamper(victim, [](std::vector<uint8_t>& body) { body[body.size() - 10] ^= 1; });
  auto again = small_.open();
  const auto second = repair_index(**again, true, false, {});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->unreadable.size(), 1u);
  EXPECT_TRUE(*small_.store->stat(victim)) << "repair never deletes a pack";
}

TEST_F(Maintenance, a_copy_is_complete_and_made_once) {
  SmallRepository other;
  const auto copy = [&] {
    auto from = small_.open(), to = other.open();
    EXPECT_TRUE((*from)->load_index());
    EXPECT_TRUE((*to)->load_index());
    return copy_snapshots(**from, **to, *(*from)->load_snapshots(), {}, {}, {}, {}, {});
  };
  const auto first = copy();
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_EQ(first->copied.size(), 3u);
  EXPECT_EQ(first->copied[0].original, snapshots_[0].id);
  EXPECT_FALSE(first->copied[0].parent);
  EXPECT_EQ(check(other).errors, 0u);
  auto repository = other.open();
  ASSERT_TRUE((*repository)->load_index());
  for (size_t i = 0; i < 3; ++i) {
    const auto content = SmallRepository::read(**repository, first->copied[i], "/a/dump");
    ASSERT_TRUE(content);
    EXPECT_TRUE(test::same_bytes(*content, contents_[i]));
  }
  const auto second = copy();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->copied.size(), 0u);
  EXPECT_EQ(second->skipped.size(), 3u);
  EXPECT_EQ(second->blobs, 0u);
}

TEST(ReadSelection, is_read_strictly) {
  EXPECT_EQ(parse_read_selection("2/5")->buckets, 5u);
  EXPECT_DOUBLE_EQ(parse_read_selection("12.5%")->percent, 12.5);
  EXPECT_EQ(parse_read_selection("3M")->size, 3u << 20);
  for (const char* wrong : {"", "0/5", "6/5", "1/257", "/", "1/", "0%", "101%", "%", "-5%", "x", "0"}) {
    EXPECT_FALSE(parse_read_selection(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace holdfast::repo
