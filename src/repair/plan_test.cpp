#include "repair/plan.h"
#include "repair/world.h"

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
    m.facts.role = m.facts.runtime.role_wanted = i == 0 ? MemberRole::primary : MemberRole::replica;
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
  report.members[1].facts.runtime.leftovers = {{Kind::replaced, "/m1/data.replaced-1"}};
  EXPECT_EQ(steps(plan_repair(report, {})), "");
  report.members[1].facts.runtime.leftovers.push_back({Kind::half_made, "/m1/data.new"});
  report.members[2].facts.runtime.work = "initialise (copy)";
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
  EXPECT_EQ(steps(plan_repair(report, {})), "slot-m1 prove-m1");

  report = healthy();
  diagnose(report, 1, "replica-silent", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "reconnect-m1 prove-m1");
  report = healthy(Engine::postgres);  // nothing but a restart makes a walreceiver connect anew
  diagnose(report, 1, "replica-silent", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "start-m1 prove-m1");

  report = healthy();
  diagnose(report, 0, "semi-sync-off", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "semi-sync-m0 prove-m0");
}

// MariaDB deletes relay logs when the threads start: what only they have is applied first, and a copy is kept.
TEST(RepairPlan, AStartNeverDestroysWhatOnlyRelayLogsHold) {
  auto report = healthy();
  report.leader.clear();
  diagnose(report, 1, "server-crashed", Verdict::stopped, Action::restart);
  diagnose(report, 1, "relay-log-only-copy", Verdict::stopped, Action::restart);
  auto& facts = report.members[1].facts;
  facts.reach = cluster::Reach::unreachable;
  facts.stored.emplace();
  facts.stored->received = "0-1-9";
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "repair.no_repository");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1, .has_repository = true})), "escrow-m1 apply-m1 start-m1 prove-m1");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1, .no_escrow = true})), "apply-m1 start-m1 prove-m1");

  // All are down: the primary, whose log has it, is started first, and then nothing is lost by a plain start.
  auto all_down = report;
  all_down.authority.kind = cluster::AuthorityKind::provable;
  all_down.authority.member = all_down.members[0].facts.member;
  diagnose(all_down, 0, "server-crashed", Verdict::stopped, Action::restart);
  auto& primary = all_down.members[0].facts;
  primary.reach = cluster::Reach::unreachable;
  for (int i : {0, 1}) all_down.members[i].facts.runtime.state = "failed";
  primary.stored.emplace();
  primary.stored->data = cluster::StoredFacts::Data::present;
  all_down.members[1].facts.stored->data = cluster::StoredFacts::Data::present;
  all_down.members[1].facts.stored->position = "0-1-5";
  primary.stored->position = "0-1-9";
  EXPECT_EQ(steps(plan_repair(all_down, {})), "start-m0 prove-m0 start-m1 prove-m1");
  EXPECT_EQ(steps(plan_repair(all_down, {.ordinal = 1})), "repair.no_repository");
  primary.stored->position = "0-1-8";
  EXPECT_EQ(steps(plan_repair(all_down, {.has_repository = true})),
            "start-m0 prove-m0 escrow-m1 apply-m1 start-m1 prove-m1");

  report.diagnoses.pop_back();
  facts.stored->received.clear();
  facts.stored->received_unknown = "relay.000001 cannot be read";
  EXPECT_EQ(steps(plan_repair(report, {.has_repository = true})), "repair.target_unknown");
  const auto proposal = plan_repair(report, {.ordinal = 1, .has_repository = true});
  ASSERT_EQ(steps(proposal), "escrow-m1 start-m1 prove-m1");
  ASSERT_EQ(proposal->plan.losses.size(), 1u);
  EXPECT_EQ(proposal->plan.losses[0].acceptance, "discard-unknown:m1");
}

