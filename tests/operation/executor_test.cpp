// How operations end, on the toy cluster, in this process.
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "operation/accept.h"
#include "operation/folders.h"
#include "tests/operation/sweep.h"

namespace holdfast::test {
namespace {

using operation::Executor;
using operation::FileOperationStore;
using operation::Phase;

class Engine : public testing::Test {
 protected:
  void SetUp() override { begin(false); }
  void begin(bool already) {
    dir_.reset();
    dir_.emplace();
    make_toy(root(), already, already);
    start_ = toy_files(root());
  }
  std::string root() const { return dir_->path(); }
  std::string state() const { return root() + "/state"; }
  FileOperationStore store() const { return FileOperationStore(state()); }
  /// An operation that stopped past its point of no return.
  std::string stopped_operation() {
    Executor executor(toy_options(root(), {}, {.fail_step = "start-m1"}));
    EXPECT_FALSE(executor.execute(toy_plan(root())));
    return executor.operation();
  }
  /// One that died between two records.
  std::string dead_operation(const std::string& at) {
    struct Died {};
    const auto die = [&](const std::string& where) {
      if (where == at) throw Died{};
    };
    Executor executor(toy_options(root(), die));
    EXPECT_THROW((void)executor.execute(toy_plan(root())), Died) << at;
    return executor.operation();
  }

  std::optional<Folder> dir_;
  Files start_;
};

TEST_F(Engine, carries_a_plan_out) {
  std::vector<std::string> events;
  Executor executor(toy_options(root(), [&](const std::string& where) { events.push_back(where); }));
  const auto report = executor.execute(toy_plan(root()), {"discard-diverged:m1"});
  ASSERT_TRUE(report) << report.error().to_string();
  EXPECT_EQ(report->phase, Phase::done);
  EXPECT_EQ(report->id, executor.operation());
  EXPECT_EQ(toy_files(root()), toy_goal(start_));
  EXPECT_EQ(events.front(), "begun ");
  EXPECT_EQ(events.back(), "done ");
  const auto stored = *store().read(report->id);
  EXPECT_EQ(stored.records.front().data["acceptances"].items().at(0).text(), "discard-diverged:m1");
  EXPECT_EQ(stored.records.front().data["epoch"].integer(), 1);
  const auto all = *store().list();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].state, "done");
  EXPECT_EQ(all[0].plan_hash, operation::short_hash(*stored.plan));
  for (const auto& again : {executor.resume(report->id), executor.undo(report->id)})
    EXPECT_EQ(again.error().id, "operation.over");
}

TEST_F(Engine, a_failing_step_undoes_all_and_restores_what_was_found) {
  for (const bool already : {false, true}) {
    for (const char* step : {"fence-m1", "stop-m1", "copy-m1", "swap-m1"}) {
      SCOPED_TRACE(std::string(step) + (already ? ", already stopped and fenced" : ""));
      begin(already);
      Executor executor(toy_options(root(), {}, {.fail_step = step}));
      const auto report = executor.execute(toy_plan(root()));
      ASSERT_FALSE(report);
      EXPECT_EQ(report.error().id, "operation.failed_undone");
      EXPECT_EQ(exit_code(report.error().error_class), 8);
      EXPECT_NE(report.error().message.find("the toy broke"), std::string::npos);
      EXPECT_EQ(toy_files(root()), start_);
      EXPECT_EQ(store().list()->front().state, "failed");
    }
  }
}

TEST_F(Engine, the_point_of_no_return_counts_only_when_something_may_have_changed) {
  auto plan = toy_plan(root());
  plan.steps[4].arguments = codec::Value::object({{"failsFirst", true}});
  const auto harmless = Executor(toy_options(root(), {}, {.fail_step = "remove-m1"})).execute(plan);
  EXPECT_EQ(harmless.error().id, "operation.failed_undone") << harmless.error().to_string();
  EXPECT_EQ(toy_files(root()), start_);

  begin(false);
  Executor blind(toy_options(root(), {}, {.fail_step = "remove-m1", .blind = "remove-m1"}));
  const auto unknown = blind.execute(plan);
  EXPECT_EQ(exit_code(unknown.error().error_class), 9) << "unknown is not absent";
  EXPECT_EQ(blind.undo(blind.operation()).error().id, "operation.past_no_return");
  const auto report = Executor(toy_options(root())).undo(blind.operation());
  ASSERT_TRUE(report) << "now it can be told: " << report.error().to_string();
  EXPECT_EQ(toy_files(root()), start_);
}

