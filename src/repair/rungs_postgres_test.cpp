// The rungs only PostgreSQL has: what is proven decides between following, rewinding and copying.
#include "repair/rungs_postgres.h"

#include <gtest/gtest.h>

#include "operation/plan.h"

namespace holdfast::repair {
namespace {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::MemberReport;
using cluster::MemberRole;
using cluster::TriageReport;
using cluster::Verdict;

constexpr const char* kForked = "1\t0/5000000\tno recovery target specified\n";

/// pg-0 was the primary and is down; pg-1 was promoted at 0/5000000 and writes on timeline 2.
TriageReport promoted(const std::string& end_of_the_old_one, const std::string& oldest_wal = "0/1000000") {
  TriageReport report;
  report.cluster.name = ClusterName("orders");
  report.cluster.ns = "shop";
  report.cluster.engine = cluster::Engine::postgres;
  report.leader = "pg-1";
  for (int i = 0; i < 2; ++i) {
    cluster::Member described;
    described.name = MemberName("pg-" + std::to_string(i));
    described.ordinal = i;
    described.host = "127.0.0.1";
    described.port = 5000 + i;
    report.cluster.members.push_back(described);
    MemberReport m;
    m.facts.member = described.name;
    m.facts.lineage = "77";
    m.facts.agent.answers = true;
    report.members.push_back(m);
  }
  auto& old = report.members[0];
  old.verdict = Verdict::stale;
  old.action = Action::rewind;
  old.facts.runtime.role_wanted = MemberRole::primary;
  old.facts.runtime.state = "failed";
  cluster::StoredFacts stored;
  stored.data = cluster::StoredFacts::Data::present;
  stored.lineage = "77";
  stored.timeline = 1;
  stored.position = end_of_the_old_one;
  stored.cluster_state = "in production";
  old.facts.stored = stored;
  auto& now = report.members[1].facts;
  now.reach = cluster::Reach::reachable;
  now.role = now.runtime.role_wanted = MemberRole::primary;
  now.read_only = false;
  now.timeline = 2;
  now.history = kForked;
  now.executed = "0/6000000";
  now.postgres.oldest_wal = oldest_wal;
  now.postgres.slots.emplace();
  report.authority.kind = AuthorityKind::provable;
  report.authority.member = MemberName("pg-1");
  return report;
}

void diagnose(TriageReport& report, size_t member, const char* id) {
  cluster::Diagnosis d;
  d.id = id;
  d.members = {report.members[member].facts.member};
  report.diagnoses.push_back(d);
}

std::string steps(const Result<Proposal>& proposal) {
  if (!proposal) return proposal.error().id;
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  std::string text;
  for (const auto& step : proposal->plan.steps) text += (text.empty() ? "" : " ") + step.id;
  for (const auto& loss : proposal->plan.losses) text += " !" + loss.acceptance;
  return text;
}

const Request kKept{.ordinal = {}, .has_repository = true, .no_escrow = false};
const Request kFirst{.ordinal = 0, .has_repository = true, .no_escrow = false};
const Request kSecond{.ordinal = 1, .has_repository = true, .no_escrow = false};

TEST(RepairPostgres, AnOldPrimaryWithNothingOfItsOwnOnlyFollows) {
  EXPECT_EQ(steps(plan_repair(promoted("0/5000000"), {})), "configure-pg-0 slot-pg-0 start-pg-0 prove-pg-0");
  auto report = promoted("0/4800000");
  report.members[0].facts.stored->cluster_state = "in archive recovery";
  EXPECT_EQ(steps(plan_repair(report, {})), "configure-pg-0 slot-pg-0 start-pg-0 prove-pg-0");
  // What wrote that timeline itself and has less of it than others has lost something: nobody knows what.
  EXPECT_EQ(steps(plan_repair(promoted("0/4800000"), {})), "repair.no_repository");
}

TEST(RepairPostgres, APromotedOneLearnsThatItLeads) {
  auto report = promoted("0/5000000");
  report.members[0].verdict = Verdict::healthy;
  report.members[0].action = Action::nothing;
  report.members[0].facts.runtime.role_wanted = MemberRole::replica;
  report.members[1].facts.runtime.role_wanted = MemberRole::replica;
  diagnose(report, 1, "replica-detached");
  EXPECT_EQ(steps(plan_repair(report, {})), "configure-pg-1");
  EXPECT_EQ(steps(plan_repair(report, kSecond)), "configure-pg-1");
  EXPECT_EQ(plan_repair(report, {})->plan.find("configure-pg-1")->arguments["source"].text(), "");
  // Not while another agent would open its member too.
  report.members[0].facts.runtime.role_wanted = MemberRole::primary;
  EXPECT_EQ(steps(plan_repair(report, {})), "repair.needs_operator");
}

TEST(RepairPostgres, WithoutTheWalItNeedsItIsCopied) {
  for (const char* oldest : {"0/5800000", ""}) {
    const auto proposal = plan_repair(promoted("0/5000000", oldest), kKept);
    EXPECT_EQ(steps(proposal),
              "escrow-pg-0 configure-pg-0 copy-pg-0 try-pg-0 swap-pg-0 start-pg-0 prove-pg-0 drop-pg-0");
    ASSERT_TRUE(proposal);
    EXPECT_FALSE(proposal->plan.find("copy-pg-0")->arguments["rewind"].boolean());
  }
  // Pages that need log which is lost cannot be started on.
  auto report = promoted("0/4800000");
  report.members[0].facts.stored->minimum_recovery = "0/4900000";
  EXPECT_EQ(steps(plan_repair(report, kKept)).substr(0, 11), "escrow-pg-0");
}

TEST(RepairPostgres, WhatCameApartIsKeptAcceptedAndRewound) {
  auto report = promoted("0/5200000");
  report.authority.kind = AuthorityKind::diverged;
  report.members[0].verdict = Verdict::diverged;
  EXPECT_EQ(steps(plan_repair(report, kKept)), "repair.split_brain");
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0})), "repair.no_repository");
  const auto proposal = plan_repair(report, kFirst);
  EXPECT_EQ(steps(proposal),
            "dump-pg-1 escrow-pg-0 configure-pg-0 copy-pg-0 try-pg-0 swap-pg-0 start-pg-0 prove-pg-0 drop-pg-0 "
            "!discard-diverged:pg-0");
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(proposal->plan.find("copy-pg-0")->arguments["rewind"].boolean());
  EXPECT_EQ(proposal->plan.find("copy-pg-0")->arguments["donor"].text(), "pg-1");
}

