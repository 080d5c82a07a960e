// A repair on a cluster that is no cluster: what its caller sees, in which order, and what happens when the cluster
// changes between being observed and being repaired.
#include "steward/repair.h"

#include <gtest/gtest.h>

#include "operation/lock.h"
#include "tests/support/fake_cluster.h"

namespace holdfast::steward {
namespace {

using test::FakeCaller;
using test::FakeCluster;
using test::kDamaged;
using test::kStopped;
using test::kThreadsStopped;
using test::RecordingObserver;

class StewardRepair : public testing::Test {
 protected:
  Outcome repair(const RepairRequest& request = {}) { return repair_cluster(cluster_, request, caller_.caller()); }
  static std::string id_of(const Outcome& outcome) { return outcome.status ? "ok" : outcome.status.error().id; }
  RecordingObserver& observer() { return caller_.observer; }
  std::vector<std::string> seen() { return caller_.observer.seen; }

  FakeCluster cluster_;
  FakeCaller caller_;
};

using Lines = std::vector<std::string>;

TEST_F(StewardRepair, NothingToRepair) {
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(seen(), (Lines{"before: healthy", "plan:"}));
  ASSERT_EQ(outcome.runs.size(), 1u);
  EXPECT_TRUE(outcome.runs[0].plan->steps.empty());
  EXPECT_EQ(outcome.runs[0].operation, "");
  EXPECT_FALSE(outcome.runs[0].after);
  EXPECT_EQ(caller_.operations(), Lines{});
  EXPECT_EQ(cluster_.fences, 0) << "the members learned an epoch, and there is no operation";
  EXPECT_EQ(cluster_.observations, 1);
}

TEST_F(StewardRepair, ObservedPlannedExecutedAndObservedAgain) {
  cluster_.ailing = {{1, kStopped}};
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(seen(), (Lines{"before: not healthy: m1 server-crashed", "plan: start-m1 prove-m1", "execution started",
                           "operation", "begun", "step_started start-m1", "step_done start-m1", "step_started prove-m1",
                           "step_done prove-m1", "done", "after: healthy", "execution ended"}));
  ASSERT_EQ(outcome.runs.size(), 1u);
  const PlanRun& run = outcome.runs[0];
  EXPECT_FALSE(run.before.healthy);
  EXPECT_EQ(run.hash, operation::plan_hash(*run.plan));
  EXPECT_EQ(Lines{run.operation}, observer().operations);
  ASSERT_TRUE(run.after);
  EXPECT_TRUE(run.after->healthy);
  EXPECT_FALSE(run.kept) << "no repository was needed";
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
  EXPECT_EQ(cluster_.fences, 1);
}

TEST_F(StewardRepair, ADryRunProposesTheSamePlan) {
  cluster_.ailing = {{1, kStopped}};
  const auto dry = repair({.dry_run = true});
  EXPECT_EQ(id_of(dry), "ok");
  EXPECT_EQ(seen(), (Lines{"before: not healthy: m1 server-crashed", "plan: start-m1 prove-m1"}));
  EXPECT_EQ(cluster_.done, Lines{});
  EXPECT_EQ(caller_.operations(), Lines{});
  EXPECT_EQ(repair().runs.at(0).hash, dry.runs.at(0).hash);
}

TEST_F(StewardRepair, AMemberIsNamedByNameOrOrdinal) {
  cluster_.ailing = {{1, kStopped}, {2, kStopped}};
  EXPECT_EQ(RecordingObserver::ids_of(*repair({.member = "2", .dry_run = true}).runs.at(0).plan), " start-m2 prove-m2");
  EXPECT_EQ(RecordingObserver::ids_of(*repair({.member = "m1", .dry_run = true}).runs.at(0).plan),
            " start-m1 prove-m1");
  EXPECT_EQ(id_of(repair({.member = "m7"})), "repair.no_member");
}

// A plan that asks for nothing is made again when the cluster is not what it was made for.
TEST_F(StewardRepair, AClusterThatChangedBeforeTheExecutionGetsAnotherPlan) {
  cluster_.ailing = {{1, kStopped}};
  cluster_.on_observe = [&](int count) {
    if (count == 1) cluster_.ailing[2] = kStopped;  // seen under the lock, right before the plan begins
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(observer().lines("plan:"), (Lines{"plan: start-m1 prove-m1", "plan: start-m1 prove-m1 start-m2 prove-m2"}));
  EXPECT_EQ(observer().count("note: the cluster changed"), 1u);
  ASSERT_EQ(outcome.runs.size(), 1u) << "the plan that was never started is not part of it";
  EXPECT_EQ(RecordingObserver::ids_of(*outcome.runs[0].plan), " start-m1 prove-m1 start-m2 prove-m2");
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
}

TEST_F(StewardRepair, AClusterThatGoesOnChangingIsLeftAlone) {
  cluster_.ailing = {{1, kStopped}};
  cluster_.on_observe = [&](int count) {
    if (count % 2) cluster_.ailing[2] = kThreadsStopped;
    if (count % 2 == 0) cluster_.ailing.erase(2);
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "operation.plan_changed");
  EXPECT_EQ(observer().count("plan:"), 3u);
  EXPECT_EQ(cluster_.done, Lines{});
  EXPECT_EQ(caller_.operations(), Lines{});
}

TEST_F(StewardRepair, WhatIsNotAcceptedIsNotDone) {
  cluster_.ailing = {{1, kDamaged}};
  const auto outcome = repair({.escrow = {.none = true}});
  EXPECT_EQ(id_of(outcome), "operation.not_accepted");
  EXPECT_EQ(observer().count("asked: operation.not_accepted"), 1u) << observer().all();
  EXPECT_EQ(observer().count("execution started"), 0u);
  EXPECT_EQ(cluster_.done, Lines{});
  EXPECT_EQ(caller_.operations(), Lines{});
  EXPECT_TRUE(outcome.runs.at(0).plan) << "the caller is shown what it did not accept";
}

TEST_F(StewardRepair, ItsCallerIsAskedWhatItDidNotAcceptBefore) {
  cluster_.ailing = {{1, kDamaged}};
  observer().answer = RecordingObserver::accept_all;
  const auto outcome = repair({.escrow = {.none = true}});
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(observer().count("asked:"), 1u);
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
  // What was accepted, and for which plan, is in the journal.
  const auto stored = caller_.caller().operations.read(outcome.runs.at(0).operation);
  ASSERT_TRUE(stored);
  const auto& accepted = stored->records.at(0).data["acceptances"].items();
  ASSERT_EQ(accepted.size(), 1u);
  EXPECT_TRUE(accepted[0].text().ends_with("@" + outcome.runs[0].hash.substr(0, 12))) << accepted[0].text();
}

TEST_F(StewardRepair, AnAnswerForAnotherPlanIsNone) {
  cluster_.ailing = {{1, kDamaged}};
  observer().answer = [](const operation::Plan& plan) { return Lines{plan.losses.at(0).acceptance + "@0123456789ab"}; };
  EXPECT_EQ(id_of(repair({.escrow = {.none = true}})), "operation.plan_changed");
  EXPECT_EQ(caller_.operations(), Lines{});
}

// A person said yes to one plan, not to whatever comes after it.
TEST_F(StewardRepair, AnAcceptedPlanIsNotMadeAgain) {
  cluster_.ailing = {{1, kDamaged}};
  observer().answer = RecordingObserver::accept_all;
  cluster_.on_observe = [&](int count) {
    if (count == 1) cluster_.ailing[2] = kStopped;
  };
  EXPECT_EQ(id_of(repair({.escrow = {.none = true}})), "operation.plan_changed");
  EXPECT_EQ(observer().count("plan:"), 1u);
  EXPECT_EQ(cluster_.done, Lines{});
}

TEST_F(StewardRepair, ARepositoryIsOpenedForAPlanThatStoresCopiesAndForNoOther) {
  int opened = 0;
  caller_.copies.open = [&, fails = caller_.copies.open] { return ++opened, fails(); };
  cluster_.ailing = {{1, kStopped}};
  EXPECT_EQ(id_of(repair({.escrow = {.repository = "R"}})), "ok");
  EXPECT_EQ(opened, 0);
  cluster_.ailing = {{1, kDamaged}};
  const auto outcome = repair({.escrow = {.repository = "R"}});
  EXPECT_EQ(id_of(outcome), "test.no_repository");
  EXPECT_EQ(opened, 1);
  EXPECT_EQ(outcome.runs.at(0).operation, "") << "started without a place for what it replaces";
  EXPECT_EQ(caller_.operations(), Lines{"repair done"}) << "of the first alone";
}

TEST_F(StewardRepair, AStopBeforeThePlanChangesNothing) {
  cluster_.ailing = {{1, kStopped}};
  cluster_.on_observe = [&](int) { caller_.stop.request_stop(); };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "cli.interrupted");
  EXPECT_TRUE(outcome.runs.empty());
  EXPECT_EQ(seen(), Lines{}) << "what was cut short is no observation";
}

TEST_F(StewardRepair, AStopInTheMiddleIsUndoneAndObserved) {
  cluster_.ailing = {{1, kStopped}};
  cluster_.on_step = [&](const operation::Step& step) {
    if (step.id == "prove-m1") caller_.stop.request_stop();
    return step.id == "prove-m1" ? Status(fail(ErrorClass::interrupted, "cli.interrupted", "interrupted")) : Status();
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "operation.interrupted");
  EXPECT_EQ(cluster_.undone, (Lines{"prove-m1", "start-m1"}));
  EXPECT_EQ(observer().count("after: not healthy"), 1u);
  EXPECT_EQ(seen().back(), "execution ended") << "the caller would go on ignoring signals";
  EXPECT_EQ(caller_.operations(), Lines{"repair undone"});
}

TEST_F(StewardRepair, AnotherOperationAtWorkKeepsItAway) {
  const auto lock = caller_.store()->acquire(
      {.cluster = operation::ClusterKey("shop/orders"), .operation = "another", .verb = "bootstrap"});
  ASSERT_TRUE(lock) << lock.error().to_string();
  cluster_.ailing = {{1, kStopped}};
  EXPECT_EQ(id_of(repair()), "operation.locked");
  EXPECT_EQ(cluster_.observations, 0) << "a half done operation was observed";
  EXPECT_EQ(id_of(repair({.dry_run = true})), "ok") << "looking is always possible";
}

TEST_F(StewardRepair, MembersThatCannotLogInAreRefusedBeforeAnythingBegins) {
  cluster_.ailing = {{1, test::kDetached}};
  cluster_.accounts.refused.emplace("m1", Error{ErrorClass::refused, "repair.replication_account", "refused", "", {}});
  EXPECT_EQ(id_of(repair({.member = "m1"})), "repair.replication_account");
  cluster_.accounts = {.unchecked = {"whether m1 can log in was not checked"}};
  const auto outcome = repair({.member = "m1", .dry_run = true});
  EXPECT_EQ(outcome.runs.at(0).warnings.at(0).message, "whether m1 can log in was not checked");
}

}  // namespace
}  // namespace holdfast::steward
