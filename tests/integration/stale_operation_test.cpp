// A repair that was stopped in the middle, and wakes up after another one has taken its cluster over: it can change
// nothing any more, because every agent has heard of a higher epoch.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/kill_world.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

std::string text_of(const std::string& path) {
  auto text = sys::read_file(path);
  return text ? std::string(as_text(text->span())) : "";
}

class StaleOperation : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("mariadb", engine::find_program(Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
    world_.emplace(Engine::mariadb, "shop-mariadb");
    ASSERT_NO_FATAL_FAILURE(world_->up());
  }
  KillWorld& world() { return *world_; }
  std::string log() { return world().lab.state_dir() + "/old.log"; }

  void make_errant() {
    EXPECT_EQ(world().ask(1, "SET GLOBAL read_only=OFF"), "");
    EXPECT_EQ(world().ask(1, "CREATE TABLE shop.errant (i int primary key)"), "");
    EXPECT_EQ(world().ask(1, "SET GLOBAL read_only=ON"), "");
    EXPECT_EQ(world().verdict(1), "diverged");
  }
  std::vector<std::string> rebuild_args() {
    std::vector<std::string> args = {"-i", "1", "-r", world().repository}, accept;
    world().plan_steps("repair", args, &accept);
    args.insert(args.end(), accept.begin(), accept.end());
    return args;
  }
  /// `repair ARGS`, asleep where `cut` says.
  sys::Process asleep(std::vector<std::string> args, Cut cut) {
    cut.action = "stop";
    args.insert(args.begin(), {"repair", "-c", world().cluster()});
    auto old = world().start_cut(args, cut, log());
    auto sleeps = sys::wait_until(
        [&] {
          const std::string stat = text_of(fmt::format("/proc/{}/stat", old.pid()));
          return stat.find(") T ") != std::string::npos || old.poll();
        },
        Deadline::in(seconds(60)));
    EXPECT_TRUE(sleeps && *sleeps && !old.poll()) << text_of(log());
    return old;
  }
  /// What a person does who takes it for dead, or a second machine that never knew of it: the locks and journals of
  /// this state directory are gone, the numbers of its epochs too.
  void forget_operations() {
    std::error_code error;
    fs::rename(world().lab.state_dir() + "/operations", world().lab.state_dir() + "/operations.forgotten", error);
    ASSERT_FALSE(error) << error.message();
  }
  void wake(sys::Process& old) {
    ASSERT_TRUE(old.signal(SIGCONT));
    const auto ended = old.wait(Deadline::in(seconds(60)));
    ASSERT_TRUE(ended) << "it does not end: " << text_of(log());
    EXPECT_EQ(ended->signal, 0);
    EXPECT_EQ(ended->code, 9) << text_of(log());
    // Said by an agent or, where the step begins with a look, by the lock before anything else.
    const std::string said = text_of(log());
    EXPECT_TRUE(said.find("has taken over since") != std::string::npos ||
                said.find("the lock of the cluster is no longer ours") != std::string::npos)
        << said;
    std::error_code error;
    fs::remove_all(world().lab.state_dir() + "/operations.forgotten", error);
  }
  /// Server process, data directory, what lies beside it, what the agent is told to be.
  std::string fingerprint(int i) {
    const auto status = world().agent(i, "status");
    struct stat info{};
    EXPECT_EQ(::stat((world().dir(i) + "/data").c_str(), &info), 0);
    return fmt::format("{} {} {} {} {} {}", status["server"]["pid"].integer(), info.st_ino,
                       fmt::join(world().leftovers(i), ","), status["role"].text(), status["upstream"].text(),
                       status["epoch"].integer());
  }

  std::optional<KillWorld> world_;
};

