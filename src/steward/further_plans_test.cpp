// What a repair does behind its first plan: continues with what is new, never without end, and not after a stop.
#include "steward/further_plans.h"

#include <gtest/gtest.h>

#include "tests/support/fake_cluster.h"

namespace holdfast::steward {
namespace {

using test::Ailment;
using test::FakeCaller;
using test::FakeCluster;
using test::kDamaged;
using test::kDetached;
using test::kStopped;
using test::kThreadsStopped;

using Lines = std::vector<std::string>;

class FurtherPlans : public testing::Test {
 protected:
  /// When an operation has ended well, the next of these is found.
  void then(std::vector<std::map<int, Ailment>> next) {
    caller_.observer.on_line = [this, next, at = size_t{0}](const std::string& line) mutable {
      if (line == "done" && at < next.size()) cluster_.ailing = next[at++];
    };
  }
  Outcome repair(const RepairRequest& request = {}) { return repair_cluster(cluster_, request, caller_.caller()); }
  static std::string id_of(const Outcome& outcome) { return outcome.status ? "ok" : outcome.status.error().id; }
  Lines plans() const {
    Lines plans;
    for (const auto& plan : caller_.observer.plans) plans.push_back(test::RecordingObserver::ids_of(plan));
    return plans;
  }

  FakeCluster cluster_;
  FakeCaller caller_;
};

TEST_F(FurtherPlans, WhatIsFoundBehindTheFirstPlanIsRepairedToo) {
  cluster_.ailing = {{1, kStopped}};
  then({{{1, kThreadsStopped}}});
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(plans(), (Lines{" start-m1 prove-m1", " resume-m1 prove-m1"}));
  ASSERT_EQ(outcome.runs.size(), 2u);
  EXPECT_FALSE(outcome.runs[0].further);
  EXPECT_TRUE(outcome.runs[1].further);
  EXPECT_NE(outcome.runs[0].operation, outcome.runs[1].operation);
  EXPECT_FALSE(outcome.runs[0].after->healthy);
  EXPECT_TRUE(outcome.runs[1].after->healthy);
  EXPECT_EQ(caller_.observer.count("further plan:"), 1u);
  EXPECT_EQ(caller_.observer.count("execution started"), caller_.observer.count("execution ended"));
}

TEST_F(FurtherPlans, AreBounded) {
  cluster_.ailing = {{1, kStopped}};
  // Each of them is new: nothing but their number ends it.
  then({{{2, kStopped}}, {{1, kThreadsStopped}}, {{2, kThreadsStopped}}, {{1, kDetached}}, {{2, kDetached}}});
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "repair.partial");
  EXPECT_EQ(plans().size(), 5u) << "three members, and two plans more";
  EXPECT_EQ(caller_.operations(), Lines(5, "repair done"));
  EXPECT_EQ(cluster_.ailing.count(2), 1u) << "the sixth was done as well";
}

TEST_F(FurtherPlans, NothingIsDoneTwice) {
  cluster_.ailing = {{1, kStopped}};
  then(std::vector<std::map<int, Ailment>>(10, {{1, kStopped}}));
  EXPECT_EQ(id_of(repair()), "repair.partial");
  EXPECT_EQ(plans(), Lines{" start-m1 prove-m1"});
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
}

// The first plan is done, and stays done; nothing is started any more.
TEST_F(FurtherPlans, AStopBetweenTwoPlansStartsNoOther) {
  cluster_.ailing = {{1, kStopped}};
  then({{{1, kThreadsStopped}}});
  cluster_.on_observe = [&](int) {
    if (caller_.observer.count("after:") == 1) caller_.stop.request_stop();
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "cli.interrupted");
  EXPECT_EQ(outcome.status.error().error_class, ErrorClass::interrupted);
  EXPECT_NE(outcome.status.error().message.find("not healthy yet"), std::string::npos)
      << "what was done is not said: " << outcome.status.error().message;
  EXPECT_NE(outcome.status.error().hint, "");
  EXPECT_EQ(plans().size(), 1u) << "another plan was proposed";
  ASSERT_EQ(outcome.runs.size(), 1u);
  EXPECT_NE(outcome.runs[0].operation, "");
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
  EXPECT_EQ(cluster_.done, (Lines{"start-m1", "prove-m1"}));
  EXPECT_EQ(cluster_.undone, Lines{});
}

// The same, when the stop comes after the last observation and the executor is what notices it.
TEST_F(FurtherPlans, AStopBeforeTheNextPlanBeginsStartsNoOther) {
  cluster_.ailing = {{1, kStopped}};
  then({{{1, kThreadsStopped}}});
  const auto change = caller_.observer.on_line;
  caller_.observer.on_line = [&, change](const std::string& line) {
    change(line);
    if (line.starts_with("further plan:")) caller_.stop.request_stop();
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "operation.interrupted");
  EXPECT_EQ(outcome.runs.size(), 1u) << "a plan that never began is no part of it";
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
}

TEST_F(FurtherPlans, AFailedPlanIsUndoneAndAnotherMayStillHelp) {
  cluster_.ailing = {{1, kStopped}};
  cluster_.on_step = [&](const operation::Step& step) -> Status {
    if (step.id != "start-m1") return {};
    cluster_.ailing = {{1, kDetached}};
    return fail(ErrorClass::failed, "test.start", "it does not start");
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(caller_.operations(), (Lines{"repair failed", "repair done"}));
  EXPECT_EQ(caller_.observer.count("warning: operation.failed_undone"), 1u) << "why the first one failed is not said";
}

TEST_F(FurtherPlans, WhatIsLostWithOneIsAskedForInARepairOfItsOwn) {
  cluster_.ailing = {{1, kStopped}};
  then({{{1, kDamaged}}});
  const auto outcome = repair({.escrow = {.none = true}});
  EXPECT_EQ(id_of(outcome), "repair.partial");
  EXPECT_EQ(outcome.status.error().hint, "holdfast repair -c shop/orders --no-escrow --dry-run");
  EXPECT_EQ(caller_.operations(), Lines{"repair done"});
}

TEST_F(FurtherPlans, AClusterThatSettlesByItselfIsHealthy) {
  cluster_.ailing = {{1, kStopped}};
  then({{{1, kThreadsStopped}}});
  cluster_.on_observe = [&](int) {
    if (caller_.observer.count("after:") == 1) cluster_.ailing.clear();
  };
  const auto outcome = repair();
  EXPECT_EQ(id_of(outcome), "ok");
  EXPECT_EQ(caller_.observer.count("settled: healthy"), 1u);
  EXPECT_TRUE(outcome.runs.at(0).after->healthy);
}

TEST_F(FurtherPlans, ACallerThatAcceptedSomethingGetsNoFurtherQuestions) {
  cluster_.ailing = {{1, kDamaged}};
  then({{{2, kDamaged}}});
  caller_.observer.answer = test::RecordingObserver::accept_all;
  const auto outcome = repair({.escrow = {.none = true}});
  EXPECT_EQ(id_of(outcome), "repair.partial");
  EXPECT_EQ(caller_.observer.count("asked:"), 1u);
}

}  // namespace
}  // namespace holdfast::steward
