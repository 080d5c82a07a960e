// Which server is which member: one that runs outside its agent, nodes under other addresses, arbitrators.
#include <gtest/gtest.h>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::expect_next_commands;
using test::healthy;
using test::stream;
using test::take_down;
using test::World;

constexpr const char* kNode[] = {"aaaaaaaa-0000-11f1-0000-000000000000", "bbbbbbbb-0000-11f1-0000-000000000000",
                                 "cccccccc-0000-11f1-0000-000000000000"};

TEST(TriageOutside, AServerThatItsAgentDidNotStartIsNamedByItsPid) {
  for (auto engine : {Engine::mariadb, Engine::mysql, Engine::postgres, Engine::galera}) {
    World w = healthy(engine);
    w[1].runtime.state = "stopped";
    w[1].runtime.pid = -1;
    w[1].runtime.outside.push_back({4711, "mariadbd", "holds the lock of ibdata1"});
    const auto report = w.report();
    ASSERT_TRUE(report.has("server-outside-agent")) << engine_name(engine);
    EXPECT_NE(report.members[1].sentence.find("process 4711 (mariadbd)"), std::string::npos);
    EXPECT_EQ(report.members[1].verdict, Verdict::broken);
    EXPECT_EQ(report.members[1].action, Action::nothing);
    EXPECT_FALSE(report.healthy);
    expect_next_commands(report);
  }
}

/// A server may outlive its agent: only who has seen that no process uses its data knows that it stands still.
TEST(TriageOutside, ThatAnAgentIsGoneIsNoProofThatItsServerIs) {
  for (auto engine : {Engine::mariadb, Engine::mysql, Engine::postgres}) {
    World w = healthy(engine);
    take_down(w[0], "");
    w[0].agent.answers = false;
    const auto seen = w.report();
    EXPECT_EQ(seen.members[0].verdict, Verdict::stopped) << engine_name(engine);
    EXPECT_EQ(seen.authority.kind, AuthorityKind::provable) << engine_name(engine);
    const auto expect_unknown = [&](const char* why) {
      const auto report = w.report();
      EXPECT_EQ(report.members[0].verdict, Verdict::unknown) << engine_name(engine) << ": " << why;
      EXPECT_EQ(report.members[0].action, Action::nothing) << engine_name(engine) << ": " << why;
      EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable) << engine_name(engine) << ": " << why;
    };
    w[0].runtime.pid = 4711;
    expect_unknown("its server lives on");
    w[0].runtime.pid = -1;
    w[0].runtime.outside.push_back({4711, "mysqld", "holds the lock of ibdata1"});
    expect_unknown("a process uses its data");
    w[0].runtime.outside.clear();
    w[0].stored.reset();
    expect_unknown("nobody has looked");
  }
}

TEST(TriageOutside, WhatItsFilesSaidIsNoProofWhileItWritesThem) {
  World w = healthy(Engine::postgres);
  take_down(w[1]);
  w[1].runtime.outside.push_back({4711, "postgres", "is named by postmaster.pid"});
  w[1].stored = StoredFacts();
  w[1].stored->why = "used outside its agent by process 4711";
  const auto report = w.report();
  EXPECT_TRUE(report.has("server-outside-agent"));
  EXPECT_FALSE(report.has("server-stopped"));
  EXPECT_EQ(report.members[1].verdict, Verdict::unknown);
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
}

TEST(TriageOutside, NothingWhereDataWasIsUnknown) {
  World w = healthy(Engine::postgres);
  take_down(w[1]);
  w[1].stored = StoredFacts();
  w[1].stored->why = w[1].stored->remembered = "on 2026-11-21 its agent saw data there on device 8:17";
  const auto report = w.report();
  EXPECT_TRUE(report.has("data-vanished"));
  EXPECT_FALSE(report.has("data-missing"));
  EXPECT_EQ(report.members[1].verdict, Verdict::broken);
  EXPECT_EQ(report.members[1].action, Action::reseed);
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable) << "it may hold the only copy of something";
}

