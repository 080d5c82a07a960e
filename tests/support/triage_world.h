// A cluster of three as triage sees it, for tests: healthy, and then whatever a test does to it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "cluster/triage.h"

namespace holdfast::cluster::test {

inline constexpr const char* kUuid[] = {"11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222",
                                        "33333333-3333-3333-3333-333333333333"};

struct World {
  DatabaseCluster cluster;
  std::vector<MemberFacts> facts;

  MemberFacts& operator[](size_t i) { return facts[i]; }
  TriageReport report() const { return triage(cluster, facts); }
};

inline Following stream(const std::string& upstream) {
  Following f;
  f.upstream = upstream;
  f.receive_state = "Yes";
  f.receiving = f.applying = true;
  f.lag_seconds = 0;
  f.uses_gtid = true;
  return f;
}

/// A healthy cluster of three: m0 takes writes, the others follow it.
inline World healthy(Engine engine) {
  World w;
  w.cluster.name = ClusterName("orders");
  w.cluster.ns = "shop";
  w.cluster.engine = engine;
  w.cluster.replication = engine == Engine::galera     ? ReplicationMode::galera
                          : engine == Engine::postgres ? ReplicationMode::streaming
                                                       : ReplicationMode::async;
  for (int i = 0; i < 3; ++i) {
    Member m;
    m.name = MemberName("m" + std::to_string(i));
    m.ordinal = i;
    m.port = 1000 + i;
    w.cluster.members.push_back(m);
    MemberFacts f;
    f.member = m.name;
    f.reach = Reach::reachable;
    f.tcp = true;
    f.agent.answers = true;
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
    f.own.port = m.port;
    f.own.hostname = "host";
    f.own.interfaces = {"127.0.0.1", "10.0.0.1"};
    f.own.network = "one";
    if (i > 0) {
      f.following.push_back(stream("127.0.0.1:1000"));
      f.runtime.upstream_wanted = "127.0.0.1:1000";
    } else {
      f.followers = 2;
    }
    switch (engine) {
      case Engine::mysql:
        f.lineage = f.server_uuid = kUuid[i];
        f.mysql.gtid_mode = true;
        f.mysql.offline_mode = false;
        f.version = "9.7.4";
        f.executed = std::string(kUuid[0]) + ":1-100";
        break;
      case Engine::mariadb:
        f.executed = "0-1-100";
        f.mysql.gtid_strict = true;
        f.version = "10.11.6-MariaDB-log";
        if (i > 0) f.slave_pos = "0-1-100";
        break;
      case Engine::postgres:
        f.lineage = "7000000000000000001";
        f.timeline = 1;
        f.executed = f.received = "0/5000000";
        f.version = "15.4 (Debian 15.4-1)";
        f.checksums = true;
        f.postgres.archives = false;
        if (i == 0) f.postgres.slots.emplace();
        break;
      case Engine::galera: {
        f.role = MemberRole::node;
        f.runtime.role_wanted = MemberRole::unknown;
        f.read_only = false;
        f.following.clear();
        f.followers.reset();
        f.runtime.upstream_wanted.clear();
        f.lineage = kUuid[0];
        f.executed = std::string(kUuid[0]) + ":100";
        GaleraFacts g;
        g.status = "Primary";
        g.state = "Synced";
        g.uuid = g.local_uuid = kUuid[0];
        g.size = 3;
        g.last_committed = 100;
        g.ready = g.connected = g.wsrep_on = true;
        g.provider = "/usr/lib/galera/libgalera_smm.so";
        g.provider_options = {{"pc.ignore_sb", "false"}, {"pc.ignore_quorum", "false"}, {"pc.weight", "1"}};
        g.view = {"127.0.0.1:1000", "127.0.0.1:1001", "127.0.0.1:1002"};
        f.galera = g;
        break;
      }
    }
    w.facts.push_back(std::move(f));
  }
  return w;
}

inline void take_down(MemberFacts& f, const char* state = "stopped") {
  const std::string executed = f.executed, lineage = f.lineage;
  const bool had_galera = f.galera.has_value();
  MemberFacts down;
  down.own = f.own;  // its agent's word
  down.runtime.noted = f.runtime.noted;
  down.member = f.member;
  down.reach = Reach::unreachable;
  down.error = "connection refused";
  down.agent.answers = true;
  down.runtime.state = state;
  down.runtime.role_wanted = f.runtime.role_wanted;
  down.stored.emplace();
  down.stored->data = StoredFacts::Data::present;
  down.stored->position = executed;
  down.stored->lineage = lineage;
  down.stored->timeline = f.timeline;
  down.stored->history = f.history;
  down.stored->cluster_state = f.role == MemberRole::primary ? "in production" : "in archive recovery";
  if (had_galera) down.stored->seqno = 100;
  f = down;
}

/// Whatever is wrong: there is a command to go on with.
inline void expect_next_commands(const TriageReport& report) {
  for (const auto& d : report.diagnoses) {
    if (d.severity < Severity::warning) continue;
    EXPECT_NE(d.remedy.find("holdfast "), std::string::npos) << d.id << ": " << d.remedy;
  }
}

}  // namespace holdfast::cluster::test
