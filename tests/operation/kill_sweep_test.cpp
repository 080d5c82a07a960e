// A real process killed, or told to stop, at every point between and inside of steps.
#include <signal.h>

#include <filesystem>

#include "tests/operation/sweep.h"
#include "tests/support/program.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;

class KillSweep : public testing::Test {
 protected:
  void begin(bool already = false) {
    fs::remove_all(root_);
    fs::create_directory(root_);
    make_toy(root_, already, already);
    start_ = toy_files(root_);
  }
  operation::FileOperationStore store() const { return operation::FileOperationStore(root_ + "/state"); }
  RunResult toy(const std::string& verb, const std::string& how = "", long at = 0) {
    return run_program({TOY_OPERATION, verb, root_, how, std::to_string(at)});
  }
  /// How many points a whole run passes.
  long points() {
    begin();
    const auto run = run_program({TOY_OPERATION, "run", root_});
    EXPECT_EQ(run.exit_code, 0) << run.out;
    return std::count(run.err.begin(), run.err.end(), '\n');
  }

  Folder folder_;
  const std::string root_ = folder_.path() + "/root";
  Files start_;
};

TEST_F(KillSweep, killed_at_every_point_then_ended) {
  const long all = points();
  ASSERT_GT(all, 50);
  for (long at = 1; at <= all; ++at) {
    for (const bool by_undo : {false, true}) {
      SCOPED_TRACE("killed at point " + std::to_string(at) + (by_undo ? ", then undo" : ", then resume"));
      begin(at % 2);
      ASSERT_EQ(toy("run", "kill", at).exit_code, 128 + SIGKILL);
      const auto open = store().unfinished(kToys);
      if (!open->empty()) {
        EXPECT_EQ(open->front().state, "unfinished") << "the dead owner's lock is free";
        const auto other = store().acquire({kToys, "other", "switchover"});
        ASSERT_FALSE(other) << "nobody else may touch the cluster";
        EXPECT_EQ(other.error().id, "operation.unfinished");
      }
      expect_allowed_end(root_, start_, by_undo);
      if (HasFailure()) return;
    }
  }
}

TEST_F(KillSweep, killed_again_while_it_resumes_or_undoes) {
  const long all = points();
  const auto count = static_cast<size_t>(all);
  for (const size_t first : sample("killed", count, count / 7)) {
    for (const char* verb : {"resume", "undo"}) {
      const long at = static_cast<long>(first) + 1;
      for (const size_t second : sample(verb + std::to_string(at), count, count / 3)) {
        const long again = static_cast<long>(second) + 1;
        SCOPED_TRACE("killed at point " + std::to_string(at) + ", then at point " + std::to_string(again) + " of " +
                     verb);
        begin(at % 2);
        ASSERT_EQ(toy("run", "kill", at).exit_code, 128 + SIGKILL);
        const int code = toy(verb, "kill", again).exit_code;
        expect_allowed_end(root_, start_, again % 2);
        if (HasFailure()) return;
        if (code != 128 + SIGKILL) break;  // it ended before that point
      }
    }
  }
}

TEST_F(KillSweep, told_to_stop_at_every_point) {
  const long all = points();
  long undone = 0, waiting = 0, finished = 0;
  for (long at = 1; at <= all; ++at) {
    for (const char* how : {"term", "term2"}) {
      SCOPED_TRACE(std::string(how) + " at point " + std::to_string(at));
      begin(at % 2);
      const auto run = toy("run", how, at);
      const auto open = *store().unfinished(kToys);
      if (run.exit_code == 0) {
        ++finished;
        EXPECT_EQ(toy_files(root_), toy_goal(start_));
        EXPECT_TRUE(open.empty());
        continue;
      }
      ASSERT_EQ(run.exit_code, 130) << run.out << run.err;
      EXPECT_NE(run.out.find("operation.interrupted"), std::string::npos) << run.out;
      if (open.empty()) {
        ++undone;
        EXPECT_EQ(toy_files(root_), start_) << run.out;
        EXPECT_TRUE(run.out.find("all is as it was before") != std::string::npos ||
                    run.out.find("nothing had been changed") != std::string::npos)
            << run.out;
      } else {
        ++waiting;
        EXPECT_TRUE(open.front().past_no_return);
        EXPECT_NE(run.out.find("past its point of no return"), std::string::npos) << run.out;
        EXPECT_NE(run.out.find("holdfast operations resume " + open.front().id), std::string::npos) << run.out;
        expect_allowed_end(root_, start_, false);
      }
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(undone, 20);
  EXPECT_GT(waiting, 5);
  EXPECT_GT(finished, 0);
}

}  // namespace
}  // namespace holdfast::test