TEST_F(Engine, after_the_point_of_no_return_it_only_goes_on) {
  Executor broken(toy_options(root(), {}, {.fail_step = "start-m1"}));
  const auto report = broken.execute(toy_plan(root()));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().id, "operation.stopped");
  EXPECT_EQ(exit_code(report.error().error_class), 9);
  EXPECT_NE(report.error().message.find(broken.operation()), std::string::npos);
  EXPECT_EQ(report.error().hint, "remove the cause, then: holdfast operations resume " + broken.operation());
  Executor executor(toy_options(root()));
  const auto refused = executor.undo(broken.operation());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "operation.past_no_return");
  EXPECT_EQ(exit_code(refused.error().error_class), 3);
  EXPECT_NE(refused.error().message.find("step 5 of 7 (remove-m1) has started"), std::string::npos);
  const auto resumed = executor.resume(broken.operation());
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  EXPECT_EQ(toy_files(root()), toy_goal(start_));
}

TEST_F(Engine, an_undo_that_fails_needs_the_operator_and_can_be_taken_up) {
  Executor broken(toy_options(root(), {}, {.fail_step = "swap-m1", .fail_undo = "stop-m1"}));
  const auto report = broken.execute(toy_plan(root()));
  EXPECT_EQ(report.error().id, "operation.stopped");
  EXPECT_EQ(exit_code(report.error().error_class), 9);
  EXPECT_NE(report.error().message.find("while it undid step 2 of 7 (stop-m1): the toy cannot undo this"),
            std::string::npos)
      << report.error().message;
  const auto open = store().unfinished(kToys);
  ASSERT_EQ(open->size(), 1u);
  EXPECT_TRUE(open->front().undoing);
  EXPECT_EQ(open->front().step, "stop-m1");
  const auto resumed = Executor(toy_options(root())).resume(broken.operation());
  ASSERT_TRUE(resumed) << resumed.error().to_string();
  EXPECT_EQ(resumed->phase, Phase::failed);
  EXPECT_EQ(toy_files(root()), start_);
}

TEST_F(Engine, a_step_nobody_can_tell_about_stops_a_resume_without_a_touch) {
  const std::string id = dead_operation("stop-m1 middle");
  const Files before = toy_files(root());
  const auto report = Executor(toy_options(root(), {}, {.blind = "stop-m1"})).resume(id);
  EXPECT_EQ(report.error().id, "operation.stopped");
  EXPECT_EQ(exit_code(report.error().error_class), 9);
  EXPECT_NE(report.error().message.find("m1 does not answer"), std::string::npos);
  EXPECT_EQ(toy_files(root()), before);
  expect_allowed_end(root(), start_, false);
}

TEST_F(Engine, a_world_that_changed_since_the_plan_is_refused) {
  const auto plan = toy_plan(root());
  std::ofstream(root() + "/world/m1.state") << "stopped";
  const auto report = Executor(toy_options(root())).execute(plan);
  EXPECT_EQ(report.error().id, "operation.plan_changed");
  EXPECT_EQ(exit_code(report.error().error_class), 3);
  EXPECT_NE(report.error().message.find("members/m1/m1.state was \"running\", is \"stopped\""), std::string::npos);
  EXPECT_TRUE(store().list()->empty());
}

TEST_F(Engine, a_resume_minds_only_what_others_changed) {
  const std::string id = dead_operation("step_done stop-m1");
  std::ofstream(root() + "/world/m1.data") << "somebody else's data";
  Executor executor(toy_options(root()));
  const auto refused = executor.resume(id);
  EXPECT_EQ(refused.error().id, "operation.world_changed");
  EXPECT_EQ(exit_code(refused.error().error_class), 3);
  EXPECT_NE(refused.error().message.find("members/m1/m1.data"), std::string::npos);
  EXPECT_EQ(refused.error().message.find("m1.state"), std::string::npos) << "its own doing";
  EXPECT_NE(refused.error().hint.find("--accept=changed-world:" + id), std::string::npos);
  std::ofstream(root() + "/world/m1.data") << "old data";
  EXPECT_TRUE(executor.resume(id));
}

TEST_F(Engine, a_resume_looks_again_at_what_was_proven_before_the_cut) {
  for (const char* at : {"unfence-m1 run begins", "step_done unfence-m1"}) {
    SCOPED_TRACE(at);
    begin(false);
    const std::string id = dead_operation(at);
    std::ofstream(root() + "/world/m1.state") << "stopped";  // a power failure
    Executor executor(toy_options(root()));
    const auto report = executor.resume(id);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().id, "operation.stopped");
    EXPECT_NE(report.error().message.find("step 6 of 7 (start-m1)"), std::string::npos) << report.error().message;
    std::ofstream(root() + "/world/m1.state") << "running";
    EXPECT_TRUE(executor.resume(id));
    EXPECT_EQ(toy_files(root()), toy_goal(start_));
  }
}