TEST_F(StaleOperation, OfARebuildChangesNothing) {
  const std::string victim = world().name(1);
  for (const char* step : {"stop", "copy", "try", "swap", "start"}) {
    SCOPED_TRACE(step);
    make_errant();
    auto old = asleep(rebuild_args(), {"step_started", fmt::format("{}-{}", step, victim), "after"});
    forget_operations();
    // Where the old one stands it may be stopped, on the new directory, or swapped already.
    std::vector<std::string> args = {"-i", "1", "-r", world().repository}, accept;
    const auto seen = world().triage();
    if (!world().report_of(1, seen)["verdict"].text().starts_with("healthy")) {
      world().plan_steps("repair", args, &accept);
      args.insert(args.end(), accept.begin(), accept.end());
    }
    const auto done = world().run("repair", args);
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    world().expect_healthy();
    const std::string before = fingerprint(1) + fingerprint(0) + fingerprint(2);
    wake(old);
    EXPECT_EQ(fingerprint(1) + fingerprint(0) + fingerprint(2), before);
    world().expect_healthy();
    world().expect_equal(1);
    if (HasFailure()) return;
  }
}

TEST_F(StaleOperation, InTheMiddleOfACopyIsEndedByTheNextOne) {
  make_errant();
  auto old = asleep(rebuild_args(), {"step_started", "copy-" + world().name(1), "60"});
  forget_operations();
  const auto done = world().run("repair", rebuild_args());
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  world().expect_healthy();
  const std::string before = fingerprint(1);
  ASSERT_TRUE(old.signal(SIGCONT));
  const auto ended = old.wait(Deadline::in(seconds(60)));
  ASSERT_TRUE(ended);
  EXPECT_NE(ended->code, 0) << text_of(log());
  EXPECT_EQ(fingerprint(1), before) << text_of(log());
  world().expect_healthy();
  world().expect_equal(1);
}

/// Its next act is a statement to the server, which knows nothing of epochs.
TEST_F(StaleOperation, OfAStatementChangesNothing) {
  EXPECT_EQ(world().ask(1, "STOP SLAVE SQL_THREAD"), "");
  auto old = asleep({}, {"step_started", "resume-" + world().name(1), "after"});
  forget_operations();
  const auto done = world().run("repair");
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  world().expect_healthy();
  EXPECT_EQ(world().ask(1, "STOP SLAVE SQL_THREAD"), "") << "on purpose, this time";
  wake(old);
  EXPECT_NE(world().run("triage").exit_code, 0) << "the old one has started what was stopped after it";
}

TEST_F(StaleOperation, IsRefusedByEveryRequestThatChanges) {
  const auto epoch = world().agent(1, "status")["epoch"].integer();
  world().agent(1, "fence", Value::object({{"epoch", epoch + 5}}));
  EXPECT_EQ(world().agent(1, "status")["epoch"].integer(), epoch + 5);
  const std::string before = fingerprint(1);
  for (const char* op : {"start", "restart", "stop", "initialise", "discard_side", "swap_side", "drop_aside", "rewind",
                         "cancel", "set_aside", "put_back", "recover_position", "galera_position", "safe_to_bootstrap",
                         "configure", "shutdown", "fence"})
    EXPECT_EQ(world().agent_error(1, op, Value::object({{"epoch", epoch + 4}})), "agent.stale_epoch") << op;
  EXPECT_EQ(fingerprint(1), before);
  world().crash_agent(1);
  EXPECT_EQ(world().agent_error(1, "start", Value::object({{"epoch", epoch + 4}})), "agent.stale_epoch");
  EXPECT_EQ(world().agent_error(1, "start", Value::object({{"epoch", epoch + 5}})), "");
  EXPECT_EQ(world().agent_error(1, "stop", Value::object()), "") << "nobody's operation";
  // The lock's own numbers are lost: what it gives out is above what the members know.
  std::error_code error;
  fs::remove_all(world().lab.state_dir() + "/operations", error);
  const auto done = world().run("repair");
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  EXPECT_EQ(world().agent(1, "status")["epoch"].integer(), epoch + 6);
}

}  // namespace
}  // namespace holdfast::test
