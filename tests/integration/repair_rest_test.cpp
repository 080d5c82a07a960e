// What only shows once a plan is done, or has failed, is mended by the same command, if nobody need be asked.
#include <fstream>

#include "tests/integration/repair_world.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;

/// Kinds of the steps of a plan.
std::string kinds(const Value& plan) {
  std::string kinds;
  for (const Value& step : plan["steps"].items()) kinds += step["kind"].text() + " ";
  return kinds;
}

/// PostgreSQL, its standby stopped, with damage in a table of its own.
class RepairRest : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(), "no postgres");
    ASSERT_NO_FATAL_FAILURE(world_.up());
    // What the log still has to write would mend it.
    EXPECT_EQ(world_.ask(0, "CHECKPOINT"), "");
    ASSERT_TRUE(*sys::wait_until(
        [&] {
          return world_.ask(1, "SELECT pg_last_wal_replay_lsn() >= redo_lsn FROM pg_control_checkpoint()") == "t" &&
                 world_.ask(1, "CHECKPOINT").empty();
        },
        Deadline::in(std::chrono::seconds(30))));
    world_.break_member("corrupt-pages", 1);
  }

  RepairWorld world_{Engine::postgres, "shop-postgres"};
};

TEST_F(RepairRest, AMemberThatIsFoundToBeDamagedOnceItRunsIsMadeAnew) {
  const auto dry = RepairWorld::data(world_.repair({"-r", world_.repository, "--dry-run"}));
  EXPECT_EQ(kinds(dry["plan"]).find("make_side_copy"), std::string::npos) << "the damage is known before";

  const auto done = world_.repair({"-r", world_.repository});
  EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
  const Value data = RepairWorld::data(done);
  EXPECT_EQ(data["plan"]["hash"].text(), dry["plan"]["hash"].text()) << "--dry-run showed another plan";
  EXPECT_EQ(data["before"]["healthy"].boolean(true), false);
  ASSERT_EQ(data["further"].items().size(), 1u) << done.out;
  const Value& further = data["further"].items()[0];
  EXPECT_NE(data["operation"].text(), "");
  EXPECT_NE(further["operation"].text(), data["operation"].text());
  EXPECT_EQ(RepairWorld::envelope(done)["operation"].text(), further["operation"].text());
  for (const char* kind : {"take_escrow", "make_side_copy"})
    EXPECT_NE(kinds(further["plan"]).find(kind), std::string::npos) << kinds(further["plan"]);
  EXPECT_EQ(data["kept"].items().size(), 1u) << done.out;
  EXPECT_EQ(data["after"]["healthy"].boolean(), true);
  world_.expect_mended(1);
}

TEST_F(RepairRest, WithoutARepositoryItSaysWhatItWants) {
  const auto done = world_.repair();
  RepairWorld::expect_refused(done, "repair.partial", 5);
  EXPECT_NE(RepairWorld::hint_of(done).find("--backups-path"), std::string::npos) << done.out;
  EXPECT_TRUE(RepairWorld::data(done)["further"].is_null()) << done.out;
  // It runs; what was kept of it by being told to is not taken back.
  EXPECT_EQ(world_.ask(1, "SELECT pg_is_in_recovery()"), "t");
}

TEST_F(RepairRest, WhyItCannotBeginIsTold) {
  const auto done = world_.repair({"-r", world_.repository + "-nowhere"});
  RepairWorld::expect_refused(done, "repair.partial", 5);
  EXPECT_NE(done.out.find("-nowhere"), std::string::npos) << done.out;
  EXPECT_EQ(RepairWorld::hint_of(done).find("--dry-run"), std::string::npos) << "which would show the same plan again";
  EXPECT_TRUE(RepairWorld::data(done)["further"].is_null()) << done.out;
  EXPECT_NE(RepairWorld::data(done)["operation"].text(), "");
}

TEST_F(RepairRest, WhatWouldLoseSomethingIsAskedFor) {
  const auto done = world_.repair({"--no-escrow"});
  RepairWorld::expect_refused(done, "repair.partial", 5);
  EXPECT_EQ(RepairWorld::hint_of(done), "holdfast repair -c shop/shop-postgres --no-escrow --dry-run");
  EXPECT_EQ(world_.ask(1, "SELECT pg_is_in_recovery()"), "t");
  // The hint leads on.
  const std::string accept = world_.acceptance({"--no-escrow"});
  const auto accepted = world_.repair({"--no-escrow", accept});
  EXPECT_EQ(accepted.exit_code, 0) << accept << accepted.out << accepted.err;
  world_.expect_mended(1);
}

}  // namespace
}  // namespace holdfast::test