TEST_F(Engine, an_unfinished_operation_keeps_others_away) {
  const std::string id = stopped_operation();
  const auto report = Executor(toy_options(root())).execute(toy_plan(root()));
  EXPECT_EQ(report.error().id, "operation.unfinished");
  EXPECT_EQ(exit_code(report.error().error_class), 7);
  for (const char* verb : {"show ", "resume ", "undo "})
    EXPECT_NE(report.error().hint.find("holdfast operations " + (verb + id)), std::string::npos) << report.error().hint;
}

TEST_F(Engine, refusals_leave_no_trace) {
  auto options = toy_options(root());
  options.handlers.erase("swap_data");
  EXPECT_EQ(Executor(options).execute(toy_plan(root())).error().id, "operation.no_handler");
  auto plan = toy_plan(root());
  plan.steps[1].undo.clear();
  EXPECT_EQ(Executor(toy_options(root())).execute(plan).error().id, "operation.bad_plan");
  EXPECT_EQ(Executor(toy_options(root())).resume("20200101T000000Z-abcd").error().id, "operation.not_found");
  EXPECT_EQ(Executor(toy_options(root())).resume("../x").error().id, "operation.not_found");
  EXPECT_TRUE(store().list()->empty());
  EXPECT_EQ(toy_files(root()), start_);
}

TEST_F(Engine, a_journal_that_cannot_be_made_stops_it_before_anything) {
  std::filesystem::create_directories(state() + "/operations");
  std::filesystem::create_directories(operation::operations_folder(state()) + "/locks");
  std::ofstream(state() + "/operations/epochs") << "a file where a folder should be";
  const auto report = Executor(toy_options(root())).execute(toy_plan(root()));
  ASSERT_FALSE(report);
  EXPECT_EQ(toy_files(root()), start_);
}

TEST_F(Engine, a_journal_that_fills_up_stops_it_where_it_stands) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  for (const char* at : {"step_done stop-m1", "copy-m1 run begins", "remove-m1 run ends", "undo_begun "}) {
    SCOPED_TRACE(at);
    begin(false);
    bool full = false;
    const auto fill = [&](const std::string& where) {
      if (where != at) return;
      const auto id = *store().find("latest");
      rlimit small = before;  // no file may grow beyond what the journal has; the toy's own files are smaller
      small.rlim_cur = std::filesystem::file_size(state() + "/operations/" + id + "/journal.jsonl");
      ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
      full = true;
    };
    const bool fails = std::string(at) == "undo_begun ";
    Executor executor(toy_options(root(), fill, {.fail_step = fails ? "copy-m1" : ""}));
    const auto report = executor.execute(toy_plan(root()));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_TRUE(full);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().id, "operation.journal_unwritable") << report.error().to_string();
    EXPECT_EQ(exit_code(report.error().error_class), 9);
    EXPECT_NE(report.error().hint.find("operations resume " + executor.operation()), std::string::npos);
    EXPECT_EQ(store().list()->front().state, "unfinished");
    expect_allowed_end(root(), start_, fails);
  }
}

TEST_F(Engine, a_lock_lost_on_the_way_stops_it_without_writing) {
  size_t records = 0;
  const auto remove_lock = [&](const std::string& where) {
    if (where == "step_done stop-m1") std::filesystem::remove(operation::lock_file_of(state(), kToys));
    if (where.starts_with("step_")) ++records;
  };
  Executor executor(toy_options(root(), remove_lock));
  const auto report = executor.execute(toy_plan(root()));
  EXPECT_EQ(report.error().id, "operation.stopped");
  EXPECT_EQ(records, 4u);
  EXPECT_FALSE(toy_files(root()).contains("m1.new-" + executor.operation()));
  expect_allowed_end(root(), start_, true);
}

TEST_F(Engine, asks_the_members_to_refuse_older_ones_before_anything_else) {
  std::vector<uint64_t> told;
  Files before = start_;
  auto options = toy_options(root());
  options.min_epoch = 41;
  options.fence = [&](uint64_t epoch) -> Status {
    told.push_back(epoch);
    EXPECT_EQ(toy_files(root()), before) << "something was done before";
    return fail(ErrorClass::refused, "agent.stale_epoch", "a member knows a higher one");
  };
  Executor stale(options);
  const auto refused = stale.execute(toy_plan(root()), {"discard-diverged:m1"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "agent.stale_epoch");
  EXPECT_EQ(told, std::vector<uint64_t>{42});
  EXPECT_TRUE(store().list()->empty());
  EXPECT_EQ(toy_files(root()), start_);

  // Neither is one gone on with.
  const std::string id = dead_operation("step_done stop-m1");
  const Files left = before = toy_files(root());
  Executor again(options);
  EXPECT_EQ(again.resume(id).error().id, "agent.stale_epoch");
  EXPECT_EQ(again.undo(id).error().id, "agent.stale_epoch");
  EXPECT_EQ(toy_files(root()), left);
}

}  // namespace
}  // namespace holdfast::test
