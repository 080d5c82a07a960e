#include "repair/further.h"

#include <gtest/gtest.h>

namespace holdfast::repair {
namespace {

using cluster::Action;
using cluster::Verdict;
using codec::Value;
using operation::Plan;

Plan plan_of(const std::vector<std::pair<std::string, std::string>>& steps, const std::string& donor = "m0") {
  Plan plan;
  for (const auto& [kind, member] : steps) {
    operation::Step step;
    step.kind = kind;
    step.member = member;
    if (kind == "make_side_copy") step.arguments = Value::object({{"donor", donor}});
    plan.steps.push_back(step);
  }
  return plan;
}

TEST(PlansTried, NothingIsBegunTwice) {
  PlansTried tried;
  const Plan first =
      plan_of({{"start_server", "m2"}, {"prove_member", "m2"}, {"stop_server", "m1"}, {"make_side_copy", "m1"}});
  EXPECT_TRUE(tried.is_new(first));
  tried.add(first);
  EXPECT_EQ(tried.count(), 1u);
  EXPECT_FALSE(tried.is_new(first));
  // The one that failed, again, now that the other is well.
  EXPECT_FALSE(tried.is_new(plan_of({{"stop_server", "m1"}, {"make_side_copy", "m1"}, {"prove_member", "m1"}})));
  EXPECT_FALSE(tried.is_new(plan_of({{"prove_member", "m0"}}))) << "it only waits";
  EXPECT_FALSE(tried.is_new(Plan{}));
  EXPECT_TRUE(tried.is_new(plan_of({{"stop_server", "m1"}, {"make_side_copy", "m1"}}, "m2"))) << "another donor";
  EXPECT_TRUE(tried.is_new(plan_of({{"make_side_copy", "m2"}}))) << "another member";
  EXPECT_TRUE(tried.is_new(plan_of({{"start_server", "m2"}, {"resume_replication", "m2"}})));
}

/// Three members; m0 takes writes, m1 is damaged.
cluster::TriageReport damaged() {
  cluster::TriageReport report;
  report.cluster.name = ClusterName("orders");
  report.cluster.engine = cluster::Engine::mariadb;
  report.leader = "m0";
  report.authority.kind = cluster::AuthorityKind::provable;
  report.authority.member = MemberName("m0");
  for (int i = 0; i < 3; ++i) {
    cluster::Member described;
    described.name = MemberName("m" + std::to_string(i));
    described.ordinal = i;
    report.cluster.members.push_back(described);
    cluster::MemberReport m;
    m.facts.member = described.name;
    m.facts.reach = cluster::Reach::reachable;
    m.facts.role = m.facts.runtime.role_wanted = i == 0 ? cluster::MemberRole::primary : cluster::MemberRole::replica;
    report.members.push_back(m);
  }
  report.members[1].verdict = Verdict::broken;
  report.members[1].action = Action::rebuild;
  return report;
}

TEST(StandsWithoutAName, WhatIsDoneToTheNamedMemberInAnyCase) {
  const auto report = damaged();
  const Request named{.ordinal = 1, .has_repository = true};
  const auto proposal = plan_repair(report, named);
  ASSERT_TRUE(proposal) << proposal.error().to_string();
  ASSERT_FALSE(proposal->plan.steps.empty());
  EXPECT_TRUE(stands_without_a_name(report, named, proposal->plan));
}

TEST(StandsWithoutAName, NotWhatAPersonHasToChoose) {
  const Request named{.ordinal = 1, .has_repository = true};
  auto report = damaged();
  const auto proposal = plan_repair(report, named);
  ASSERT_TRUE(proposal);
  report.authority.kind = cluster::AuthorityKind::diverged;
  EXPECT_FALSE(stands_without_a_name(report, named, proposal->plan)) << "which one to keep was not asked of this state";
  report = damaged();
  report.members[2].verdict = Verdict::broken;
  report.members[2].action = Action::rebuild;
  const auto other = plan_repair(report, {.ordinal = 2, .has_repository = true});
  ASSERT_TRUE(other);
  EXPECT_FALSE(stands_without_a_name(report, {.ordinal = 2, .has_repository = true}, other->plan))
      << "without a name it is not this one's turn";
}

}  // namespace
}  // namespace holdfast::repair
