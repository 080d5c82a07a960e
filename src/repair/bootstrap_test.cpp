#include "repair/bootstrap.h"

#include <gtest/gtest.h>

#include "repair/plan.h"
#include "repair/rungs_galera.h"

namespace holdfast::repair {
namespace {

using cluster::DatabaseCluster;
using cluster::MemberFacts;
using cluster::StoredFacts;
using cluster::TriageReport;

constexpr const char* kOurs = "d6b96b81-e60d-11f1-915c-efc06f7c7ba6";
constexpr const char* kOther = "11111111-2222-3333-4444-555555555555";
constexpr const char* kZero = "00000000-0000-0000-0000-000000000000";

/// Three members m0..m2 of shop/orders, judged by triage itself.
struct World {
  DatabaseCluster cluster;
  std::vector<MemberFacts> facts;

  World() {
    cluster.name = ClusterName("orders");
    cluster.ns = "shop";
    cluster.engine = cluster::Engine::galera;
    for (int i = 0; i < 3; ++i) {
      cluster::Member member;
      member.name = MemberName("m" + std::to_string(i));
      member.ordinal = i;
      member.host = "10.0.0." + std::to_string(i);
      member.port = 3306;
      cluster.members.push_back(member);
      facts.emplace_back();
      stopped(i, kOurs, 100);
    }
  }
  MemberFacts& reset(int i) {
    facts[i] = MemberFacts();
    facts[i].member = cluster.members[i].name;
    facts[i].agent.answers = true;
    facts[i].runtime.state = "stopped";
    return facts[i];
  }
  StoredFacts& stopped(int i, std::string uuid, int64_t seqno) {
    auto& stored = reset(i).stored.emplace();
    stored.data = StoredFacts::Data::present;
    stored.lineage = uuid;
    stored.seqno = seqno;
    stored.safe_to_bootstrap = false;
    if (seqno >= 0) stored.position = uuid + ":" + std::to_string(seqno), stored.position_source = "grastate";
    if (seqno < 0) stored.position_unknown = "it crashed";
    return stored;
  }
  void recovered(int i, std::string uuid, int64_t seqno) {
    auto& stored = stopped(i, uuid, -1);
    stored.position = uuid + ":" + std::to_string(seqno);
    stored.position_source = "recovered";
    stored.position_unknown.clear();
    facts[i].runtime.state = "failed";
  }
  cluster::GaleraFacts& running(int i, const char* status, int64_t seqno, std::vector<int> view) {
    auto& f = reset(i);
    f.runtime.state = "running";
    f.runtime.pid = 100 + i;
    f.reach = cluster::Reach::reachable;
    f.tcp = true;
    f.role = cluster::MemberRole::node;
    f.executed = std::string(kOurs) + ":" + std::to_string(seqno);
    f.lineage = kOurs;
    auto& galera = f.galera.emplace();
    galera.status = status;
    galera.state = std::string(status) == "Primary" ? "Synced" : "Initialized";
    galera.uuid = galera.local_uuid = kOurs;
    galera.last_committed = seqno;
    galera.cached_downto = 10;
    galera.ready = galera.connected = galera.wsrep_on = true;
    galera.reject_queries = "NONE";
    galera.provider = "galera";
    galera.size = static_cast<int>(view.size());
    for (int other : view) galera.view.push_back("10.0.0." + std::to_string(other) + ":3306");
    return galera;
  }
  TriageReport report() const { return cluster::triage(cluster, facts); }
};

std::string steps(const operation::Plan& plan) {
  std::string text;
  for (const auto& step : plan.steps) text += (text.empty() ? "" : " ") + step.id;
  return text;
}
std::string bootstrap(const World& world, const BootstrapRequest& request = {}) {
  auto made = plan_bootstrap(world.report(), request);
  if (!made) {
    EXPECT_FALSE(made.error().hint.empty()) << made.error().id;
    return made.error().id;
  }
  auto good = operation::check_plan(made->plan);
  EXPECT_TRUE(good) << (good ? "" : good.error().message);
  std::string text = steps(made->plan);
  for (const auto& loss : made->plan.losses) {
    text += " | " + loss.acceptance;
    if (made->refusals.contains(loss.acceptance)) text += " else " + made->refusals[loss.acceptance].id;
  }
  return text;
}
std::string repair(const World& world, const Request& request = {}) {
  auto proposal = plan_repair(world.report(), request);
  if (!proposal) return proposal.error().id;
  std::string text = steps(proposal->plan);
  for (const auto& loss : proposal->plan.losses) text += " | " + loss.acceptance;
  return text;
}

TEST(Bootstrap, TheMostAdvancedIsStartedAndTheOnlyOneMarked) {
  World world;
  world.stopped(0, kOurs, 90).safe_to_bootstrap = true;
  world.recovered(1, kOurs, 101);
  EXPECT_EQ(bootstrap(world), "mark-m1 bootstrap-m1 join-m0 prove-m0 join-m2 prove-m2");
  auto made = plan_bootstrap(world.report(), {});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->plan.find("mark-m1")->arguments["clear"].items().size(), 2u);
  EXPECT_FALSE(made->plan.find("mark-m1")->point_of_no_return) << "undo puts the marks back";
  EXPECT_TRUE(made->plan.find("bootstrap-m1")->point_of_no_return);
}

/// garbd votes, and is in the component's size with no address: with it one node of two is a majority.
TEST(Bootstrap, AnArbitratorsVoteMakesADonor) {
  World world;
  world.cluster.members.pop_back();
  world.facts.pop_back();
  world.running(0, "Primary", 120, {0}).size = 2;
  world.stopped(1, kZero, -1);
  EXPECT_EQ(repair(world, {.no_escrow = true}), "repair.undeterminable");
  world.facts[0].galera->arbitrators = 1;
  EXPECT_TRUE(repair(world, {.no_escrow = true}).starts_with("copy-m1")) << repair(world, {.no_escrow = true});
  EXPECT_FALSE(world.report().has("galera-size-mismatch"));
}

TEST(Bootstrap, ARunningMemberIsPreferredOnlyWhenNobodyHasMore) {
  World world;
  world.running(0, "non-Primary", 120, {0});
  world.recovered(1, kOurs, 120);
  EXPECT_EQ(bootstrap(world), "bootstrap-m0 join-m1 prove-m1 join-m2 prove-m2");
  world.recovered(1, kOurs, 121);
  EXPECT_EQ(bootstrap(world), "stop-m0 mark-m1 bootstrap-m1 join-m0 prove-m0 join-m2 prove-m2");
}

TEST(Bootstrap, WhatCouldBeTheOnlyCopyIsRefusedByNameAndGivenUpByName) {
  World world;
  world.stopped(2, kOurs, -1);
  EXPECT_EQ(bootstrap(world), "bootstrap.not_recovered");
  BootstrapRequest failed;
  failed.not_recovered["m2"] = "mariadbd ended with 1";
  EXPECT_EQ(bootstrap(world, failed), "mark-m0 bootstrap-m0 join-m1 prove-m1 | lose-unread:m2 else bootstrap.unread");

  // Its server may run, and in a primary component of its own.
  world.reset(2).agent.answers = false;
  EXPECT_EQ(bootstrap(world),
            "mark-m0 bootstrap-m0 join-m1 prove-m1 | lose-unread:m2 else bootstrap.unread | "
            "second-primary:m2 else bootstrap.second_primary");
  // Its files were read without an agent, and no process uses them.
  world.stopped(2, kOurs, -1);
  world.facts[2].agent.answers = false;
  EXPECT_EQ(bootstrap(world), "mark-m0 bootstrap-m0 join-m1 prove-m1 | lose-unread:m2 else bootstrap.unread");
  world.facts[2].runtime.pid = 4711;
  EXPECT_EQ(bootstrap(world), "bootstrap.running") << "its server has outlived its agent";
  world.reset(2).runtime.outside.push_back({4711, "mariadbd", "holds the lock of ibdata1"});
  EXPECT_EQ(bootstrap(world), "repair.outside_agent");
  world.reset(2).stored.emplace().data = StoredFacts::Data::unknown;
  EXPECT_EQ(bootstrap(world), "mark-m0 bootstrap-m0 join-m1 prove-m1 | lose-unread:m2 else bootstrap.unread");

  const std::string anew = " join-m1 prove-m1 copy-m2 try-m2 swap-m2 join-m2 prove-m2 drop-m2 | ";
  BootstrapRequest kept{.has_repository = true, .no_escrow = false, .not_recovered = {}};
  world.stopped(2, kZero, -1);
  EXPECT_EQ(bootstrap(world), "bootstrap.no_repository");
  EXPECT_EQ(bootstrap(world, kept),
            "escrow-m2 mark-m0 bootstrap-m0" + anew + "lose-unread:m2 else bootstrap.zero_uuid");
  world.stopped(2, kOurs, 500).aborted_transfer = "sst_in_progress";
  EXPECT_EQ(bootstrap(world, kept),
            "escrow-m2 mark-m0 bootstrap-m0" + anew + "lose-unread:m2 else bootstrap.aborted_transfer");
  world.stopped(2, kOther, 500);
  EXPECT_EQ(bootstrap(world, kept),
            "escrow-m2 mark-m0 bootstrap-m0" + anew + "discard-foreign:m2 else bootstrap.foreign");
  world.running(2, "Disconnected", 500, {}).state = "Inconsistent";
  EXPECT_EQ(bootstrap(world, kept),
            "stop-m2 escrow-m2 mark-m0 bootstrap-m0" + anew + "discard-diverged:m2 else bootstrap.inconsistent");
}

TEST(Bootstrap, AForeignHistoryNeverWins) {
  World world;
  BootstrapRequest kept{.has_repository = true, .no_escrow = false, .not_recovered = {}};
  world.cluster.members.pop_back();
  world.facts.pop_back();
  world.stopped(1, kOther, 500);
  EXPECT_EQ(bootstrap(world, kept), "bootstrap.foreign") << "one each, none recorded";
  world.cluster.lineage = kOurs;
  EXPECT_EQ(bootstrap(world, kept),
            "escrow-m1 mark-m0 bootstrap-m0 copy-m1 try-m1 swap-m1 join-m1 prove-m1 drop-m1 | discard-foreign:m1 else "
            "bootstrap.foreign");
  world.cluster.lineage = "99999999-2222-3333-4444-555555555555";
  EXPECT_EQ(bootstrap(world, kept), "bootstrap.foreign");
}

TEST(Bootstrap, NotBesideAComponentNorWhereSomebodyMayWrite) {
  World world;
  world.running(0, "Primary", 120, {0, 1});
  world.running(1, "Primary", 120, {0, 1});
  EXPECT_EQ(bootstrap(world), "bootstrap.has_primary");
  world.running(1, "Primary", 120, {1});
  world.running(0, "Primary", 120, {0});
  EXPECT_EQ(bootstrap(world), "bootstrap.split_brain");
  world = World();
  world.running(0, "non-Primary", 120, {0}).wsrep_on = false;
  EXPECT_EQ(bootstrap(world), "bootstrap.running");
  world = World();
  world.reset(0).runtime.state = "running";
  world.facts[0].runtime.pid = 77;
  world.facts[0].reach = cluster::Reach::timeout;
  EXPECT_EQ(bootstrap(world), "bootstrap.running");
  world = World();
  world.running(0, "non-Primary", 120, {0});
  world.facts[0].tcp = false;
  EXPECT_EQ(bootstrap(world), "bootstrap.network");
  world = World();
  for (int i = 0; i < 3; ++i) world.reset(i).stored.emplace().data = StoredFacts::Data::missing;
  EXPECT_EQ(bootstrap(world), "bootstrap.no_position");
}

TEST(Bootstrap, OneWithoutDataIsMadeFromAnother) {
  World world;
  world.reset(1).stored.emplace().data = StoredFacts::Data::missing;
  EXPECT_EQ(bootstrap(world), "mark-m0 bootstrap-m0 join-m2 prove-m2 copy-m1 try-m1 swap-m1 join-m1 prove-m1");
  auto made = plan_bootstrap(world.report(), {});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->plan.find("copy-m1")->arguments["donor"].text(), "m2") << "not the one its clients are on";
}