TEST(RepairPlan, SemiSyncThatFellBackDoesNotWaitForAWrite) {
  auto report = healthy();
  diagnose(report, 0, "semi-sync-off", Verdict::broken, Action::resume);
  report.members[0].facts.semi_sync.source_enabled = true;
  diagnose(report, 1, "replica-thread-stopped", Verdict::stopped, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "resume-m1 prove-m1 semi-sync-m0 prove-m0");
}

TEST(RepairPlan, NothingIsBegunForAMemberWhoseAccountIsRefused) {
  auto report = healthy();
  diagnose(report, 1, "server-crashed", Verdict::stopped, Action::restart);
  report.members[1].facts.reach = cluster::Reach::unreachable;
  diagnose(report, 2, "data-missing", Verdict::empty, Action::rebuild);
  Request request;
  request.refused_accounts["m2"] = Error{ErrorClass::refused, "repair.replication_account", "no", "hint", {}};
  EXPECT_EQ(steps(plan_repair(report, request)), "start-m1 prove-m1");
  request.ordinal = 2;
  EXPECT_EQ(steps(plan_repair(report, request)), "repair.replication_account");
}

TEST(RepairPlan, TheOnlyUnknownMemberIsMadeAnewWhenNamed) {
  auto report = healthy();
  diagnose(report, 1, "data-damaged", Verdict::broken, Action::rebuild);
  report.members[1].facts.reach = cluster::Reach::unreachable;
  report.members[1].facts.agent.answers = true;
  report.members[0].facts.read_only = false;
  report.authority.kind = AuthorityKind::undeterminable;
  report.authority.blockers = {MemberName("m1")};
  EXPECT_EQ(steps(plan_repair(report, {.has_repository = true})), "repair.undeterminable");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "repair.undeterminable");
  auto named = plan_repair(report, {.ordinal = 1, .has_repository = true});
  ASSERT_TRUE(named) << named.error().to_string();
  ASSERT_EQ(named->plan.losses.size(), 1u);
  EXPECT_EQ(named->plan.losses[0].acceptance, "discard-diverged:m1");
  report.authority.blockers.push_back(MemberName("m2"));
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1, .has_repository = true})), "repair.undeterminable");
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
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.no_repository") << "only a replica wrote: the primary stays";
  diagnose(report, 1, "histories-diverged", Verdict::diverged, Action::rebuild);
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
  EXPECT_EQ(steps(proposal),
            "dump-m0 dump-m1 dump-m2 stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1");
  ASSERT_TRUE(proposal);
  EXPECT_NE(proposal->plan.find("dump-m2")->title.find("shop/orders/2-mysqldump.sql"), std::string::npos);
  EXPECT_FALSE(proposal->plan.find("dump-m1")->arguments["needed"].boolean()) << "its data directory is copied too";
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  ASSERT_EQ(proposal->plan.losses.size(), 1u);
  EXPECT_EQ(proposal->plan.losses[0].acceptance, "discard-diverged:m1");
  EXPECT_EQ(proposal->plan.find("copy-m1")->arguments["donor"].text(), "m2") << "not the primary";

  proposal = plan_repair(report, {.ordinal = 1, .no_escrow = true});
  EXPECT_EQ(steps(proposal), "stop-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1") << "the old directory stays";
  ASSERT_EQ(proposal->plan.losses.size(), 2u);
  EXPECT_EQ(proposal->plan.losses[1].acceptance, "no-escrow:m1");
  EXPECT_TRUE(operation::check_plan(proposal->plan));

  report.members[2].verdict = Verdict::broken;
  report.members[0].verdict = Verdict::broken;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1, .has_repository = true})), "repair.no_donor");
}

TEST(RepairPlan, WithoutDivergenceNothingIsDumped) {
  auto report = healthy();
  diagnose(report, 1, "replica-log-purged", Verdict::stale, Action::rebuild);
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1, .has_repository = true})),
            "stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1");
}