/// pg-0 and pg-1 both take writes.
TriageReport split(bool same_timeline) {
  auto report = promoted("0/5200000");
  report.leader.clear();
  auto& other = report.members[0].facts;
  other.reach = cluster::Reach::reachable;
  other.role = MemberRole::primary;
  other.read_only = false;
  other.timeline = 1;
  other.executed = "0/5200000";
  for (auto& m : report.members) {
    m.verdict = same_timeline ? Verdict::unknown : Verdict::diverged;
    m.action = Action::nothing;
    m.errant.transactions = "timeline 1 from 0/5000000 to 0/5200000";
  }
  report.authority.kind = same_timeline ? AuthorityKind::undeterminable : AuthorityKind::diverged;
  report.authority.member.reset();
  if (same_timeline) {
    report.members[1].facts.timeline = 1;
    report.members[1].facts.history.clear();
    report.authority.blockers = {MemberName("pg-0"), MemberName("pg-1")};
  }
  diagnose(report, 0, "several-writers");
  diagnose(report, 1, "several-writers");
  return report;
}

TEST(RepairPostgres, OfTwoThatTakeWritesTheNamedOneGivesWay) {
  for (const bool same : {false, true}) {
    SCOPED_TRACE(same ? "one timeline" : "two timelines");
    const auto report = split(same);
    EXPECT_EQ(steps(plan_repair(report, kKept)), "repair.split_brain");
    const auto proposal = plan_repair(report, kFirst);
    EXPECT_EQ(steps(proposal),
              "dump-pg-0 dump-pg-1 stop-pg-0 escrow-pg-0 configure-pg-0 copy-pg-0 try-pg-0 swap-pg-0 start-pg-0 "
              "prove-pg-0 drop-pg-0 "
              "!discard-diverged:pg-0");
    ASSERT_TRUE(proposal);
    // On one timeline pg_rewind would find nothing to do, and what differs would stay.
    EXPECT_EQ(proposal->plan.find("copy-pg-0")->arguments["rewind"].boolean(), !same);
    EXPECT_TRUE(proposal->plan.find("stop-pg-0")->arguments["keep"].boolean()) << "undone, it would write again";
    // It goes on writing while the plan is read: the same plan all the same.
    auto later = report;
    later.members[0].errant.transactions = "timeline 1 from 0/5000000 to 0/5300000";
    later.members[0].facts.executed = "0/5300000";
    EXPECT_EQ(operation::plan_hash(plan_repair(later, kFirst)->plan), operation::plan_hash(proposal->plan));
  }
  auto another = split(true);
  another.members[1].facts.lineage = "78";
  EXPECT_EQ(steps(plan_repair(another, kFirst)), "repair.target_unknown") << "two clusters, not two sides of one";
  auto ahead = split(false);
  ahead.authority.kind = AuthorityKind::provable;
  ahead.authority.member = MemberName("pg-0");
  EXPECT_EQ(steps(plan_repair(ahead, kFirst)), "repair.target_is_primary");
}