// ---------------------------------------------------------------- repair

/// m0 and m1 serve; m2 is as the test makes it.
World two_serve() {
  World world;
  world.running(0, "Primary", 120, {0, 1});
  world.running(1, "Primary", 120, {0, 1});
  return world;
}

TEST(GaleraRungs, JoinsAsItIsWhereThatLosesNothing) {
  World world = two_serve();
  EXPECT_EQ(repair(world), "join-m2 prove-m2");
  world.stopped(2, kOurs, -1);
  EXPECT_EQ(repair(world), "join-m2 prove-m2") << "recovered and compared before its server starts";
  world.running(2, "non-Primary", 110, {2});
  EXPECT_EQ(repair(world), "join-m2 prove-m2");
  world.facts[2].tcp = false;
  EXPECT_EQ(repair(world), "repair.needs_operator") << "a restart mends no network";
  world = two_serve();
  world.facts[2].agent.answers = false;
  EXPECT_EQ(repair(world), "repair.needs_operator");
}

TEST(GaleraRungs, IsMadeAnewWithACopyKeptWhereItsDataCannotBeTrusted) {
  const Request kept{.ordinal = std::nullopt, .has_repository = true, .no_escrow = false};
  const std::string anew = "escrow-m2 copy-m2 try-m2 swap-m2 start-m2 prove-m2 drop-m2";
  World world = two_serve();
  world.stopped(2, kZero, -1);
  EXPECT_EQ(repair(world, kept), anew + " | discard-diverged:m2") << "what it holds is not known";
  EXPECT_EQ(repair(world), "repair.no_repository");
  world.stopped(2, kOurs, 100).aborted_transfer = "sst_in_progress";
  EXPECT_EQ(repair(world, kept), anew);
  world.stopped(2, kOurs, 5);
  EXPECT_EQ(repair(world, kept), anew) << "no cache reaches back to 5";
  world.running(2, "Disconnected", 119, {}).state = "Inconsistent";
  EXPECT_EQ(repair(world, kept), "stop-m2 " + anew + " | discard-diverged:m2");
  world.running(2, "Primary", 119, {0, 1, 2}).wsrep_on = false;
  EXPECT_EQ(repair(world, kept), "stop-m2 " + anew + " | discard-diverged:m2");
  world.stopped(2, kOther, 100);
  EXPECT_EQ(repair(world, kept), "repair.needs_operator");
  EXPECT_EQ(repair(world, {.ordinal = 2, .has_repository = true, .no_escrow = false}), anew + " | discard-foreign:m2");

  // Somebody else could be ahead, too.
  world.reset(1).agent.answers = false;
  world.stopped(2, kZero, -1);
  EXPECT_EQ(repair(world, {.ordinal = 2, .has_repository = true, .no_escrow = false}), "repair.undeterminable");
}