TEST(RepairPlan, AMemberThatGivesNoDumpIsToldAndOneWithHistoryOfItsOwnIsCopiedOrStopsTheRepair) {
  auto report = healthy();
  MemberReport donor = report.members[2];
  donor.facts.member = MemberName("m3");
  report.members.push_back(donor);
  cluster::Member described;
  described.name = MemberName("m3");
  described.ordinal = 3;
  report.cluster.members.push_back(described);
  diagnose(report, 1, "histories-diverged", Verdict::diverged, Action::rebuild);
  diagnose(report, 2, "server-stopped", Verdict::stopped, Action::restart);
  auto& down = report.members[2];
  down.facts.reach = cluster::Reach::unreachable;
  const Request request{.ordinal = 1, .has_repository = true};
  const std::string rebuild = " stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1";

  auto proposal = plan_repair(report, request);
  EXPECT_EQ(steps(proposal), "dump-m0 dump-m1 dump-m3" + rebuild);
  ASSERT_TRUE(proposal);
  ASSERT_EQ(proposal->remarks.size(), 1u);
  EXPECT_NE(proposal->remarks[0].find("m2"), std::string::npos);

  down.verdict = Verdict::diverged;
  EXPECT_EQ(steps(plan_repair(report, request)), "repair.cannot_keep");
  auto untargeted = report;
  untargeted.members[2].action = Action::nothing;
  EXPECT_EQ(steps(plan_repair(untargeted, {.has_repository = true})), "repair.needs_operator")
      << "no steps may be left of a member that is refused";

  down.facts.agent.answers = true;
  down.facts.stored.emplace().data = cluster::StoredFacts::Data::present;
  EXPECT_EQ(steps(plan_repair(report, request)), "dump-m0 dump-m1 escrow-m2 dump-m3" + rebuild);
  down.facts.runtime.pid = 4711;
  EXPECT_EQ(steps(plan_repair(report, request)), "repair.cannot_keep") << "a server that runs writes its files";

  // The others, with the victim stopped.
  down.facts.runtime.pid = -1;
  report.members[1].facts.reach = cluster::Reach::unreachable;
  report.members[3].errant.transactions = "0-4-1";
  proposal = plan_repair(report, request);
  EXPECT_EQ(steps(proposal), "dump-m0 escrow-m2 dump-m3 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1");
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  EXPECT_TRUE(proposal->plan.find("dump-m3")->arguments["needed"].boolean());
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

TEST(RepairPlan, ThatAReplicaWithItsOwnLagsOrNotIsTheSameWorld) {
  auto level = healthy();
  level.authority.kind = AuthorityKind::leader_not_primary;
  level.authority.member = MemberName("m1");
  auto lagging = level;
  lagging.authority.kind = AuthorityKind::diverged;
  lagging.authority.member.reset();
  EXPECT_EQ(codec::to_json(world_of(level)), codec::to_json(world_of(lagging)));
  EXPECT_NE(codec::to_json(world_of(level)), codec::to_json(world_of(healthy())));
}

TEST(RepairPlan, OneThatNeedsAPersonDoesNotKeepOthersFromBeingHealed) {
  auto report = healthy();
  diagnose(report, 1, "replica-thread-stopped", Verdict::stopped, Action::resume);
  diagnose(report, 2, "disk-full", Verdict::broken, Action::nothing);
  auto proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "resume-m1 prove-m1");
  EXPECT_EQ(proposal->skipped.size(), 2u);
}

TEST(RepairPlan, OneThatCannotBeMadeAnewDoesNotKeepAnotherFromIt) {
  auto report = healthy();
  diagnose(report, 1, "data-missing", Verdict::empty, Action::rebuild);
  diagnose(report, 2, "data-missing", Verdict::empty, Action::rebuild);
  auto proposal = plan_repair(report, {});
  ASSERT_TRUE(proposal);
  EXPECT_NE(proposal->plan.find("copy-m1"), nullptr);
  EXPECT_EQ(proposal->plan.find("copy-m2"), nullptr) << "one at a time";
  report.members[1].facts.agent.answers = false;
  proposal = plan_repair(report, {});
  ASSERT_TRUE(proposal);
  EXPECT_EQ(proposal->plan.find("copy-m1"), nullptr);
  EXPECT_NE(proposal->plan.find("copy-m2"), nullptr);
}