TEST(TriageOutside, AnOperationThatDidNotEndIsSaid) {
  World w = healthy(Engine::mysql);
  Surroundings around{{{"01ab", "repair", "unfinished", "2026-11-22T10:00:00Z"}}};
  const auto report = triage(w.cluster, w.facts, around);
  EXPECT_TRUE(report.has("operation-unfinished"));
  EXPECT_FALSE(report.healthy);
  expect_next_commands(report);
  around.operations[0].state = "running";
  EXPECT_TRUE(triage(w.cluster, w.facts, around).healthy);
  w[1].runtime.leftovers.push_back({Leftover::Kind::dropping, "/srv/m1/data.dropping-20261122T100000Z"});
  EXPECT_TRUE(w.report().has("removal-unfinished"));
}

TEST(TriageOutside, WhatAServerSaidOfDamageIsADiagnosis) {
  World w = healthy(Engine::mysql);
  w[1].runtime.damage_logged = "[ERROR] InnoDB: Index k of table shop.t is corrupted";
  const auto report = w.report();
  EXPECT_TRUE(report.has("damage-logged"));
  EXPECT_EQ(report.members[1].verdict, Verdict::broken) << "so it is no donor";
  EXPECT_EQ(report.members[1].action, Action::rebuild);
}

TEST(TriageStandby, WhatItsWalHoldsCounts) {
  MemberFacts f = healthy(Engine::postgres).facts[1];
  f.received.clear();
  f.executed = "0/5000000";
  take_wal_end(f, "0/9000000", 1, "");
  EXPECT_EQ(f.received, "0/9000000");
  take_wal_end(f, "0/6000000", 1, "");
  EXPECT_EQ(f.received, "0/9000000") << "never less than what it says";
}

TEST(TriageStandby, OneThatReplaysFromAnArchiveIsNotBroken) {
  World w = healthy(Engine::postgres);
  auto& f = w[1].following[0];
  f.receiving = false;
  f.receive_state.clear();
  f.upstream.clear();
  f.lag_seconds.reset();
  EXPECT_TRUE(w.report().has("replica-not-receiving"));
  f.from_archive = true;
  EXPECT_FALSE(w.report().has("replica-not-receiving"));
  EXPECT_TRUE(w.report().has("replica-from-archive"));
  EXPECT_EQ(w.report().members[1].verdict, Verdict::healthy);
}

TEST(TriageStandby, ADelayedOneReplaysWhatItHasFirst) {
  World w = healthy(Engine::postgres);
  auto& f = w[1].following[0];
  f.receiving = false;
  f.receive_state.clear();
  f.lag_seconds.reset();
  f.delay_seconds = 7200;
  EXPECT_TRUE(w.report().has("replica-not-receiving"));
  w[1].postgres.wal_end = "0/9000000";
  EXPECT_FALSE(w.report().has("replica-not-receiving"));
}

/// Described by names or by the addresses of another network, as clients see them.
World under_other_addresses() {
  World w = healthy(Engine::galera);
  for (auto& member : w.cluster.members) member.host = "db-" + std::to_string(member.ordinal) + ".example.com";
  return w;
}

TEST(TriageGalera, NodesAreFoundUnderOtherAddresses) {
  World w = under_other_addresses();
  EXPECT_FALSE(w.report().has("histories-diverged"));
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::undeterminable) << "who is in the view is not known";
  for (int i = 0; i < 3; ++i) w[i].galera->node_address = "127.0.0.1:100" + std::to_string(i);
  EXPECT_TRUE(w.report().healthy);
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::provable);
}

void list_nodes(World& w, std::initializer_list<int> of, std::initializer_list<int> nodes) {
  for (int i : of) {
    w[i].galera->nodes.clear();
    for (int n : nodes) w[i].galera->nodes.push_back({kNode[n], "node" + std::to_string(n), "AUTO"});
    w[i].galera->size = static_cast<int>(nodes.size());
  }
}

