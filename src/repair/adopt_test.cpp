#include "repair/adopt.h"

#include <gtest/gtest.h>

namespace holdfast::repair {
namespace {

using cluster::Engine;
using cluster::MemberFacts;
using cluster::MemberRole;
using cluster::TriageReport;

constexpr const char* kFirst = "11111111-1111-1111-1111-111111111111";
constexpr const char* kSecond = "22222222-2222-2222-2222-222222222222";

/// Two MySQL servers; m1 follows m0 and has two transactions of its own.
struct World {
  cluster::DatabaseCluster cluster;
  std::vector<MemberFacts> facts;
  TriageReport report() const { return cluster::triage(cluster, facts); }
};

World errant(Engine engine = Engine::mysql) {
  World w;
  w.cluster.name = ClusterName("orders");
  w.cluster.ns = "shop";
  w.cluster.engine = engine;
  w.cluster.replication = cluster::ReplicationMode::async;
  for (int i = 0; i < 2; ++i) {
    cluster::Member m;
    m.name = MemberName("m" + std::to_string(i));
    m.ordinal = i;
    m.port = 1000 + i;
    w.cluster.members.push_back(m);
    MemberFacts f;
    f.member = m.name;
    f.reach = cluster::Reach::reachable;
    f.tcp = f.agent.answers = true;
    f.runtime.state = "running";
    f.runtime.mode = "normal";
    f.runtime.pid = 100 + i;
    f.runtime.process_state = "S";
    f.read_only = i > 0;
    f.role = f.runtime.role_wanted = i == 0 ? MemberRole::primary : MemberRole::replica;
    f.mysql.log_bin = f.mysql.log_replica_updates = true;
    f.runtime.volumes.push_back({"data", "/data", uint64_t{100} << 30, uint64_t{60} << 30, 1000, 900});
    f.instance = "host:" + std::to_string(1000 + i) + " /data";
    f.started_at = 1'700'000'000.0 + 100 * i;
    f.server_id = static_cast<uint64_t>(i) + 1;
    f.lineage = f.server_uuid = i == 0 ? kFirst : kSecond;
    f.mysql.gtid_mode = true;
    f.mysql.offline_mode = false;
    f.version = "9.7.4";
    f.executed = std::string(kFirst) + ":1-100";
    if (i > 0) {
      cluster::Following follow;
      follow.upstream = f.runtime.upstream_wanted = "127.0.0.1:1000";
      follow.receive_state = "Yes";
      follow.receiving = follow.applying = true;
      follow.lag_seconds = 0;
      follow.uses_gtid = true;
      f.following.push_back(follow);
      f.executed += std::string(",\n") + kSecond + ":1-2";
    } else {
      f.followers = 1;
    }
    w.facts.push_back(std::move(f));
  }
  if (engine == Engine::mariadb) {
    for (auto& f : w.facts) {
      f.executed = "0-1-100";
      f.mysql.gtid_strict = true;
      f.version = "10.11.6-MariaDB-log";
    }
    w.facts[1].executed = "0-1-100,0-2-101";
  }
  return w;
}

Adoption two_transactions() {
  Adoption adoption;
  adoption.digest = "d1";
  for (const int i : {1, 2})
    adoption.transactions.push_back(
        {std::string(kSecond) + ":" + std::to_string(i), {{"shop.t", {.inserted = 2, .updated = 0, .deleted = 1}}}});
  return adoption;
}

Request adopting(int ordinal = 1) {
  Request request;
  request.ordinal = ordinal;
  request.adoption = two_transactions();
  return request;
}

std::string steps(const Result<Proposal>& proposal) {
  if (!proposal) return proposal.error().id;
  std::string text;
  for (const auto& step : proposal->plan.steps) text += (text.empty() ? "" : " ") + step.id;
  for (const auto& loss : proposal->plan.losses) text += " | " + loss.acceptance;
  return text;
}

TEST(RepairAdopt, IsAChoiceThatNamesWhatIsWrittenWhere) {
  const auto report = errant().report();
  ASSERT_EQ(report.members[1].errant.transactions, std::string(kSecond) + ":1-2");
  Request plain{.ordinal = 1, .has_repository = true};
  EXPECT_EQ(steps(plan_repair(report, plain)),
            "dump-m0 dump-m1 stop-m1 escrow-m1 copy-m1 try-m1 swap-m1 start-m1 prove-m1 drop-m1 | discard-diverged:m1")
      << "nothing changes for who does not ask for it";

  const auto proposal = plan_repair(report, adopting());
  EXPECT_EQ(steps(proposal), "rehearse-m1 adopt-m1 prove-m1 | adopt:m1") << "no rebuild, no repository";
  ASSERT_TRUE(proposal);
  EXPECT_TRUE(operation::check_plan(proposal->plan));
  const auto& adopt = *proposal->plan.find("adopt-m1");
  EXPECT_EQ(adopt.member, "m0") << "nothing is written anywhere else";
  EXPECT_EQ(adopt.title, "Write 2 transactions that only m1 has into m0, with their own GTIDs (" +
                             std::string(kSecond) + ":1-2): shop.t (4 inserted, 2 deleted)");
  EXPECT_EQ(adopt.arguments["transactions"].items().size(), 2u);
  EXPECT_EQ(adopt.arguments["transactions"].items()[1]["tables"]["shop.t"]["inserted"].integer(), 2);
  const std::string text = operation::plan_text(proposal->plan);
  EXPECT_NE(text.find("will be written and stay:"), std::string::npos) << text;
  EXPECT_NE(text.find("nothing is lost"), std::string::npos) << text;

  auto other = adopting();
  other.adoption->digest = "d2";
  EXPECT_NE(operation::plan_hash(plan_repair(report, other)->plan), operation::plan_hash(proposal->plan))
      << "other rows are another plan";
}

TEST(RepairAdopt, WhatIsElseWrongIsMendedByItsOwnRung) {
  auto w = errant();
  w.facts[1].following[0].receiving = w.facts[1].following[0].applying = false;
  EXPECT_EQ(steps(plan_repair(w.report(), adopting())), "resume-m1 rehearse-m1 adopt-m1 prove-m1 | adopt:m1")
      << "what the primary did meanwhile is applied first";

  w = errant();
  w.facts[1].following[0].upstream = "127.0.0.1:999";
  EXPECT_EQ(steps(plan_repair(w.report(), adopting())), "repair.cannot_adopt") << "it follows another server";

  w = errant();
  w.facts[1].following[0].receiving = false;
  w.facts[1].following[0].receive_errno = 1236;
  w.facts[1].following[0].receive_error = "purged required binary logs";
  EXPECT_EQ(steps(plan_repair(w.report(), adopting())), "repair.no_repository") << "it must be made anew all the same";
  auto kept = adopting();
  kept.has_repository = true;
  const auto rebuilt = steps(plan_repair(w.report(), kept));
  EXPECT_TRUE(rebuilt.starts_with("rehearse-m1 adopt-m1 ")) << rebuilt;
  EXPECT_NE(rebuilt.find("escrow-m1"), std::string::npos) << rebuilt;
  EXPECT_TRUE(rebuilt.ends_with(" | adopt:m1")) << rebuilt;
}

TEST(RepairAdopt, RefusesByName) {
  const auto id = [](const World& w, const Request& request) { return steps(plan_repair(w.report(), request)); };
  EXPECT_EQ(id(errant(Engine::mariadb), adopting()), "repair.cannot_adopt");
  EXPECT_EQ(id(errant(), adopting(0)), "repair.target_is_primary");
  EXPECT_EQ(id(errant(), adopting(7)), "repair.no_member");
  auto nobody = adopting();
  nobody.ordinal.reset();
  EXPECT_EQ(id(errant(), nobody), "repair.cannot_adopt");
  auto unfit = adopting();
  unfit.adoption->refused = "it changes definitions";
  EXPECT_EQ(id(errant(), unfit), "repair.cannot_adopt");
  auto unseen = adopting();
  unseen.adoption->transactions.clear();
  EXPECT_EQ(id(errant(), unseen), "repair.cannot_adopt");

  auto w = errant();
  w.facts[1].executed = w.facts[0].executed;
  EXPECT_EQ(id(w, adopting()), "repair.cannot_adopt") << "it has nothing of its own";

  w = errant();
  w.facts[0].read_only = true;
  w.facts[0].role = MemberRole::replica;
  EXPECT_EQ(id(w, adopting()), "repair.cannot_adopt") << "no member accepts writes";

  w = errant();
  w.facts[1].read_only = false;
  w.facts[1].role = MemberRole::primary;
  w.facts[1].following.clear();
  EXPECT_EQ(id(w, adopting()), "repair.cannot_adopt") << "two accept writes";

  w = errant();
  w.facts[0].runtime.volumes[0].free = 0;
  EXPECT_EQ(id(w, adopting()), "repair.cannot_adopt") << "the primary's disk is full";

  w = errant();
  w.facts[1].reach = cluster::Reach::unreachable;
  w.facts[1].runtime.state = "stopped";
  w.facts[1].runtime.pid = 0;
  EXPECT_NE(id(w, adopting()).find("repair."), std::string::npos) << "it does not run";
}

}  // namespace
}  // namespace holdfast::repair