/// m1 takes writes of its own beside m0; what each has is told by its gtid_binlog_state.
TriageReport two_writers(const char* of_m0, const char* of_m1) {
  auto report = healthy();
  report.leader.clear();
  report.healthy = false;
  const char* states[] = {of_m0, of_m1, of_m0};
  for (size_t i = 0; i < 3; ++i) {
    auto& facts = report.members[i].facts;
    facts.executed = states[i];
    facts.read_only = i == 2;
    facts.role = i == 2 ? MemberRole::replica : MemberRole::primary;
  }
  diagnose(report, 1, "several-writers", Verdict::diverged, Action::nothing);
  report.authority.kind = AuthorityKind::diverged;
  report.authority.member.reset();
  return report;
}

TEST(RepairPlan, OfTwoWritersTheOneThatIsNamedGivesWay) {
  const auto report = two_writers("0-1-7", "0-1-5,0-2-6");
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.split_brain");
  auto proposal = plan_repair(report, {.ordinal = 1, .has_repository = true});
  EXPECT_EQ(steps(proposal),
            "close-m1 dump-m0 dump-m1 dump-m2 stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1");
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  EXPECT_EQ(proposal->plan.find("try-m1")->arguments["source"].text(), "m0");
  EXPECT_EQ(proposal->plan.find("copy-m1")->arguments["donor"].text(), "m2");
  ASSERT_EQ(proposal->plan.losses.size(), 1u);
  EXPECT_EQ(proposal->plan.losses[0].acceptance, "discard-diverged:m1");

  // The other way round: m2 has what m0 wrote, a copy of it would bring that back.
  proposal = plan_repair(report, {.ordinal = 0, .has_repository = true});
  ASSERT_TRUE(proposal) << proposal.error().to_string();
  EXPECT_EQ(steps(proposal),
            "close-m0 dump-m0 dump-m1 dump-m2 stop-m0 escrow-m0 configure-m0 copy-m0 try-m0 swap-m0 start-m0 prove-m0 "
            "drop-m0");
  EXPECT_EQ(proposal->plan.find("copy-m0")->arguments["donor"].text(), "m1");
}

TEST(RepairPlan, ASecondWriterWithNothingOfItsOwnIsClosedAndFollows) {
  auto report = two_writers("0-1-7", "0-1-5");
  report.authority.kind = AuthorityKind::provable;
  report.authority.member = MemberName("m0");
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.split_brain");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.target_is_primary");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "close-m1 follow-m1 prove-m1");
  report.members[1].facts.runtime.role_wanted = MemberRole::primary;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 1})), "close-m1 configure-m1 follow-m1 prove-m1");
  report.authority.kind = AuthorityKind::undeterminable;
  EXPECT_FALSE(plan_repair(report, {.ordinal = 1}));
}

/// m1 was promoted, its agent was not told; m0, the former primary, is down.
TriageReport promoted_by_hand(const char* of_m0) {
  auto report = healthy();
  report.leader = "m1";
  report.authority.member = MemberName("m1");
  report.members[1].facts.role = MemberRole::primary;
  cluster::Diagnosis told;
  told.id = "replica-detached";
  told.members = {MemberName("m1")};
  report.diagnoses.push_back(told);
  for (size_t i : {1, 2}) report.members[i].facts.executed = "0-1-7,0-2-9";
  auto& facts = report.members[0].facts;
  facts.reach = cluster::Reach::unreachable;
  facts.agent.answers = true;
  facts.runtime.state = "failed";
  facts.stored.emplace();
  facts.stored->data = cluster::StoredFacts::Data::present;
  facts.stored->position = of_m0;
  diagnose(report, 0, "server-crashed", Verdict::stopped, Action::restart);
  return report;
}

