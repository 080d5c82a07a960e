// Directories in and out again, with every thread that takes part. Made for the sanitizer presets.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "repo/tree_backup.h"
#include "repo/tree_restore.h"
#include "sys/file.h"
#include "tests/support/small_repository.h"

namespace holdfast::repo {
namespace {

namespace fs = std::filesystem;
using test::SmallRepository;

void write_file(const std::string& path, ByteSpan bytes) {
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
}

class Trees : public testing::Test {
 protected:
  void SetUp() override {
    source_ = dir_.path() + "/source";
    for (int d = 0; d < 12; ++d) {
      const std::string directory = source_ + "/" + std::to_string(d) + "/below";
      fs::create_directories(directory);
      for (uint32_t f = 0; f < 25; ++f) {
        write_file(directory + "/" + std::to_string(f), test::random_bytes(f * 997, f % 7));  // many alike
      }
    }
    large_ = test::random_bytes(20 * 1024 * 1024, 3);
    write_file(source_ + "/large", large_);
    write_file(source_ + "/zeros", std::vector<uint8_t>(9 * 1024 * 1024));
    write_file(source_ + "/empty", {});
    fs::create_symlink("large", source_ + "/link");
    fs::create_hard_link(source_ + "/large", source_ + "/large too");
  }

  Result<TreeBackupResult> back_up(int hours, std::stop_token stop = {}) {
    auto repository = TRY(small_.open());
    TRY_VOID(repository->load_index());
    SnapshotOptions options;
    options.time = {repo::seconds_of(2026, 1, 1, 0, 0, 0) + hours * 3600, 0, 0};
    options.hostname = "tester";
    SaverOptions saver;
    saver.pack_size = 1024 * 1024;
    saver.workers = 3;
    TreeBackupProgress progress;
    return back_up_trees(*repository, {source_}, {}, saver, options, true, progress, {}, std::move(stop));
  }

  Result<RestoreResult> restore(const Snapshot& snapshot, const std::string& target, RestoreOptions options = {}) {
    auto repository = TRY(small_.open());
    TRY_VOID(repository->load_index());
    RestoreProgress progress;
    return restore_tree(*repository, snapshot, target, options, progress, {});
  }

  void expect_same(const std::string& target) {
    size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(source_)) {
      const std::string other = target + entry.path().string();
      ASSERT_EQ(fs::symlink_status(other).type(), entry.symlink_status().type()) << other;
      if (!entry.is_regular_file() || entry.is_symlink()) continue;
      ++files;
      EXPECT_TRUE(test::same_bytes(sys::read_file(entry.path()).value(), sys::read_file(other).value())) << other;
    }
    EXPECT_EQ(files, 12u * 25 + 4);
  }

  sys::TempDir dir_ = sys::TempDir::create("trees").value();
  std::string source_;
  Buffer large_;
  SmallRepository small_;
};

TEST_F(Trees, come_back_as_they_were_also_when_a_parent_was_followed) {
  const auto first = back_up(0);
  ASSERT_TRUE(first) << first.error().to_string();
  EXPECT_TRUE(first->problems.empty());
  RestoreOptions options;
  options.verify = true;
  const auto restored = restore(first->snapshot, dir_.path() + "/first", options);
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_TRUE(restored->problems.empty() && restored->damaged.empty());
  expect_same(dir_.path() + "/first");

  for (size_t at = 7'000'000; at < 7'000'500; ++at) large_[at] ^= 0x11;
  write_file(source_ + "/large", large_);
  fs::remove(source_ + "/3/below/4");
  write_file(source_ + "/3/below/4", test::random_bytes(5000, 99));
  const auto second = back_up(1);
  ASSERT_TRUE(second) << second.error().to_string();
  EXPECT_EQ(second->snapshot.parent, first->snapshot.id);
  options.sparse = true;
  const auto again = restore(second->snapshot, dir_.path() + "/second", options);
  ASSERT_TRUE(again) << again.error().to_string();
  EXPECT_TRUE(again->problems.empty() && again->damaged.empty());
  expect_same(dir_.path() + "/second");
}

TEST_F(Trees, a_stop_leaves_no_snapshot) {
  std::stop_source stop;
  stop.request_stop();
  const auto stopped = back_up(0, stop.get_token());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().id, "interrupted");
  for (const auto& [key, bytes] : small_.store->image()) EXPECT_FALSE(key.starts_with("snapshots/")) << key;
}

TEST_F(Trees, damaged_packs_cost_their_files_only) {
  const auto backup = back_up(0);
  ASSERT_TRUE(backup) << backup.error().to_string();
  size_t number = 0;
  for (const auto& [key, bytes] : small_.store->image()) {
    // Each middle of a pack of data lies in one blob.
    if (key.starts_with("data/") && bytes->size() > 900'000 && number++ % 5 == 0) {
      small_.store->tamper(key, [](std::vector<uint8_t>& stored) { stored[stored.size() / 2] ^= 1; });
    }
  }
  ASSERT_GT(number, 5u);
  const auto restored = restore(backup->snapshot, dir_.path() + "/target");
  ASSERT_TRUE(restored) << restored.error().to_string();
  EXPECT_FALSE(restored->damaged.empty());
  for (const std::string& path : restored->damaged) EXPECT_FALSE(fs::exists(path)) << path;
  EXPECT_EQ(restored->files + restored->damaged.size(), 12u * 25 + 4);
}

}  // namespace
}  // namespace holdfast::repo