TEST(RepairPostgres, TheOnlyUnknownOneIsMadeAnewWhenNamedAndKept) {
  auto report = promoted("");
  auto& broken = report.members[0];
  broken.verdict = Verdict::broken;
  broken.action = Action::reseed;
  broken.facts.runtime.role_wanted = MemberRole::replica;
  broken.facts.runtime.upstream_wanted = "127.0.0.1:5001";
  broken.facts.stored->position_unknown = "pg_control cannot be read";
  report.authority.kind = AuthorityKind::undeterminable;
  report.authority.blockers = {MemberName("pg-0")};
  EXPECT_EQ(steps(plan_repair(report, kKept)), "repair.undeterminable") << "only when it is named";
  EXPECT_EQ(steps(plan_repair(report, {.ordinal = 0, .no_escrow = true})), "repair.undeterminable");
  EXPECT_EQ(steps(plan_repair(report, kFirst)),
            "escrow-pg-0 copy-pg-0 try-pg-0 swap-pg-0 start-pg-0 prove-pg-0 drop-pg-0 !discard-diverged:pg-0");
  report.authority.blockers.push_back(MemberName("pg-1"));
  EXPECT_EQ(steps(plan_repair(report, kFirst)), "repair.undeterminable");
}

/// pg-0 is a standby of pg-1 and runs.
TriageReport standby(const char* trouble) {
  auto report = promoted("0/5000000");
  auto& m = report.members[0];
  m.facts.reach = cluster::Reach::reachable;
  m.facts.role = m.facts.runtime.role_wanted = MemberRole::replica;
  m.facts.runtime.upstream_wanted = "127.0.0.1:5001";
  m.facts.following.emplace_back();
  m.verdict = Verdict::broken;
  m.action = Action::resume;
  diagnose(report, 0, trouble);
  return report;
}

TEST(RepairPostgres, AStandbyThatRunsIsMendedWithoutARestart) {
  EXPECT_EQ(steps(plan_repair(standby("replica-wrong-source"), {})), "follow-pg-0 prove-pg-0");
  EXPECT_EQ(steps(plan_repair(standby("replica-slot-missing"), {})), "slot-pg-0 prove-pg-0");
  auto report = standby("replica-slot-missing");
  report.members[0].facts.following[0].slot = "nobody";
  EXPECT_EQ(steps(plan_repair(report, {})), "slot-pg-0 prove-pg-0");
  cluster::Slot own;
  own.name = "pg_0";
  report.members[1].facts.postgres.slots->push_back(own);
  EXPECT_EQ(steps(plan_repair(report, {})), "follow-pg-0 prove-pg-0") << "it has one of its own";
  EXPECT_EQ(steps(plan_repair(standby("replica-access-denied"), {})), "repair.needs_operator");
}