TEST(RepairPlan, AFormerPrimaryWithNothingOfItsOwnBecomesAReplicaAndAgentsLearnWhoLeads) {
  auto proposal = plan_repair(promoted_by_hand("0-1-7"), {});
  EXPECT_EQ(steps(proposal), "configure-m0 start-m0 follow-m0 prove-m0 configure-m1");
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  EXPECT_EQ(proposal->plan.find("configure-m0")->arguments["source"].text(), "m1");
  EXPECT_EQ(proposal->plan.find("configure-m1")->arguments["source"].text(), "");
  // One more than m1 knows of m0's.
  EXPECT_EQ(steps(plan_repair(promoted_by_hand("0-1-8"), {})), "repair.split_brain");
}

TEST(RepairPlan, ThePromotedOneFollowsNobodyAndTheOthersFollowIt) {
  auto report = promoted_by_hand("0-1-7");
  auto& old = report.members[0];
  old.verdict = Verdict::empty;
  old.action = Action::rebuild;
  old.facts.stored->data = cluster::StoredFacts::Data::missing;
  diagnose(report, 1, "semi-sync-off", Verdict::broken, Action::resume);
  for (int i = 0; i < 3; ++i) report.cluster.members[static_cast<size_t>(i)].port = 3306 + i;
  report.members[2].facts.following = {{.upstream = "127.0.0.1:3306"}};
  diagnose(report, 2, "replica-source-unreachable", Verdict::broken, Action::nothing);
  const auto proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "semi-sync-m1 prove-m1 follow-m2 prove-m2");
  ASSERT_TRUE(proposal);
  EXPECT_EQ(proposal->plan.find("follow-m2")->arguments["source"].text(), "m1");
  // What m2 alone has would be on no primary any more.
  auto ahead = report;
  ahead.members[2].facts.executed = "0-1-7,0-2-9,0-3-1";
  EXPECT_EQ(steps(plan_repair(ahead, {.ordinal = 2})), "repair.undeterminable");
  auto unsure = report;
  unsure.authority.kind = AuthorityKind::undeterminable;
  EXPECT_EQ(steps(plan_repair(unsure, {.ordinal = 2})), "repair.needs_operator") << "m0 may be alive elsewhere";
  // Of a chain, whoever stands between is repaired, and passed over only when it is lost.
  report.members[0].facts.runtime.role_wanted = MemberRole::replica;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 2})), "follow-m2 prove-m2");
  old.action = Action::restart;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 2})), "repair.needs_operator");
}

TEST(RepairPlan, ATailIsCutByTheServerWhereSemiSyncHeldIt) {
  auto report = promoted_by_hand("0-1-8");
  report.cluster.replication = cluster::ReplicationMode::semi_sync;
  diagnose(report, 0, "errant-transactions", Verdict::diverged, Action::rebuild);
  auto proposal = plan_repair(report, {.ordinal = 0, .has_repository = true});
  EXPECT_EQ(steps(proposal),
            "dump-m1 dump-m2 escrow-m0 configure-m0 cut-m0 copy-m0 try-m0 swap-m0 start-m0 prove-m0 drop-m0");
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  EXPECT_EQ(proposal->plan.find("copy-m0")->arguments["unless"].text(), "cut-m0");
  ASSERT_EQ(proposal->plan.losses.size(), 1u);
  // Without a copy nothing is cut; a clean stop leaves nothing to cut.
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0, .no_escrow = true})),
            "configure-m0 copy-m0 try-m0 swap-m0 start-m0 prove-m0");
  report.members[0].facts.runtime.state = "stopped";
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0, .has_repository = true})),
            "dump-m1 dump-m2 escrow-m0 configure-m0 copy-m0 try-m0 swap-m0 start-m0 prove-m0 drop-m0");
}

TEST(RepairPlan, ThePrimaryIsHealedAfterTheReplicasItWaitsFor) {
  auto report = healthy();
  report.members[0].facts.semi_sync.source_enabled = true;
  diagnose(report, 0, "semi-sync-off", Verdict::broken, Action::resume);
  diagnose(report, 1, "replica-thread-stopped", Verdict::stopped, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "resume-m1 prove-m1 semi-sync-m0 prove-m0");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.needs_operator");
  report.members[0].facts.semi_sync.source_enabled = false;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "semi-sync-m0 prove-m0");
}