TEST(GaleraRungs, ANodeWithDamageOnItsDiskLosesNothingAndGivesNothing) {
  const Request kept{.ordinal = std::nullopt, .has_repository = true, .no_escrow = false};
  World world;
  for (int i = 0; i < 3; ++i) world.running(i, "Primary", 120, {0, 1, 2});
  world.facts[2].missing_files = {"crm/documents.ibd"};
  EXPECT_EQ(repair(world, kept), "stop-m2 escrow-m2 copy-m2 try-m2 swap-m2 start-m2 prove-m2 drop-m2")
      << "in one component with the others it has nothing that they have not";
  world.facts[1].cut_files = {"page 3 of shop/orders.ibd"};
  const auto made = plan_repair(world.report(), {.ordinal = 2, .has_repository = true, .no_escrow = false});
  ASSERT_TRUE(made) << made.error().to_string();
  EXPECT_EQ(made->plan.find("copy-m2")->arguments["donor"].text(), "m0") << "m1 is damaged, too";
  world.facts[0].missing_files = {"crm/documents.ibd"};
  EXPECT_EQ(repair(world, kept), "repair.target_is_authority");
  EXPECT_EQ(repair(world, {.ordinal = 2, .has_repository = true, .no_escrow = false}), "repair.no_donor");
}

