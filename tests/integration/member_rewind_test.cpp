// An old primary is rewound onto the new one right after the promotion, and a rewind that dies leaves nothing
// startable.
#include <gtest/gtest.h>

#include <filesystem>
#include <future>

#include "engine/programs.h"
#include "tests/integration/copy_world.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using codec::Value;
using std::chrono::seconds;

/// Member 0 dies with rows nobody else has, member 1 is promoted and written to.
void fail_over(CopyWorld& world) {
  EXPECT_EQ(world.ask(0, "CREATE TABLE t (a int); INSERT INTO t VALUES (1)"), "");
  auto arrived = sys::wait_until([&] { return world.ask(1, "SELECT a FROM t") == "1"; }, Deadline::in(seconds(20)));
  ASSERT_TRUE(*arrived);
  world.must(1, "stop");
  EXPECT_EQ(world.ask(0, "INSERT INTO t SELECT 100 + i FROM generate_series(1, 20000) i"), "");
  world.must(0, "stop", Value::object({{"mode", "immediate"}}));
  world.must(1, "start");
  EXPECT_EQ(world.ask(1, "SELECT pg_promote()"), "t");
  world.must(1, "configure", Value::object({{"role", "primary"}, {"upstream", ""}}));
  world.must(0, "configure", Value::object({{"role", "replica"}, {"upstream", world.name(1)}}));
  EXPECT_EQ(world.ask(1, "INSERT INTO t VALUES (2)"), "");
}

Value onto(const CopyWorld& world, int donor) {
  return Value::object({{"donor", world.name(donor)}});
}

TEST(MemberRewind, RightAfterAPromotion) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  CopyWorld world("shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up("5MB"));
  ASSERT_NO_FATAL_FAILURE(fail_over(world));
  const Value done = world.must(0, "rewind", onto(world, 1));
  EXPECT_TRUE(done["rewound"].boolean());
  EXPECT_EQ(done["fromTimeline"].integer(), 1);
  EXPECT_EQ(done["toTimeline"].integer(), 2);
  EXPECT_EQ(world.call(1, "rewind", onto(world, 0)).error().id, "agent.running");
  world.must(0, "start");
  EXPECT_EQ(world.ask(0, "SELECT pg_is_in_recovery()"), "t");
  EXPECT_EQ(world.ask(1, "INSERT INTO t VALUES (3)"), "");
  std::string seen;
  auto streamed =
      sys::wait_until([&] { return (seen = world.ask(0, "SELECT sum(a) FROM t")) == "6"; }, Deadline::in(seconds(30)));
  EXPECT_TRUE(*streamed) << seen;
  world.expect_equal(0, 1);
  // There is nothing to do the second time.
  world.must(0, "stop");
  EXPECT_FALSE(world.must(0, "rewind", onto(world, 1))["rewound"].boolean());
  world.must(0, "start");
  EXPECT_EQ(world.ask(0, "SELECT sum(a) FROM t"), "6");
}

Value beside(const CopyWorld& world, int donor) {
  return Value::object({{"from", "rewind"}, {"donor", world.name(donor)}, {"side", true}});
}

void expect_swapped_in(CopyWorld& world) {
  EXPECT_NE(world.must(0, "swap_side")["path"].text(), "");
  world.must(0, "start");
  EXPECT_EQ(world.ask(0, "SELECT pg_is_in_recovery()"), "t");
  EXPECT_EQ(world.ask(1, "INSERT INTO t VALUES (3)"), "");
  std::string seen;
  EXPECT_TRUE(
      *sys::wait_until([&] { return (seen = world.ask(0, "SELECT sum(a) FROM t")) == "6"; }, Deadline::in(seconds(30))))
      << seen;
  world.expect_equal(0, 1);
}

TEST(MemberRewind, ACopyBesideTheOldDirectory) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  CopyWorld world("shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up("5MB"));
  ASSERT_NO_FATAL_FAILURE(fail_over(world));
  auto in_place = beside(world, 1);
  in_place.set("side", false);
  EXPECT_EQ(world.call(0, "initialise", in_place).error().id, "agent.request");
  const Value done = world.must(0, "initialise", beside(world, 1));
  EXPECT_EQ(done["method"].text(), "pg_rewind") << codec::to_json(done);
  EXPECT_EQ(done["timeline"].integer(), 2);
  EXPECT_FALSE(world.exists(0, "rewinding"));
  EXPECT_TRUE(world.exists(0, "data/PG_VERSION"));
  expect_swapped_in(world);
}