TEST(RepairPlan, WhatAReplicaWaitsForIsNamed) {
  auto report = healthy();
  report.leader.clear();
  for (int i = 0; i < 3; ++i) report.cluster.members[static_cast<size_t>(i)].port = 3306 + i;
  report.members[0].facts.reach = cluster::Reach::unreachable;
  diagnose(report, 0, "server-crashed", Verdict::stopped, Action::restart);
  for (size_t i : {1, 2}) {
    cluster::Following follow;
    follow.upstream = "127.0.0.1:3306";
    report.members[i].facts.following.push_back(follow);
    diagnose(report, i, "replica-source-unreachable", Verdict::broken, Action::nothing);
  }
  auto refused = plan_repair(report, {.ordinal = 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().id, "repair.needs_operator");
  EXPECT_EQ(refused.error().hint, "holdfast repair -c shop/orders -i 0");
  EXPECT_EQ(steps(plan_repair(report, {})), "start-m0 prove-m0 prove-m1 prove-m2");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "start-m0 prove-m0 prove-m1 prove-m2");

  const auto proposal = plan_repair(report, {});
  EXPECT_FALSE(proposal->plan.find("prove-m0")->arguments["tell"].boolean());
  EXPECT_TRUE(proposal->plan.find("prove-m1")->arguments["tell"].boolean())
      << "m0 would be stopped again because of m1";

  // What else is wrong with one does not keep its source from being started.
  auto also = report;
  diagnose(also, 1, "replica-apply-error", Verdict::broken, Action::rebuild);
  EXPECT_EQ(steps(plan_repair(also, {.has_repository = true})), "start-m0 prove-m0 prove-m2");

  report.members[0].facts.agent.answers = false;
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.needs_operator");
}

TEST(RepairPlan, AReplicaThatLoggedAStatementAndDidNotNoteItGoesOnBehindItsLog) {
  auto report = healthy();
  diagnose(report, 1, "replica-apply-error", Verdict::broken, Action::resume);
  auto& m = report.members[1];
  m.facts.version = "10.11.6-MariaDB";
  m.facts.executed = "0-1-37";
  report.members[0].facts.executed = "0-1-40";
  cluster::Following follow;
  follow.apply_errno = 1950;
  const auto refused = [](const char* gtid) {
    return std::string(
               "An attempt was made to binlog GTID 0-1-37 which would create an out-of-order sequence number "
               "with existing GTID ") +
           gtid + ", and gtid strict mode is enabled";
  };
  follow.apply_error = refused("0-1-37");
  m.facts.following.push_back(follow);
  cluster::Errant& unnoted = m.facts.unnoted.emplace();
  unnoted.transactions = "0-1-37";
  unnoted.exact = unnoted.looked_at = true;
  unnoted.classes[cluster::ErrantClass::ddl].count = 1;
  const Request one{.ordinal = 1, .has_repository = true};
  const std::string rebuilt = "stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1";
  EXPECT_EQ(steps(plan_repair(report, one)), "go-on-m1 prove-m1");
  auto own = report;
  own.members[1].facts.following[0].apply_error = refused("0-2-37");
  EXPECT_EQ(steps(plan_repair(own, one)), rebuilt) << "the number is taken by one of its own";
  own = report;
  own.members[1].facts.executed = "0-1-36,0-2-37";
  EXPECT_NE(steps(plan_repair(own, one)), "go-on-m1 prove-m1") << "its source lacks a part of its log";
  own = report;
  own.members[1].facts.unnoted->classes[cluster::ErrantClass::user_data].count = 1;
  EXPECT_EQ(steps(plan_repair(own, one)), rebuilt)
      << "rows are noted with their commit: its data is older than its log";
  own = report;
  own.members[1].facts.version = "10.5.29-MariaDB";
  EXPECT_EQ(steps(plan_repair(own, one)), rebuilt) << "what is logged there need not be done";
}