TEST(GaleraRungs, OfASplitTheSmallerSideIsMadeAnewOnlyByName) {
  World world = two_serve();
  world.running(2, "Primary", 125, {2});
  const Request two{.ordinal = 2, .has_repository = true, .no_escrow = false};
  EXPECT_EQ(repair(world, {.ordinal = std::nullopt, .has_repository = true, .no_escrow = false}), "repair.split_brain");
  EXPECT_EQ(repair(world, {.ordinal = 0, .has_repository = true, .no_escrow = false}), "repair.split_brain");
  EXPECT_EQ(repair(world, two),
            "dump-m0 dump-m1 dump-m2 stop-m2 escrow-m2 copy-m2 try-m2 swap-m2 start-m2 prove-m2 drop-m2 | "
            "discard-diverged:m2");
  const auto before = operation::plan_hash(plan_repair(world.report(), two)->plan);
  for (int ahead : {0, 1}) {
    World moved = world;
    moved.facts[ahead].executed = std::string(kOurs) + ":126";
    moved.facts[ahead].galera->last_committed = 126;
    EXPECT_EQ(operation::plan_hash(plan_repair(moved.report(), two)->plan), before)
        << "who of one component was looked at later is no news";
  }
  world.facts[2].tcp = false;
  EXPECT_EQ(repair(world, two), "repair.needs_operator");
}

TEST(GaleraRungs, SettingsThatKeepANodeOut) {
  World world = two_serve();
  world.running(1, "Primary", 120, {0, 1, 2});
  world.running(0, "Primary", 120, {0, 1, 2});
  auto& galera = world.running(2, "Primary", 120, {0, 1, 2});
  galera.state = "Donor/Desynced";
  EXPECT_EQ(repair(world), "repair.needs_operator") << "a backup, perhaps";
  EXPECT_EQ(repair(world, {.ordinal = 2}), "join-m2 prove-m2");
  galera.desynced = true;
  EXPECT_EQ(repair(world), "set-synced-m2 prove-m2");
  galera.desynced = false;
  galera.state = "Synced";
  galera.reject_queries = "ALL";
  EXPECT_EQ(repair(world), "set-open-m2 prove-m2");
}

}  // namespace
}  // namespace holdfast::repair