TEST(MemberRewind, WhatCannotBeRewoundIsCopied) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  CopyWorld world("shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up("2MB"));
  ASSERT_NO_FATAL_FAILURE(fail_over(world));
  // A copy would share the WAL with the old directory, and rewind that too.
  namespace fs = std::filesystem;
  fs::rename(world.dir(0) + "/data/pg_wal", world.dir(0) + "/wal-elsewhere");
  fs::create_directory_symlink(world.dir(0) + "/wal-elsewhere", world.dir(0) + "/data/pg_wal");
  const Value done = world.must(0, "initialise", beside(world, 1));
  EXPECT_EQ(done["method"].text(), "pg_basebackup") << codec::to_json(done);
  EXPECT_NE(done["notRewound"].text().find("pg_wal"), std::string::npos) << codec::to_json(done);
  expect_swapped_in(world);
}

TEST(MemberRewind, KilledInTheMiddleItIsNeverStartedOnlyReseeded) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  CopyWorld world("shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up("40MB"));
  ASSERT_NO_FATAL_FAILURE(fail_over(world));
  // What makes it long: everything is rewritten on the new primary's side of the fork.
  EXPECT_NE(world.ask(0, "SELECT 1"), "1") << "it should be dead";
  EXPECT_EQ(world.ask(1, "INSERT INTO t SELECT i FROM generate_series(1, 400000) i"), "");
  auto answer = std::async(std::launch::async, [&] { return world.call(0, "rewind", onto(world, 1)); });
  bool rewinding = false;
  while (!rewinding && answer.wait_for(seconds(0)) != std::future_status::ready)
    rewinding = world.exists(0, "rewinding");
  ASSERT_TRUE(rewinding) << "it was too quick to be killed";
  world.kill_agent(0);
  (void)answer.get();
  ASSERT_TRUE(world.exists(0, "rewinding"));
  EXPECT_NE(world.lab.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);  // brings the agent; the start is refused
  auto agent = sys::spawn([&] {
    sys::Command command;
    command.argv = {holdfast_binary(), "agent", "--dir", world.dir(0)};
    command.die_with_parent = 9;
    command.out = command.err = sys::Stdio::null();
    return command;
  }());
  ASSERT_TRUE(agent);
  ASSERT_TRUE(*sys::wait_until([&] { return world.call(0, "ping").has_value(); }, Deadline::in(seconds(10))));
  EXPECT_EQ(world.call(0, "start").error().id, "agent.half_rewound");
  EXPECT_EQ(world.call(0, "start", Value::object({{"mode", "isolated"}})).error().id, "agent.half_rewound");
  EXPECT_EQ(world.call(0, "rewind", onto(world, 1)).error().id, "agent.half_rewound");
  world.must(0, "initialise", Value::object({{"from", "donor"}, {"donor", world.name(1)}, {"side", true}}));
  const std::string old = world.must(0, "swap_side")["path"].text();
  world.must(0, "start");
  EXPECT_EQ(world.ask(0, "SELECT pg_is_in_recovery()"), "t");
  world.expect_equal(0, 1);
  world.must(0, "stop");
  world.must(0, "put_back", Value::object({{"path", old}}));
  EXPECT_EQ(world.call(0, "start").error().id, "agent.half_rewound") << "put back, it is what it was";
  world.must(0, "shutdown");
}

TEST(MemberRewind, AnotherClusterIsRefused) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  CopyWorld world("shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up("2MB"));
  world.must(1, "stop");
  const std::string kept = world.must(1, "set_aside")["path"].text();
  world.must(1, "initialise", Value::object({{"from", "empty"}}));
  EXPECT_EQ(world.call(1, "rewind", onto(world, 0)).error().id, "agent.lineage");
  world.must(1, "put_back", Value::object({{"path", kept}}));
  world.must(1, "start");
  EXPECT_EQ(world.ask(1, "SELECT pg_is_in_recovery()"), "t");
}

}  // namespace
}  // namespace holdfast::test
