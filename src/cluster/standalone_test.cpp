// One server as a distribution sets it up is a cluster of its own: what replication takes is not asked of it, and
// everything else is.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::healthy;
using test::World;

/// The first of three, by itself, without an agent.
World alone(Engine engine) {
  World w = healthy(engine);
  w.cluster.members.resize(1);
  w.facts.resize(1);
  w.cluster.replication = ReplicationMode::standalone;
  MemberFacts& m = w[0];
  m.agent.answers.reset();
  m.runtime.state = m.runtime.mode = m.runtime.process_state = "";
  m.runtime.pid = -1;
  m.runtime.role_wanted = MemberRole::unknown;
  m.runtime.volumes.clear();
  if (engine != Engine::galera) m.followers = 0;
  if (m.galera) {
    m.galera->size = 1;
    m.galera->view = {"127.0.0.1:1000"};
  }
  return w;
}

/// What packages switch on and off.
void as_packages_do(World& w) {
  MemberFacts& m = w[0];
  m.mysql.log_replica_updates = false;
  m.semi_sync.source_enabled = m.semi_sync.replica_enabled = false;
  m.mysql.event_scheduler = w.cluster.engine == Engine::mysql;
  if (w.cluster.engine == Engine::mariadb) {
    m.mysql.log_bin = m.mysql.gtid_strict = false;
    m.executed = m.position = m.offered = "";
    m.mysql.user_tables = 7;  // written without a log: nothing names its transactions
  }
  if (w.cluster.engine == Engine::mysql) {
    m.mysql.gtid_mode = false;
    m.executed = m.position = m.offered = "";
    m.mysql.user_tables = 7;
  }
}

std::string said(const TriageReport& report) {
  std::string text = report.sentence;
  for (const auto& d : report.diagnoses)
    if (d.severity >= Severity::warning) text += "; " + d.id + ": " + d.summary;
  return text;
}

TEST(Standalone, AsPackagesSetItUpItIsHealthy) {
  for (const Engine engine : {Engine::mariadb, Engine::mysql, Engine::postgres, Engine::galera}) {
    World w = alone(engine);
    as_packages_do(w);
    const auto report = w.report();
    EXPECT_TRUE(report.healthy) << engine_name(engine) << ": " << said(report);
    EXPECT_EQ(said(report), "1 of 1 members healthy") << engine_name(engine);
    EXPECT_EQ(report.members[0].verdict, Verdict::healthy);
    EXPECT_EQ(report.authority.kind, AuthorityKind::provable) << engine_name(engine);
    EXPECT_EQ(report.authority.member, w[0].member);
    if (engine != Engine::galera) {
      EXPECT_EQ(report.leader, "m0");
    }
  }
}

/// What is said of the same server, where others are to follow it.
struct OfReplication {
  const char* name;
  Engine engine;
  std::function<void(MemberFacts&)> change;
  const char* diagnosis;
};

const OfReplication kOfReplication[] = {
    {"no binary log", Engine::mariadb, [](MemberFacts& m) { m.mysql.log_bin = false; }, "binary-log-off"},
    {"no binary log", Engine::mysql, [](MemberFacts& m) { m.mysql.log_bin = false; }, "binary-log-off"},
    {"does not log what it applies", Engine::mariadb, [](MemberFacts& m) { m.mysql.log_replica_updates = false; },
     "binary-log-off"},
    {"gtid_strict_mode", Engine::mariadb, [](MemberFacts& m) { m.mysql.gtid_strict = false; }, "gtid-not-strict"},
    {"gtid_mode", Engine::mysql, [](MemberFacts& m) { m.mysql.gtid_mode = false; }, "gtid-mode-off"},
};

TEST(Standalone, WhatReplicationTakesIsNotAskedOfIt) {
  for (const auto& c : kOfReplication) {
    World w = alone(c.engine);
    c.change(w[0]);
    const auto one = w.report();
    EXPECT_FALSE(one.has(c.diagnosis)) << c.name;
    EXPECT_TRUE(one.healthy) << c.name << ": " << said(one);
    w = healthy(c.engine);
    c.change(w[0]);
    EXPECT_TRUE(w.report().has(c.diagnosis)) << c.name << ", of three";
  }
  // Described as the primary of others that are not, it is asked.
  World w = alone(Engine::mariadb);
  w[0].mysql.log_bin = false;
  w.cluster.replication = ReplicationMode::async;
  EXPECT_TRUE(w.report().has("binary-log-off"));
}

TEST(Standalone, EverythingElseIs) {
  const std::pair<const char*, std::function<void(MemberFacts&)>> kTroubles[] = {
      {"server-unreachable", [](MemberFacts& m) { m.reach = Reach::unreachable; }},
      {"server-hung", [](MemberFacts& m) { m.reach = Reach::timeout; }},
      {"access-denied", [](MemberFacts& m) { m.reach = Reach::denied; }},
      {"writes-locked", [](MemberFacts& m) { m.locked_writes.push_back({7, 90, "Waiting for global read lock"}); }},
      {"durability-weak", [](MemberFacts& m) { m.durability_gaps = {"innodb_flush_log_at_trx_commit=2 (safe: 1)"}; }},
      {"connections-exhausted", [](MemberFacts& m) { m.max_connections = m.connections = 10; }},
      {"disk-full",
       [](MemberFacts& m) { m.runtime.volumes.push_back({"data", "/data", uint64_t{100} << 30, 0, 1000, 900}); }},
  };
  for (const auto& [id, change] : kTroubles) {
    World w = alone(Engine::mariadb);
    as_packages_do(w);
    change(w[0]);
    EXPECT_TRUE(w.report().has(id)) << id << ": " << said(w.report());
  }
}

/// It may lack what its source has: that it is the only one described proves nothing.
TEST(Standalone, AReplicaByItselfHoldsNothingForCertain) {
  World w = alone(Engine::mysql);
  as_packages_do(w);
  w[0].role = MemberRole::replica;
  w[0].read_only = true;
  w[0].following.push_back(test::stream("10.0.0.9:3306"));
  EXPECT_EQ(w.report().authority.kind, AuthorityKind::undeterminable);
}

TEST(Standalone, AccessDeniedOnASocketNamesTheUser) {
  World w = alone(Engine::postgres);
  w[0].reach = Reach::denied;
  w[0].error = "Peer authentication failed for user \"postgres\"";
  const auto report = w.report();
  ASSERT_TRUE(report.has("access-denied"));
  for (const auto& d : report.diagnoses) {
    if (d.id == "access-denied") {
      EXPECT_NE(d.remedy.find("as root or as the unix user"), std::string::npos) << d.remedy;
    }
  }
}

}  // namespace
}  // namespace holdfast::cluster
