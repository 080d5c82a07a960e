#include "repair/plan.h"

#include <gtest/gtest.h>

#include "operation/plan.h"

namespace holdfast::repair {
namespace {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::Engine;
using cluster::MemberReport;
using cluster::MemberRole;
using cluster::TriageReport;
using cluster::Verdict;

/// Three members; m0 takes writes, all healthy.
TriageReport healthy(Engine engine = Engine::mariadb) {
  TriageReport report;
  report.cluster.name = ClusterName("orders");
  report.cluster.ns = "shop";
  report.cluster.engine = engine;
  report.leader = "m0";
  report.authority.kind = AuthorityKind::provable;
  report.authority.member = MemberName("m0");
  report.healthy = true;
  for (int i = 0; i < 3; ++i) {
    cluster::Member described;
    described.name = MemberName("m" + std::to_string(i));
    described.ordinal = i;
    report.cluster.members.push_back(described);
    MemberReport m;
    m.facts.member = described.name;
    m.facts.reach = cluster::Reach::reachable;
    m.facts.role = m.facts.role_wanted = i == 0 ? MemberRole::primary : MemberRole::replica;
    report.members.push_back(m);
  }
  return report;
}

void diagnose(TriageReport& report, size_t member, const char* id, Verdict verdict, Action action) {
  cluster::Diagnosis d;
  d.id = id;
  d.members = {report.members[member].facts.member};
  d.summary = "broken on purpose";
  report.diagnoses.push_back(d);
  auto& m = report.members[member];
  m.verdict = verdict;
  m.action = action;
  m.reasons.push_back(std::string(id) + ": broken on purpose");
  report.healthy = false;
}

std::string steps(const Result<Proposal>& proposal) {
  if (!proposal) return proposal.error().id;
  std::string text;
  for (const auto& step : proposal->plan.steps) text += (text.empty() ? "" : " ") + step.id;
  return text;
}

TEST(RepairPlan, RemovesWhatAKilledRepairLeftButNoOldDirectory) {
  using Kind = cluster::Leftover::Kind;
  auto report = healthy();
  report.members[1].facts.leftovers = {{Kind::replaced, "/m1/data.replaced-1"}};
  EXPECT_EQ(steps(plan_repair(report, {})), "");
  report.members[1].facts.leftovers.push_back({Kind::half_made, "/m1/data.new"});
  report.members[2].facts.agent_work = "initialise (copy)";
  EXPECT_EQ(steps(plan_repair(report, {})), "tidy-m1 tidy-m2");
}

TEST(RepairPlan, NothingToDo) {
  auto proposal = plan_repair(healthy(), {});
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(proposal->plan.steps.empty());
  EXPECT_EQ(proposal->skipped.size(), 3u);
}

TEST(RepairPlan, RungsByWhatIsWrong) {
  auto report = healthy();
  diagnose(report, 1, "replica-thread-stopped", Verdict::stopped, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "resume-m1 prove-m1");

  report = healthy();
  diagnose(report, 2, "replica-detached", Verdict::broken, Action::resume);
  diagnose(report, 2, "replica-writable", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 2})), "close-m2 follow-m2 prove-m2");

  report = healthy();
  diagnose(report, 1, "server-crashed", Verdict::stopped, Action::restart);
  report.members[1].facts.reach = cluster::Reach::unreachable;
  EXPECT_EQ(steps(plan_repair(report, {})), "start-m1 prove-m1");

  report = healthy(Engine::postgres);
  cluster::Following follow;
  follow.slot = "m1";
  report.members[1].facts.following.push_back(follow);
  diagnose(report, 1, "replica-slot-missing", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "slot-m1 start-m1 prove-m1");

  report = healthy();
  diagnose(report, 0, "semi-sync-off", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "semi-sync-m0 prove-m0");
}

TEST(RepairPlan, EveryPlanKeepsTheRulesOfPlans) {
  auto report = healthy();
  diagnose(report, 1, "server-crashed", Verdict::stopped, Action::restart);
  diagnose(report, 2, "replica-wrong-source", Verdict::broken, Action::resume);
  auto proposal = plan_repair(report, {});
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
}

TEST(RepairPlan, RefusesByName) {
  auto report = healthy();
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 7})), "repair.no_member");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.target_is_primary");

  diagnose(report, 1, "server-hung", Verdict::unknown, Action::nothing);
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "repair.target_unknown");

  report = healthy();
  diagnose(report, 1, "disk-full", Verdict::broken, Action::nothing);
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "repair.needs_operator");
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.needs_operator");

  report = healthy();
  report.authority.kind = AuthorityKind::diverged;
  diagnose(report, 1, "errant-transactions", Verdict::diverged, Action::rebuild);
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.split_brain");

  report = healthy();
  diagnose(report, 1, "replica-log-purged", Verdict::stale, Action::rebuild);
  report.authority.kind = AuthorityKind::undeterminable;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "repair.undeterminable");

  report = healthy();
  diagnose(report, 1, "replica-log-purged", Verdict::stale, Action::rebuild);
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "repair.no_repository");
}

TEST(RepairPlan, ARebuildKeepsACopyFirstAndProvesTheSuccessorBeforeItTakesThePlace) {
  auto report = healthy();
  diagnose(report, 1, "errant-transactions", Verdict::diverged, Action::rebuild);
  auto proposal = plan_repair(report, {.ordinal = 1, .has_repository = true});
  EXPECT_EQ(steps(proposal), "stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1");
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  ASSERT_EQ(proposal->plan.losses.size(), 1u);
  EXPECT_EQ(proposal->plan.losses[0].acceptance, "discard-diverged:m1");
  EXPECT_EQ(proposal->plan.find("copy-m1")->arguments["donor"].text(), "m2") << "not the one that takes writes";

  proposal = plan_repair(report, {.ordinal = 1, .no_escrow = true});
  EXPECT_EQ(steps(proposal), "stop-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1") << "the old directory stays";
  ASSERT_EQ(proposal->plan.losses.size(), 2u);
  EXPECT_EQ(proposal->plan.losses[1].acceptance, "no-escrow:m1");
  EXPECT_TRUE(operation::check_plan(proposal->plan));

  report.members[2].verdict = Verdict::broken;
  report.members[0].verdict = Verdict::broken;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1, .has_repository = true})), "repair.no_donor");
}

TEST(RepairPlan, ACrashedPrimaryIsStartedOnlyIfItHoldsEverythingAndNobodyElseWrites) {
  auto report = healthy();
  report.leader.clear();
  report.members[0].facts.reach = cluster::Reach::unreachable;
  diagnose(report, 0, "server-crashed", Verdict::stopped, Action::restart);
  EXPECT_EQ(steps(plan_repair(report, {})), "start-m0 prove-m0");
  report.authority.member = MemberName("m1");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.target_is_not_authority");
  report.authority.member = MemberName("m0");
  report.leader = "m1";
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.split_brain");
}

TEST(RepairPlan, OneThatNeedsAPersonDoesNotKeepOthersFromBeingHealed) {
  auto report = healthy();
  diagnose(report, 1, "replica-thread-stopped", Verdict::stopped, Action::resume);
  diagnose(report, 2, "disk-full", Verdict::broken, Action::nothing);
  auto proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "resume-m1 prove-m1");
  EXPECT_EQ(proposal->skipped.size(), 2u);
}

}  // namespace
}  // namespace holdfast::repair
