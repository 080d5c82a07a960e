// What every interrupted toy operation must come to. For the tests that interrupt it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "operation/file_store.h"
#include "operation/folders.h"
#include "sys/file.h"
#include "tests/operation/toy.h"

namespace holdfast::test {

using Files = std::map<std::string, std::string>;

inline const operation::ClusterKey kToys("toys/shop");

/// A folder of its own, in memory where there is such a place: these tests sync thousands of times.
class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::exists("/dev/shm") ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
            "/operation-XXXXXX";
    if (!::mkdtemp(path_.data())) throw std::runtime_error("mkdtemp " + path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// The last epoch any journal of the toy cluster speaks of.
inline uint64_t journaled_epoch(const std::string& root) {
  uint64_t last = 0;
  const operation::FileOperationStore store(root + "/state");
  const auto all = store.list();
  for (const auto& summary : *all) {
    const auto stored = store.read(summary.id);
    for (const auto& record : stored->records) last = std::max(last, record.data["epoch"].unsigned_integer());
  }
  return last;
}

/// Ends what was interrupted, by resume or by undo, and looks whether the end is one of the allowed ones. `start` is
/// the world before the operation first began.
inline void expect_allowed_end(const std::string& root, const Files& start, bool by_undo) {
  operation::FileOperationStore store(root + "/state");
  const auto open = store.unfinished(kToys);
  ASSERT_TRUE(open) << open.error().to_string();
  ASSERT_LE(open->size(), 1u);
  if (open->empty()) {
    const auto all = store.list();
    if (all->empty()) {
      EXPECT_EQ(toy_files(root), start) << "nothing was journaled, but something was done";
      return;
    }
    ASSERT_EQ(all->size(), 1u);
    EXPECT_EQ(toy_files(root), all->front().state == "done" ? toy_goal(start) : start) << all->front().state;
    return;
  }
  ASSERT_EQ(open->front().damage, "");
  const uint64_t last_epoch = journaled_epoch(root);
  operation::Executor executor(toy_options(root));
  auto report = by_undo ? executor.undo(open->front().id) : executor.resume(open->front().id);
  if (by_undo && !report && report.error().id == "operation.past_no_return") report = executor.resume(open->front().id);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(toy_files(root), report->phase == operation::Phase::done ? toy_goal(start) : start)
      << operation::phase_name(report->phase);
  EXPECT_GT(journaled_epoch(root), last_epoch);
  EXPECT_TRUE(store.unfinished(kToys)->empty());
  const auto lock = store.acquire({kToys, "next", "test"});
  EXPECT_TRUE(lock) << lock.error().to_string();
}

}  // namespace holdfast::test