TEST(RepairPlan, WhatIsNoMatterOfDataNeedsNoCopy) {
  auto report = healthy();
  cluster::Following follow;
  follow.apply_errno = 1205;
  report.members[1].facts.following = {follow};
  diagnose(report, 1, "replica-apply-error", Verdict::broken, Action::resume);
  auto proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "resume-m1 prove-m1");
  EXPECT_TRUE(proposal->plan.find("resume-m1")->arguments["level"].boolean());

  report.members[1].facts.following[0].apply_errno = 1594;
  proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "follow-m1 prove-m1");
  EXPECT_TRUE(proposal->plan.find("follow-m1")->arguments["renew"].boolean());
  // What it has received is fetched again: only from one that has it.
  report.members[1].facts.received = "0-1-9";
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.undeterminable");

  report = healthy();
  diagnose(report, 2, "replica-access-denied", Verdict::broken, Action::resume);
  EXPECT_EQ(steps(plan_repair(report, {})), "follow-m2 prove-m2");
}

TEST(RepairPlan, ALonePrimaryIsTheDonorAndNobodyIsMadeAnewWithoutOne) {
  auto report = healthy();
  report.members[0].facts.semi_sync.source_enabled = true;
  diagnose(report, 0, "semi-sync-off", Verdict::broken, Action::resume);
  for (size_t i : {1, 2}) {
    report.members[i].facts.reach = cluster::Reach::unreachable;
    diagnose(report, i, "data-missing", Verdict::empty, Action::rebuild);
  }
  auto proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "copy-m1 try-m1 swap-m1 start-m1 prove-m1 semi-sync-m0 prove-m0");
  ASSERT_TRUE(proposal);
  EXPECT_EQ(proposal->plan.find("copy-m1")->arguments["donor"].text(), "m0");

  report = healthy();
  report.leader.clear();
  report.authority.member = MemberName("m1");
  report.members[0].facts.reach = cluster::Reach::unreachable;
  report.authority.kind = AuthorityKind::leader_not_primary;
  report.authority.member = MemberName("m1");
  diagnose(report, 0, "data-missing", Verdict::empty, Action::rebuild);
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.no_donor");
}

TEST(RepairPlan, RelayLogsAreFetchedAgainOnlyWhereTheSourceStillHasThem) {
  const std::string uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  auto damaged = [&](const std::string& purged) {
    TriageReport report = healthy(Engine::mysql);
    for (int i = 0; i < 3; ++i) {
      report.cluster.members[i].host = "db" + std::to_string(i);
      report.cluster.members[i].port = 3306;
      report.members[i].facts.executed = uuid + ":1-20";
    }
    report.members[0].facts.purged = purged;
    cluster::Following stream;
    stream.upstream = "db0:3306";
    stream.uses_gtid = true;
    report.members[1].facts.following = {stream};
    report.members[1].facts.executed = uuid + ":1-9";
    report.members[1].facts.received = uuid + ":5-20";
    diagnose(report, 1, "replica-relay-log-damaged", Verdict::broken, Action::resume);
    return report;
  };
  TriageReport report = damaged(uuid + ":1-9");
  EXPECT_EQ(steps(plan_repair(report, {})), "fetch-m1 prove-m1");
  report.members[1].facts.following[0].uses_gtid = false;
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.no_repository");
  report = damaged(uuid + ":1-9");
  report.members[1].facts.following[0].upstream = "db2:3306";
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.no_repository");
  report = damaged(uuid + ":1-10");
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.no_repository");
  const auto plan = plan_repair(report, {.ordinal = {}, .has_repository = true});
  ASSERT_TRUE(plan);
  EXPECT_NE(plan->plan.find("copy-m1"), nullptr);
}

}  // namespace
}  // namespace holdfast::repair
