// The executor on a store that fails where it is told to: records that cannot be written, locks that are taken away.
#include "operation/memory_store.h"

#include <filesystem>

#include "tests/operation/sweep.h"

namespace holdfast::test {
namespace {

using operation::ClusterKey;
using operation::Executor;
using operation::MemoryOperationStore;
using operation::Phase;

class AnyStore : public testing::Test {
 protected:
  void begin() {
    std::filesystem::remove_all(root());
    make_toy(root());
    start_ = toy_files(root());
    store_ = std::make_shared<MemoryOperationStore>();
  }
  std::string root() const { return folder_.path() + "/root"; }
  operation::ExecutorOptions options(const Points& points = {}, const ToyFaults& faults = {}) {
    auto made = toy_options(root(), points, faults);
    made.store = store_;
    return made;
  }
  /// Ends what was left open, and looks whether it came to an allowed end.
  void expect_allowed(const std::string& id, bool by_undo) {
    Executor executor(options());
    auto report = by_undo ? executor.undo(id) : executor.resume(id);
    if (by_undo && !report && report.error().id == "operation.past_no_return") report = executor.resume(id);
    ASSERT_TRUE(report) << report.error().to_string();
    EXPECT_EQ(toy_files(root()), report->phase == Phase::done ? toy_goal(start_) : start_);
    EXPECT_TRUE(store_->unfinished(kToys)->empty());
    EXPECT_FALSE(store_->holder(kToys));
  }

  Folder folder_;
  Files start_;
  std::shared_ptr<MemoryOperationStore> store_;
};

TEST_F(AnyStore, a_plan_is_carried_out_and_no_file_of_operations_is_written) {
  begin();
  const auto report = Executor(options()).execute(toy_plan(root()));
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(toy_files(root()), toy_goal(start_));
  EXPECT_EQ(store_->list()->front().state, "done");
  EXPECT_FALSE(std::filesystem::exists(root() + "/state/operations"));
}

TEST_F(AnyStore, each_record_that_cannot_be_written_stops_it_there) {
  for (const char* failing_step : {"", "copy-m1"}) {
    bool ended = false;
    for (size_t written = 0; !ended; ++written) {
      for (const bool by_undo : {false, true}) {
        SCOPED_TRACE(std::string(failing_step) + " after record " + std::to_string(written) +
                     (by_undo ? ", undo" : ""));
        begin();
        store_->fail_writes(written);
        Executor executor(options({}, {.fail_step = failing_step}));
        const auto report = executor.execute(toy_plan(root()));
        store_->allow_writes();
        ended = report || report.error().id == "operation.failed_undone";
        if (ended) break;
        if (written == 0) {
          EXPECT_EQ(report.error().error_class, ErrorClass::unavailable);
          EXPECT_EQ(toy_files(root()), start_);
          EXPECT_TRUE(store_->list()->empty());
          continue;
        }
        EXPECT_EQ(report.error().id, "operation.journal_unwritable") << report.error().to_string();
        EXPECT_EQ(store_->read(executor.operation())->records.size(), written);
        ASSERT_NO_FATAL_FAILURE(expect_allowed(executor.operation(), by_undo));
      }
      ASSERT_LT(written, 40u);
    }
  }
}

TEST_F(AnyStore, a_lock_taken_away_at_any_record_stops_it_before_the_next_step) {
  bool ended = false;
  for (size_t at = 1; !ended; ++at) {
    for (const bool by_undo : {false, true}) {
      SCOPED_TRACE("at event " + std::to_string(at));
      begin();
      size_t passed = 0, after = 0;
      const auto take = [&](const std::string& where) {
        ++passed;
        if (passed == at) store_->take_lock_away(kToys);
        if (passed > at && where.ends_with("run begins")) ++after;
      };
      Executor executor(options(take));
      const auto report = executor.execute(toy_plan(root()));
      ended = passed < at;
      if (ended) break;
      EXPECT_LE(after, 1u) << "no step but the one that had begun";
      if (report) continue;  // in its last step
      EXPECT_EQ(report.error().id, "operation.stopped") << report.error().to_string();
      EXPECT_NE(report.error().message.find("no longer ours"), std::string::npos) << report.error().message;
      ASSERT_NO_FATAL_FAILURE(expect_allowed(executor.operation(), by_undo));
    }
    ASSERT_LT(at, 100u);
  }
}

TEST_F(AnyStore, a_torn_tail_is_resumed) {
  begin();
  Executor executor(options({}, {.fail_step = "start-m1"}));
  ASSERT_FALSE(executor.execute(toy_plan(root())));
  auto texts = store_->texts(executor.operation());
  texts.journal.resize(texts.journal.size() - 5);
  store_->set_texts(executor.operation(), texts);
  EXPECT_TRUE(store_->read(executor.operation())->torn);
  expect_allowed(executor.operation(), false);
}

TEST_F(AnyStore, an_unfinished_operation_of_a_cluster_with_the_same_name_is_not_in_the_way) {
  begin();
  auto mine = toy_plan(root()), twin = mine;
  mine.cluster_uid = "1";
  twin.cluster_uid = "2";
  Executor stopped(options({}, {.fail_step = "start-m1"}));
  ASSERT_FALSE(stopped.execute(twin));
  make_toy(root());
  const auto report = Executor(options()).execute(mine);
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(Executor(options()).execute(twin).error().id, "operation.unfinished");
  EXPECT_EQ(store_->read(report->id)->records.front().data["epoch"].integer(), 1) << "the twin's epochs are its own";
}

}  // namespace
}  // namespace holdfast::test
