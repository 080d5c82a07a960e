// restore and inspect --fence keep others away from their cluster as repair does, and are kept away themselves.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "engine/programs.h"
#include "operation/file_store.h"
#include "tests/integration/kill_world.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

TEST(OperationLock, RestoreAndRepairKeepEachOtherAway) {
  HOLDFAST_NEED("mariadb", engine::find_program(Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  KillWorld world(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(world.up());
  const auto backup = world.run("backup", {"-r", world.repository});
  ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  const std::vector<std::string> restore = {"-r", world.repository, "--accept=replace-data"};

  // An operation that is not over.
  world.kill_server(1);
  const auto killed =
      world.cut_off({"repair", "-c", world.cluster()}, {"step_started", "start-" + world.name(1), "after"});
  EXPECT_EQ(killed.exit_code, 128 + SIGKILL) << killed.out;
  const auto refused = world.run("restore", restore);
  EXPECT_EQ(refused.exit_code, 7) << refused.out;
  EXPECT_EQ(KillWorld::error_id(refused), "operation.unfinished");
  EXPECT_EQ(world.agent(1, "status")["server"]["state"].text(), "failed") << "something was done";
  const auto open = world.unfinished();
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(world.resume(open[0]).exit_code, 0);
  world.expect_healthy();

  // A restore at work, asleep.
  std::vector<std::string> args = {"restore", "-c", world.cluster()};
  args.insert(args.end(), restore.begin(), restore.end());
  const std::string log = world.lab.state_dir() + "/restore.log";
  auto restoring = world.start_cut(args, {"none", "-", "after"}, log);
  const operation::FileOperationStore store(world.lab.state_dir());
  const operation::ClusterKey by_name("shop/" + world.cluster());
  auto held = sys::wait_until(
      [&] {
        const auto holder = store.holder(by_name);
        return (holder && !holder->verb.empty()) || restoring.poll();  // it has the lock, and has said so
      },
      Deadline::in(seconds(60)));
  ASSERT_TRUE(held && *held && !restoring.poll());
  ASSERT_TRUE(restoring.signal(SIGSTOP));
  const auto locked = world.run("repair");
  EXPECT_EQ(locked.exit_code, 7) << locked.out;
  EXPECT_EQ(KillWorld::error_id(locked), "operation.locked");
  EXPECT_NE(locked.out.find("is being changed by restore"), std::string::npos) << locked.out;
  const auto second = world.run("restore", restore);
  EXPECT_EQ(second.exit_code, 7) << second.out;
  EXPECT_EQ(KillWorld::error_id(second), "operation.locked");
  ASSERT_TRUE(restoring.signal(SIGCONT));
  const auto ended = restoring.wait(Deadline::in(seconds(120)));
  ASSERT_TRUE(ended);
  EXPECT_TRUE(ended->ok()) << ended->to_string();
  EXPECT_FALSE(store.holder(by_name));
  world.expect_healthy();
  world.expect_equal(1);
}

TEST(OperationLock, InspectionIsAnOperation) {
  HOLDFAST_NEED("galera", engine::find_program(Engine::galera, "mariadbd").has_value(), "no mariadbd");
  KillWorld world(Engine::galera, "shop-galera");
  ASSERT_NO_FATAL_FAILURE(world.up());
  for (int i = 0; i < 3; ++i) world.kill_server(i);
  auto authority = [&] { return world.triage()["authority"].text(); };
  auto states = [&] {
    std::string all;
    for (int i = 0; i < 3; ++i) {
      auto state = sys::read_file(world.dir(i) + "/data/grastate.dat");
      all += world.agent(i, "status")["server"]["state"].text() + (state ? std::string(as_text(state->span())) : "?");
    }
    return all;
  };
  EXPECT_EQ(authority(), "undeterminable");
  const std::string before = states();
  size_t made = 0;
  for (const char* when : {"after", "200"}) {
    SCOPED_TRACE(when);
    ++made;
    const auto killed =
        world.cut_off({"inspect", "--fence", "-c", world.cluster()}, {"step_started", "recover-positions", when});
    EXPECT_EQ(killed.exit_code, 128 + SIGKILL) << killed.out;
    const auto open = world.unfinished();
    ASSERT_EQ(open.size(), 1u);
    for (const char* verb : {"bootstrap", "repair"}) {
      const auto refused = world.run(verb);
      EXPECT_EQ(refused.exit_code, 7) << refused.out;
      EXPECT_EQ(KillWorld::error_id(refused), "operation.unfinished") << verb;
    }
    const auto refused = world.run("inspect", {"--fence"});
    EXPECT_EQ(KillWorld::error_id(refused), "operation.unfinished") << refused.out;
    const bool undo = when[0] == 'a';
    const auto ended = undo ? world.undo(open[0]) : world.resume(open[0]);
    EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
    EXPECT_EQ(states(), before);
    world.expect_nothing_left();
    // Agents that had been asked before the kill may have gone on: what they learned stays true.
    const std::string known = authority();
    EXPECT_TRUE(known == "provable" || (undo && known == "undeterminable")) << known;
    if (known == "provable") break;
  }
  const auto run = world.run("inspect", {"--fence"});
  EXPECT_EQ(run.exit_code, 4) << run.out;
  EXPECT_EQ(states(), before);
  const Value listed = KillWorld::data(world.lab.holdfast({"operations", "list", "-o", "json"}));
  const auto& all = listed["operations"].items();
  ASSERT_EQ(all.size(), made) << "one that had nothing left to recover is none";
  for (const auto& one : all) EXPECT_EQ(one["verb"].text(), "inspect");
  EXPECT_EQ(all[0]["state"].text(), "undone");
  if (made == 2) {
    EXPECT_EQ(all[1]["state"].text(), "done");
  }
  EXPECT_EQ(world.run("bootstrap").exit_code, 0);
  world.expect_healthy();
}

}  // namespace
}  // namespace holdfast::test