TEST(RepairPostgres, AStandbyWithLowerSettingsGetsThePrimarysAndARestart) {
  auto report = standby("replica-settings-too-small");
  report.members[0].facts.postgres.standby_limits = {{"max_connections", 100}, {"max_wal_senders", 10}};
  report.members[1].facts.postgres.standby_limits = {{"max_connections", 150}, {"max_wal_senders", 5}};
  const auto proposal = plan_repair(report, {});
  EXPECT_EQ(steps(proposal), "match-pg-0 start-pg-0 prove-pg-0");
  const auto& settings = proposal->plan.steps[0].arguments["settings"];
  EXPECT_EQ(settings.members().size(), 1u);
  EXPECT_EQ(settings["max_connections"].integer(), 150);
}

/// pg-1 leads, was stopped by its full disk, and an unused slot keeps 7 segments; pg-0 follows it.
TriageReport full(const char* slot_from = "0/1000000") {
  auto report = standby("replica-source-unreachable");
  report.leader.clear();
  report.members[0].facts.timeline = 1;
  report.members[0].facts.received = "0/8000000";
  report.authority.member = MemberName("pg-1");
  auto& m = report.members[1];
  m.verdict = Verdict::broken;
  m.action = Action::nothing;
  m.facts.reach = cluster::Reach::unreachable;
  m.facts.runtime.state = "failed";
  m.facts.runtime.volumes.push_back({"data", "/data", 1 << 30, 0, 1000, 900});
  cluster::StoredFacts stored;
  stored.data = cluster::StoredFacts::Data::present;
  stored.lineage = "77";
  stored.timeline = 1;
  stored.position = "0/8500000";
  stored.cluster_state = "in production";
  auto& room = stored.wal_room.emplace();
  room.segment_size = 16 << 20;
  room.oldest = "0/1000000";
  room.recovery = "0/8000028";
  cluster::Slot slot;
  slot.name = "forgotten";
  slot.restart_lsn = slot_from;
  room.slots.push_back(slot);
  m.facts.stored = stored;
  diagnose(report, 1, "disk-full");
  diagnose(report, 1, "server-crashed");
  return report;
}

TEST(RepairPostgres, AFullDiskIsFreedOfWhatNobodyNeeds) {
  const auto proposal = plan_repair(full(), kSecond);
  EXPECT_EQ(steps(proposal), "free-pg-1 start-pg-1 prove-pg-1 !drop-slot:forgotten");
  ASSERT_TRUE(proposal);
  EXPECT_EQ(proposal->plan.find("free-pg-1")->arguments["keepFrom"].text(), "0/8000000") << "what pg-0 has not got";
  EXPECT_EQ(steps(plan_repair(full("0/7FFFFFF"), kSecond)), "free-pg-1 start-pg-1 prove-pg-1")
      << "without the slot, where that is enough";
}

TEST(RepairPostgres, AFullDiskOfWhatSomebodyNeedsIsForAPerson) {
  const auto refused = [](TriageReport report) { return steps(plan_repair(report, kSecond)); };
  auto report = full();
  report.members[1].facts.stored->wal_room->slots[0].name = "pg_0";
  EXPECT_EQ(refused(report), "repair.needs_operator") << "a member's slot";
  report = full();
  report.members[1].facts.stored->wal_room->archiver = "0/2000000";
  EXPECT_EQ(refused(report), "repair.needs_operator") << "not archived";
  report = full();
  report.members[0].facts.received = "0/1800000";
  EXPECT_EQ(refused(report), "repair.needs_operator") << "its standby has not got it";
  report = full();
  report.members[0].facts.reach = cluster::Reach::timeout;
  report.members[0].facts.stored.reset();
  EXPECT_EQ(refused(report), "repair.needs_operator") << "what its standby has is not known";
  report = full();
  report.members[1].facts.stored->wal_room->unknown = "a slot makes no sense";
  EXPECT_EQ(refused(report), "repair.needs_operator");
  report = full();
  report.authority.member = MemberName("pg-0");
  EXPECT_EQ(refused(report), "repair.needs_operator") << "it would open for writes";
}

TEST(RepairPostgres, WithoutItsAgentNothingIsDoneToIt) {
  auto report = promoted("0/5000000");
  report.members[0].facts.agent.answers = false;
  EXPECT_EQ(steps(plan_repair(report, kFirst)), "repair.needs_operator");
}

}  // namespace
}  // namespace holdfast::repair