TEST(TriageGalera, NodesWithoutAnAddressAreFoundByTheirUuid) {
  World w = under_other_addresses();
  for (int i = 0; i < 3; ++i) {
    w[i].galera->view = {"AUTO", "AUTO", "AUTO"};
    w[i].galera->node_address = "AUTO";
    w[i].galera->node_uuid = kNode[i];
  }
  EXPECT_FALSE(w.report().has("histories-diverged"));
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::undeterminable);
  list_nodes(w, {0, 1, 2}, {0, 1, 2});
  EXPECT_TRUE(w.report().healthy);
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::provable);
  // And a split is one, though all addresses are the same.
  list_nodes(w, {0}, {0});
  list_nodes(w, {1, 2}, {1, 2});
  EXPECT_TRUE(w.report().has("galera-two-components"));
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::diverged);
}

/// Of two nodes and a stranger: the other member may be that stranger.
TEST(TriageGalera, AStrangerInTheViewMayBeTheOtherMember) {
  World w = healthy(Engine::galera);
  w.cluster.members[1].host = "db-1.example.com";
  EXPECT_NE(w.report().authority.kind, AuthorityKind::diverged);
}

TEST(TriageGalera, AnArbitratorIsNoStranger) {
  World w = healthy(Engine::galera);
  for (int i = 0; i < 3; ++i) w[i].galera->size = 4;
  EXPECT_TRUE(w.report().has("galera-size-mismatch"));
  for (int i = 0; i < 3; ++i) w[i].galera->arbitrators = 1;
  EXPECT_TRUE(w.report().healthy);
}

TEST(TriageGalera, AChannelFromOutsideIsShown) {
  World w = healthy(Engine::galera);
  w[1].following.push_back(stream("10.9.0.1:3306"));
  auto report = w.report();
  EXPECT_TRUE(report.healthy);
  EXPECT_TRUE(report.has("galera-async-channel"));
  w[1].following[0].applying = false;
  w[1].following[0].apply_error = "Duplicate entry";
  report = w.report();
  EXPECT_FALSE(report.has("replica-apply-error"));
  for (const auto& d : report.diagnoses) {
    if (d.id != "galera-async-channel") continue;
    EXPECT_EQ(d.severity, Severity::warning);
    EXPECT_NE(d.summary.find("10.9.0.1:3306"), std::string::npos);
  }
}

/// A group of MySQL's own chooses its primaries: whom it lets write is no split brain, and none of it is repaired here.
TEST(TriageMembers, AReplicationGroupIsNeitherJudgedNorRepaired) {
  World w = healthy(Engine::mysql);
  for (int i = 0; i < 3; ++i) {
    w[i].following.clear();
    w[i].role = MemberRole::primary;
    w[i].read_only = w[i].mysql.super_read_only = false;
    w[i].mysql.replication_group = {"aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "ONLINE", "PRIMARY", {}};
    for (int other = 0; other < 3; ++other) w[i].mysql.replication_group->online.insert(w[other].server_uuid);
  }
  const auto report = w.report();
  EXPECT_FALSE(report.healthy);
  EXPECT_TRUE(report.has("group-replication"));
  EXPECT_FALSE(report.has("several-writers"));
  for (const auto& m : report.members) {
    EXPECT_EQ(m.verdict, Verdict::unknown) << m.sentence;
    EXPECT_EQ(m.action, Action::nothing);
  }
  // One that left its group writes by itself, and so does one that bootstrapped another group of the same name.
  w[1].mysql.replication_group->online = {w[1].server_uuid};
  EXPECT_TRUE(w.report().has("several-writers"));
  EXPECT_NE(w.report().authority.kind, AuthorityKind::undeterminable);
  // Both groups give the same GTIDs: who has all data is then not for positions to say.
  for (int i : {0, 2}) w[i].mysql.replication_group->online.erase(w[1].server_uuid);
  EXPECT_TRUE(w.report().has("several-writers"));
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::undeterminable);
  w[1].mysql.replication_group->state = "OFFLINE";
  EXPECT_TRUE(w.report().has("several-writers"));
  EXPECT_NE(w.report().authority.kind, AuthorityKind::undeterminable);
}

}  // namespace
}  // namespace holdfast::cluster
