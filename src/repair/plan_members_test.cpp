// Which members a plan may touch and copy from: not one that runs outside its agent, not one that applies later on
// purpose, and one whose volume is not there only by name.
#include <gtest/gtest.h>

#include "cluster/triage.h"
#include "operation/plan.h"
#include "repair/plan.h"
#include "tests/support/triage_world.h"

namespace holdfast::repair {
namespace {

using cluster::Engine;
using cluster::StoredFacts;
using cluster::test::healthy;
using cluster::test::take_down;
using cluster::test::World;

std::string plan(const World& world, const Request& request = {}) {
  auto proposal = plan_repair(world.report(), request);
  if (!proposal) return proposal.error().id;
  std::string text;
  for (const auto& step : proposal->plan.steps) text += (text.empty() ? "" : " ") + step.id;
  for (const auto& loss : proposal->plan.losses) text += " | " + loss.acceptance;
  return text;
}

std::string donor(const World& world) {
  auto proposal = plan_repair(world.report(), {.has_repository = true});
  EXPECT_TRUE(proposal) << (proposal ? "" : proposal.error().to_string());
  const auto* copy = proposal ? proposal->plan.find("copy-m1") : nullptr;
  return copy ? copy->arguments["donor"].text() : "";
}

TEST(PlanMembers, NothingIsDoneToOneThatRunsOutsideItsAgent) {
  for (auto engine : {Engine::mariadb, Engine::mysql, Engine::postgres, Engine::galera}) {
    World w = healthy(engine);
    w[1].runtime.state = "stopped";
    w[1].runtime.pid = -1;
    w[1].runtime.outside.push_back({4711, "mariadbd", "holds the lock of ibdata1"});
    EXPECT_EQ(plan(w), "repair.outside_agent");
    EXPECT_EQ(plan(w, {.ordinal = 1}), "repair.outside_agent");
  }
}

TEST(PlanMembers, ADelayedReplicaIsNoDonor) {
  World w = healthy(Engine::mysql);
  take_down(w[1]);
  w[1].stored->data = StoredFacts::Data::empty;
  EXPECT_EQ(donor(w), "m2");
  w[2].following[0].delay_seconds = 3600;
  EXPECT_EQ(donor(w), "m0");
}

/// One whose own log told of damage is no donor, either; nor is the primary then: nobody is left.
TEST(PlanMembers, ADonorThatMetDamageIsNone) {
  World w = healthy(Engine::mysql);
  take_down(w[1]);
  w[1].stored->data = StoredFacts::Data::empty;
  w[2].runtime.damage_logged = "[ERROR] InnoDB: Index k of table shop.t is corrupted";
  EXPECT_EQ(donor(w), "m0");
}

TEST(PlanMembers, OneWhoseVolumeIsNotThereIsGivenUpByNameAlone) {
  for (auto engine : {Engine::mariadb, Engine::postgres}) {
    World w = healthy(engine);
    take_down(w[1]);
    w[1].runtime.upstream_wanted = "127.0.0.1:1000";
    w[1].stored = StoredFacts();
    w[1].stored->why = w[1].stored->remembered = "its agent saw data there on device 8:17";
    EXPECT_EQ(plan(w), "repair.undeterminable");
    // There is nothing to keep a copy of.
    EXPECT_EQ(plan(w, {.ordinal = 1}), "copy-m1 try-m1 swap-m1 start-m1 prove-m1 | discard-diverged:m1");
    w[1].stored->remembered.clear();
    w[1].stored->data = StoredFacts::Data::empty;
    EXPECT_EQ(plan(w), "copy-m1 try-m1 swap-m1 start-m1 prove-m1");
  }
}

TEST(PlanMembers, AStandbyThatIsDownGetsItsPrimarysSettings) {
  World w = healthy(Engine::postgres);
  take_down(w[1], "failed");
  w[1].runtime.upstream_wanted = "127.0.0.1:1000";
  w[1].runtime.log_tail =
      "LOG:  starting PostgreSQL 15.4\nFATAL:  recovery aborted because of insufficient parameter settings\n"
      "DETAIL:  max_connections = 100 is a lower setting than on the primary server, where its value was 160.\n";
  EXPECT_EQ(plan(w), "start-m1 match-m1 restart-m1 prove-m1");
}

// A process that a signal has stopped goes on: nothing it has in memory is lost, no relay log is dropped.
TEST(PlanMembers, AFrozenServerIsContinuedNotRestarted) {
  for (auto engine : {Engine::mariadb, Engine::mysql, Engine::postgres, Engine::galera}) {
    World w = healthy(engine);
    w[1].reach = cluster::Reach::timeout;
    w[1].runtime.process_state = "T";
    w[1].runtime.pid = 4711;
    w[1].agent.answers = true;
    w[1].runtime.state = "running";
    w[1].stored.emplace();
    w[1].stored->data = StoredFacts::Data::present;
    w[1].stored->position = w[1].executed;
    w[1].stored->timeline = w[1].timeline;
    w[1].stored->history = w[1].history;
    w[1].stored->lineage = w[1].lineage;
    if (engine == Engine::galera) w[1].stored->seqno = -1;
    EXPECT_EQ(plan(w, {.ordinal = 1}), "continue-m1 prove-m1") << cluster::engine_name(engine);
  }
}

// One that comes back beside another writer would take writes again.
TEST(PlanMembers, AFrozenPrimaryIsNotContinuedBesideAnotherWriter) {
  World w = healthy(Engine::mariadb);
  w[0].reach = cluster::Reach::timeout;
  w[0].runtime.process_state = "T";
  w[0].runtime.pid = 4711;
  w[0].agent.answers = true;
  w[0].runtime.state = "running";
  w[0].runtime.role_wanted = cluster::MemberRole::primary;
  w[0].stored.emplace();
  w[0].stored->data = StoredFacts::Data::present;
  w[0].stored->position = w[0].executed;
  w[1].role = cluster::MemberRole::primary;
  w[1].read_only = false;
  w[1].following.clear();
  EXPECT_EQ(plan(w, {.ordinal = 0}).find("continue"), std::string::npos);
}

// The one that stays was promoted beside its agent, which would start it as a replica of the one that goes.
TEST(PlanMembers, TheAgentOfTheOneThatStaysLearnsThatItIsThePrimary) {
  World w = healthy(Engine::mariadb);
  for (size_t i = 0; i < 3; ++i) {
    w[i].agent.answers = true;
    w[i].runtime.role_wanted = i == 0 ? cluster::MemberRole::primary : cluster::MemberRole::replica;
  }
  w[1].role = cluster::MemberRole::primary;
  w[1].read_only = false;
  w[1].following.clear();
  w[1].executed = w[1].executed + ",0-2-900";
  const std::string steps = plan(w, {.ordinal = 0, .has_repository = true});
  EXPECT_NE(steps.find("configure-m0"), std::string::npos) << steps;
  EXPECT_NE(steps.find("follow-m0 prove-m0 configure-m1"), std::string::npos) << steps;
}

}  // namespace
}  // namespace holdfast::repair
