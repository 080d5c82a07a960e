#include "cluster/triage.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace holdfast::cluster {
namespace {

constexpr const char* kUuid[] = {"11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222",
                                 "33333333-3333-3333-3333-333333333333"};

struct World {
  DatabaseCluster cluster;
  std::vector<MemberFacts> facts;

  MemberFacts& operator[](size_t i) { return facts[i]; }
  TriageReport report() const { return triage(cluster, facts); }
};

Following stream(const std::string& upstream) {
  Following f;
  f.upstream = upstream;
  f.receive_state = "Yes";
  f.receiving = f.applying = true;
  f.lag_seconds = 0;
  f.uses_gtid = true;
  return f;
}

/// A healthy cluster of three: m0 takes writes, the others follow it.
World healthy(Engine engine) {
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
    f.agent = true;
    f.server_state = "running";
    f.server_mode = "normal";
    f.server_pid = 100 + i;
    f.process_state = "S";
    f.read_only = i > 0;
    f.role = f.role_wanted = i == 0 ? MemberRole::primary : MemberRole::replica;
    f.log_bin = f.log_replica_updates = true;
    f.volumes.push_back({"data", "/data", uint64_t{100} << 30, uint64_t{60} << 30, 1000, 900});
    f.instance = "host:" + std::to_string(1000 + i) + " /data";
    f.started_at = 1'700'000'000.0 + 100 * i;
    f.server_id = static_cast<uint64_t>(i) + 1;
    if (i > 0) {
      f.following.push_back(stream("127.0.0.1:1000"));
      f.upstream_wanted = "127.0.0.1:1000";
    } else {
      f.followers = 2;
    }
    switch (engine) {
      case Engine::mysql:
        f.lineage = f.server_uuid = kUuid[i];
        f.gtid_mode = true;
        f.offline_mode = false;
        f.version = "9.7.4";
        f.executed = std::string(kUuid[0]) + ":1-100";
        break;
      case Engine::mariadb:
        f.executed = "0-1-100";
        f.gtid_strict = true;
        f.version = "10.11.6-MariaDB-log";
        if (i > 0) f.slave_pos = "0-1-100";
        break;
      case Engine::postgres:
        f.lineage = "7000000000000000001";
        f.timeline = 1;
        f.executed = f.received = "0/5000000";
        f.version = "15.4 (Debian 15.4-1)";
        f.checksums = true;
        f.archives = false;
        if (i == 0) f.slots.emplace();
        break;
      case Engine::galera: {
        f.role = MemberRole::node;
        f.role_wanted = MemberRole::unknown;
        f.read_only = false;
        f.following.clear();
        f.followers.reset();
        f.upstream_wanted.clear();
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

void take_down(MemberFacts& f, const char* state = "stopped") {
  const std::string executed = f.executed, lineage = f.lineage;
  const bool had_galera = f.galera.has_value();
  MemberFacts down;
  down.member = f.member;
  down.reach = Reach::unreachable;
  down.error = "connection refused";
  down.agent = true;
  down.server_state = state;
  down.role_wanted = f.role_wanted;
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

struct Case {
  const char* name;
  Engine engine;
  std::function<void(World&)> break_it;
  const char* diagnosis;
  size_t member;
  Verdict verdict;
  Action action;
};

const Case kCases[] = {
    {"applier stopped", Engine::mariadb, [](World& w) { w[1].following[0].applying = false; }, "replica-thread-stopped",
     1, Verdict::stopped, Action::resume},
    {"receiver stopped", Engine::mysql,
     [](World& w) {
       w[1].following[0].receiving = false;
       w[1].following[0].receive_state = "No";
     },
     "replica-thread-stopped", 1, Verdict::stopped, Action::resume},
    {"duplicate key", Engine::mysql,
     [](World& w) {
       w[2].following[0].applying = false;
       w[2].following[0].apply_errno = 1062;
       w[2].following[0].apply_error = "Duplicate entry";
     },
     "replica-apply-error", 2, Verdict::broken, Action::rebuild},
    {"a lock in the applier's way", Engine::mysql,
     [](World& w) {
       w[2].following[0].applying = false;
       w[2].following[0].apply_errno = 1205;
       w[2].following[0].apply_error = "Lock wait timeout exceeded";
     },
     "replica-apply-error", 2, Verdict::broken, Action::resume},
    {"damaged relay log", Engine::mysql,
     [](World& w) {
       w[2].following[0].applying = false;
       w[2].following[0].apply_errno = 13117;
       w[2].following[0].apply_error = "Event crc check failed! Most likely there is event corruption.";
     },
     "replica-relay-log-damaged", 2, Verdict::broken, Action::resume},
    {"the server number of another", Engine::mysql,
     [](World& w) {
       auto& f = w[1].following[0];
       f.receiving = false;
       f.receive_state = "No";
       f.receive_errno = 13117;
       f.receive_error =
           "Fatal error: The replica I/O thread stops because source and replica have equal MySQL server ids";
     },
     "replica-not-receiving", 1, Verdict::broken, Action::rebuild},
    {"the server UUID of another", Engine::mysql,
     [](World& w) {
       auto& f = w[1].following[0];
       f.receiving = false;
       f.receive_state = "No";
       f.receive_errno = 13117;
       f.receive_error =
           "Fatal error: The replica I/O thread stops because source and replica have equal MySQL server UUIDs";
     },
     "replica-not-receiving", 1, Verdict::broken, Action::rebuild},
    {"purged log", Engine::mariadb,
     [](World& w) {
       auto& f = w[1].following[0];
       f.receiving = false;
       f.receive_state = "No";
       f.receive_errno = 1236;
       f.receive_error = "Could not find GTID state requested by slave in any binlog files";
     },
     "replica-log-purged", 1, Verdict::stale, Action::rebuild},
    {"purged log, in the words of MySQL 9", Engine::mysql,
     [](World& w) {
       auto& f = w[1].following[0];
       f.receiving = false;
       f.receive_state = "No";
       f.receive_errno = 13114;
       f.receive_error =
           "Got fatal error 1236 from source when reading data from binary log: 'Cannot replicate because "
           "the source purged required binary logs. Replicate the missing transactions from elsewhere'";
     },
     "replica-log-purged", 1, Verdict::stale, Action::rebuild},
    {"errant", Engine::mysql, [](World& w) { w[1].executed += std::string(",") + kUuid[1] + ":1-3"; },
     "errant-transactions", 1, Verdict::diverged, Action::rebuild},
    {"errant maria", Engine::mariadb, [](World& w) { w[1].executed = "0-1-100,0-2-101"; }, "errant-transactions", 1,
     Verdict::diverged, Action::rebuild},
    {"detached", Engine::mysql,
     [](World& w) {
       w[1].following.clear();
       w[1].role = MemberRole::primary;
     },
     "replica-detached", 1, Verdict::broken, Action::resume},
    {"wrong source", Engine::mysql, [](World& w) { w[1].following[0].upstream = "10.9.9.9:3306"; },
     "replica-wrong-source", 1, Verdict::broken, Action::resume},
    {"writable", Engine::mariadb, [](World& w) { w[1].read_only = false; }, "replica-writable", 1, Verdict::broken,
     Action::resume},
    {"filters", Engine::mysql, [](World& w) { w[1].following[0].filters = {"Replicate_Ignore_DB=x"}; },
     "replica-filters", 1, Verdict::broken, Action::nothing},
    {"lag", Engine::mysql, [](World& w) { w[1].following[0].lag_seconds = 600; }, "replica-lagging", 1,
     Verdict::catching_up, Action::nothing},
    {"lag unknown", Engine::mysql, [](World& w) { w[1].following[0].lag_seconds.reset(); }, "replica-lagging", 1,
     Verdict::catching_up, Action::nothing},
    {"state unknown", Engine::mysql, [](World& w) { w[1].following[0].applying.reset(); }, "replica-state-unknown", 1,
     Verdict::broken, Action::nothing},
    {"stopped server", Engine::mysql, [](World& w) { take_down(w[1]); }, "server-stopped", 1, Verdict::stopped,
     Action::restart},
    {"crashed server", Engine::postgres, [](World& w) { take_down(w[1], "failed"); }, "server-crashed", 1,
     Verdict::stopped, Action::restart},
    {"damaged data", Engine::postgres,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].log_tail = "LOG: starting\nPANIC: could not locate a valid checkpoint record\n";
     },
     "data-damaged", 1, Verdict::broken, Action::reseed},
    {"damaged data, words not known", Engine::mariadb,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].log_tail =
           "Starting MariaDB\n[ERROR] InnoDB: Plugin initialization aborted with error Data structure "
           "corruption\n[ERROR] Aborting\n";
     },
     "data-damaged", 1, Verdict::broken, Action::rebuild},
    {"damage mended since", Engine::mariadb,
     [](World& w) {
       take_down(w[1]);
       w[1].log_tail = "[ERROR] InnoDB: Database page corruption\nStarting MariaDB\nShutdown complete\n";
     },
     "server-stopped", 1, Verdict::stopped, Action::restart},
    {"no control file", Engine::postgres,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].log_tail = "postgres: could not find the database system\n";
     },
     "data-damaged", 1, Verdict::broken, Action::reseed},
    {"hangs on a full disk", Engine::mariadb,
     [](World& w) {
       w[1].reach = Reach::timeout;
       w[1].volumes.push_back({"data", "/data", uint64_t{100} << 30, 0, 1000, 900});
     },
     "server-hung", 1, Verdict::broken, Action::nothing},
    {"no agent, Galera crashed", Engine::galera,
     [](World& w) {
       take_down(w[1], "");
       w[1].agent = false;
       w[1].stored->seqno = -1;
       w[1].stored->position.clear();
       w[1].stored->position_unknown = "grastate.dat says -1";
     },
     "server-unreachable", 1, Verdict::stopped, Action::restart},
    {"foreign, none recorded", Engine::postgres, [](World& w) { w[1].lineage = "7999999999999999999"; },
     "foreign-history", 1, Verdict::foreign, Action::nothing},
    {"foreign and down, none recorded", Engine::galera,
     [](World& w) {
       take_down(w[1]);
       w[1].stored->lineage = kUuid[2];
       w[1].stored->position = std::string(kUuid[2]) + ":5";
     },
     "foreign-history", 1, Verdict::foreign, Action::nothing},
    {"opened, nothing written", Engine::mysql,
     [](World& w) {
       w[1].following.clear();
       w[1].role = MemberRole::primary;
       w[1].read_only = false;
     },
     "several-writers", 1, Verdict::broken, Action::resume},
    {"no data", Engine::mariadb,
     [](World& w) {
       take_down(w[2]);
       w[2].stored->data = StoredFacts::Data::missing;
       w[2].stored->position.clear();
     },
     "data-missing", 2, Verdict::empty, Action::rebuild},
    {"hung", Engine::mysql, [](World& w) { w[1].reach = Reach::timeout; }, "server-hung", 1, Verdict::unknown,
     Action::nothing},
    {"frozen", Engine::mysql,
     [](World& w) {
       w[1].reach = Reach::timeout;
       w[1].process_state = "T";
     },
     "server-frozen", 1, Verdict::broken, Action::restart},
    {"denied", Engine::postgres, [](World& w) { w[1].reach = Reach::denied; }, "access-denied", 1, Verdict::unknown,
     Action::nothing},
    {"cut off", Engine::mysql,
     [](World& w) {
       w[1].tcp = false;
       w[1].tcp_error = "no answer in time";
     },
     "tcp-unreachable", 1, Verdict::broken, Action::nothing},
    {"no agent", Engine::mysql, [](World& w) { w[1].agent = false; }, "agent-gone", 1, Verdict::broken,
     Action::nothing},
    {"foreign", Engine::postgres,
     [](World& w) {
       w.cluster.lineage = "7000000000000000001";
       w[1].lineage = "7999999999999999999";
     },
     "foreign-history", 1, Verdict::foreign, Action::rebuild},
    {"slot lost", Engine::postgres,
     [](World& w) {
       w[1].following[0].slot = "m1";
       w[1].following[0].receiving = false;
       w[0].slots->push_back({"m1", true, false, "lost", {}});
     },
     "replica-slot-lost", 1, Verdict::stale, Action::reseed},
    {"replay paused", Engine::postgres, [](World& w) { w[1].following[0].applying = false; }, "replica-thread-stopped",
     1, Verdict::stopped, Action::resume},
    {"old timeline", Engine::postgres,
     [](World& w) {
       w[0].timeline = 2;
       w[0].history = "1\t0/6000000\tno recovery target specified\n";
       w[0].executed = "0/7000000";
       w[1].following[0].receiving = false;
       w[2].timeline = 2;
       w[2].history = w[0].history;
       w[2].received = w[2].executed = "0/7000000";
     },
     "timeline-behind", 1, Verdict::stale, Action::rewind},
    {"archiving", Engine::postgres, [](World& w) { w[0].archive_problem = "3 failures"; }, "archiving-fails", 0,
     Verdict::broken, Action::nothing},
    {"checksum failures", Engine::postgres, [](World& w) { w[1].checksum_failures = 2; }, "page-checksum-failures", 1,
     Verdict::broken, Action::reseed},
    {"wsrep off", Engine::galera, [](World& w) { w[1].galera->wsrep_on = false; }, "galera-replication-off", 1,
     Verdict::broken, Action::rebuild},
    {"voted out", Engine::galera,
     [](World& w) {
       w[1].galera->status = "Disconnected";
       w[1].galera->state = "Inconsistent";
       for (int i : {0, 2}) w[i].galera->view = {"127.0.0.1:1000", "127.0.0.1:1002"};
     },
     "galera-inconsistent", 1, Verdict::broken, Action::rebuild},
    {"rejects queries", Engine::galera, [](World& w) { w[1].galera->reject_queries = "ALL"; }, "galera-not-ready", 1,
     Verdict::broken, Action::resume},
    {"role not told", Engine::mysql,
     [](World& w) {
       w[1].role = MemberRole::unknown;
       w[1].following.clear();
     },
     "member-role-unknown", 1, Verdict::unknown, Action::nothing},
    {"agent frozen", Engine::mysql, [](World& w) { w[1].server_state.clear(); }, "agent-hung", 1, Verdict::broken,
     Action::nothing},
    {"more than the source", Engine::mysql,
     [](World& w) {
       auto& f = w[1].following[0];
       f.receiving = false;
       f.receive_state = "No";
       f.receive_errno = 13114;
       f.receive_error = "the replica has more GTIDs than the source has";
     },
     "replica-position-refused", 1, Verdict::broken, Action::rebuild},
    {"lower settings", Engine::postgres,
     [](World& w) {
       w[0].standby_limits = {{"max_connections", 150}};
       w[1].standby_limits = {{"max_connections", 100}};
       w[1].replay_paused = true;
       w[1].following[0].applying = false;
     },
     "replica-settings-too-small", 1, Verdict::broken, Action::resume},
    {"read-only sessions", Engine::postgres, [](World& w) { w[0].default_read_only = true; }, "sessions-read-only", 0,
     Verdict::broken, Action::nothing},
    {"non-primary", Engine::galera,
     [](World& w) {
       w[1].galera->status = "non-Primary";
       w[1].galera->size = 1;
       for (int i : {0, 2}) w[i].galera->view = {"127.0.0.1:1000", "127.0.0.1:1002"};
     },
     "galera-non-primary", 1, Verdict::broken, Action::restart},
    {"desynced", Engine::galera,
     [](World& w) {
       w[1].galera->state = "Donor/Desynced";
       w[1].galera->desynced = true;
     },
     "galera-not-synced", 1, Verdict::catching_up, Action::resume},
    {"donor", Engine::galera, [](World& w) { w[1].galera->state = "Donor/Desynced"; }, "galera-not-synced", 1,
     Verdict::catching_up, Action::nothing},
    {"state lost", Engine::galera,
     [](World& w) {
       take_down(w[1]);
       w[1].stored->lineage = "00000000-0000-0000-0000-000000000000";
       w[1].stored->seqno = -1;
       w[1].stored->position.clear();
     },
     "galera-state-lost", 1, Verdict::broken, Action::rebuild},
    {"a state comes", Engine::galera,
     [](World& w) {
       take_down(w[1], "starting");
       w[1].stored->aborted_transfer = "sst_in_progress";
       w[1].stored->transfer_still_seconds = 5;
     },
     "galera-receiving-state", 1, Verdict::catching_up, Action::nothing},
    {"a state comes no more", Engine::galera,
     [](World& w) {
       take_down(w[1], "starting");
       w[1].stored->aborted_transfer = "sst_in_progress";
       w[1].stored->transfer_still_seconds = 25;
     },
     "galera-transfer-stuck", 1, Verdict::broken, Action::rebuild},
    {"a state came half way", Engine::galera,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].stored->aborted_transfer = "sst_in_progress";
       w[1].stored->transfer_still_seconds = 5;
     },
     "galera-aborted-transfer", 1, Verdict::broken, Action::rebuild},
    {"behind every cache", Engine::galera,
     [](World& w) {
       take_down(w[1]);
       for (int i : {0, 2}) w[i].galera->cached_downto = 102 + i;
       for (int i : {0, 2}) w[i].executed = std::string(kUuid[0]) + ":200";
     },
     "galera-behind-caches", 1, Verdict::stale, Action::rebuild},
    {"two components", Engine::galera,
     [](World& w) {
       w[0].galera->view = {"127.0.0.1:1000"};
       w[1].galera->view = w[2].galera->view = {"127.0.0.1:1001", "127.0.0.1:1002"};
     },
     "galera-two-components", 1, Verdict::broken, Action::nothing},
    {"disk full", Engine::mysql,
     [](World& w) { w[1].volumes.push_back({"data", "/data", uint64_t{100} << 30, 1 << 20, 1000, 900}); }, "disk-full",
     1, Verdict::broken, Action::nothing},
    {"certificate ended", Engine::mariadb, [](World& w) { w[1].certificate_seconds_left = -100; }, "certificate-ending",
     1, Verdict::broken, Action::nothing},
    {"one server described twice", Engine::mysql,
     [](World& w) {
       w[2] = w[0];
       w[2].member = MemberName("m2");
       w[2].started_at = *w[0].started_at + 1;  // told in whole seconds
     },
     "same-server-twice", 2, Verdict::unknown, Action::nothing},
    {"one standby described twice", Engine::postgres,
     [](World& w) {
       w[2] = w[1];
       w[2].member = MemberName("m2");
     },
     "same-server-twice", 2, Verdict::unknown, Action::nothing},
    {"server_id of the primary", Engine::mariadb, [](World& w) { w[1].server_id = 1; }, "server-id-duplicate", 1,
     Verdict::broken, Action::rebuild},
    {"server_uuid of the primary", Engine::mysql, [](World& w) { w[1].server_uuid = kUuid[0]; }, "server-id-duplicate",
     1, Verdict::broken, Action::rebuild},
    {"offline", Engine::mysql, [](World& w) { w[1].offline_mode = true; }, "offline-mode", 1, Verdict::broken,
     Action::nothing},
    {"writes behind a lock", Engine::mariadb,
     [](World& w) { w[0].locked_writes.push_back({7, 20, "Waiting for backup lock"}); }, "writes-locked", 0,
     Verdict::broken, Action::nothing},
    {"archiver hangs", Engine::postgres,
     [](World& w) {
       w[0].archives = true;
       w[0].archive_waiting = 9;
       w[0].archive_waits_seconds = 3600;
     },
     "archiving-stalled", 0, Verdict::broken, Action::nothing},
    {"isolated", Engine::mysql, [](World& w) { w[1].server_mode = "isolated"; }, "server-isolated", 1, Verdict::stopped,
     Action::restart},
    {"on the side directory", Engine::mariadb,
     [](World& w) {
       w[1].server_data = "side";
       w[1].server_pid = 7;
       w[1].leftovers = {{Leftover::Kind::side, "/m1/data.new"}};
     },
     "server-on-side-directory", 1, Verdict::broken, Action::rebuild},
};

TEST(Triage, WhatOperationsLeftIsToldAndChangesNoVerdict) {
  for (const auto& [kind, id] : {std::pair(Leftover::Kind::side, "side-directory-left"),
                                 std::pair(Leftover::Kind::half_made, "side-directory-left"),
                                 std::pair(Leftover::Kind::replaced, "replaced-directory-left")}) {
    auto world = healthy(Engine::postgres);
    world[1].leftovers = {{kind, "/m1/data.there"}};
    const auto report = world.report();
    EXPECT_TRUE(report.healthy);
    ASSERT_EQ(report.diagnoses.size(), 1u);
    EXPECT_EQ(report.diagnoses[0].id, id);
    EXPECT_NE(report.diagnoses[0].evidence.at(0).find("/m1/data.there"), std::string::npos);
    EXPECT_TRUE(report.members[1].healthy());
  }
  auto world = healthy(Engine::mysql);
  world[1].agent_work = "initialise (copy)";
  world[1].leftovers = {{Leftover::Kind::half_made, "/m1/data.new"}};
  const auto report = world.report();
  ASSERT_EQ(report.diagnoses.size(), 1u) << "what is being made is no leftover";
  EXPECT_EQ(report.diagnoses[0].id, "agent-at-work");
}

TEST(Triage, HealthyClustersAreHealthyAndProvable) {
  for (Engine engine : {Engine::mariadb, Engine::galera, Engine::mysql, Engine::postgres}) {
    auto report = healthy(engine).report();
    EXPECT_TRUE(report.healthy) << engine_name(engine) << ": " << report.sentence;
    EXPECT_TRUE(report.diagnoses.empty()) << report.diagnoses[0].id;
    EXPECT_EQ(report.authority.kind, AuthorityKind::provable) << engine_name(engine);
  }
}

TEST(Triage, EachBreakageIsNamedAndJudged) {
  for (const auto& c : kCases) {
    World w = healthy(c.engine);
    c.break_it(w);
    const auto report = w.report();
    std::string ids;
    for (const auto& d : report.diagnoses) ids += d.id + " ";
    EXPECT_TRUE(report.has(c.diagnosis)) << c.name << ": " << ids;
    EXPECT_FALSE(report.healthy) << c.name;
    EXPECT_EQ(verdict_name(report.members[c.member].verdict), verdict_name(c.verdict)) << c.name << ": " << ids;
    EXPECT_EQ(action_name(report.members[c.member].action), action_name(c.action)) << c.name << ": " << ids;
    for (size_t i = 0; i < report.members.size(); ++i) {
      if (i == c.member || std::string(c.name) == "two components") continue;
      EXPECT_TRUE(report.members[i].healthy()) << c.name << ": m" << i << ": " << report.members[i].sentence;
    }
  }
}

/// Said while the cluster counts as healthy: what is changed, what is said, and what is just not enough to say it.
struct Remark {
  const char* name;
  Engine engine;
  std::function<void(World&)> change;
  const char* diagnosis;
  Severity severity;
  std::function<void(World&)> harmless;
};

const Remark kRemarks[] = {
    {"gtid_mode", Engine::mariadb, [](World& w) { w[1].gtid_strict = false; }, "gtid-not-strict", Severity::info,
     [](World& w) { w[1].gtid_strict.reset(); }},
    {"older replica", Engine::mysql, [](World& w) { w[1].version = "8.4.2"; }, "version-skew", Severity::warning,
     [](World& w) { w[1].version = "9.10.0"; }},
    {"older replica, MariaDB", Engine::mariadb, [](World& w) { w[1].version = "5.5.5-10.6.12-MariaDB"; },
     "version-skew", Severity::warning, [](World& w) { w[1].version = "5.5.5-10.11.1-MariaDB"; }},
    {"older node", Engine::galera,
     [](World& w) {
       w[0].version = w[1].version = "10.11.6-MariaDB";
       w[2].version = "10.6.1-MariaDB";
     },
     "version-skew", Severity::warning,
     [](World& w) { w[0].version = w[1].version = w[2].version = "10.6.1-MariaDB"; }},
    {"older minor release", Engine::postgres, [](World& w) { w[1].version = "14.9"; }, "version-skew",
     Severity::warning, [](World& w) { w[1].version = "15.1"; }},
    {"account that may write", Engine::mariadb,
     [](World& w) { w[1].write_bypass = {"'app'@'%'", "'root'@'localhost'"}; }, "read-only-bypass", Severity::warning,
     [](World& w) {
       w.cluster.credentials.user = "keeper";
       w[1].write_bypass = {"'keeper'@'%'", "'root'@'localhost'"};
       w[0].write_bypass = {"'app'@'%'"};  // of the primary only: it is no replica
     }},
    {"no page checksums", Engine::postgres, [](World& w) { w[1].checksums = false; }, "page-checksums-off",
     Severity::info, [](World& w) { w[1].checksums.reset(); }},
    {"short timeout", Engine::mysql,
     [](World& w) {
       w.cluster.replication = ReplicationMode::semi_sync;
       w[0].semi_sync = {true, true, false, false, 2, "AFTER_SYNC", 100};
     },
     "semi-sync-timeout-short", Severity::warning,
     [](World& w) {
       w.cluster.replication = ReplicationMode::semi_sync;
       w[0].semi_sync = {true, true, false, false, 2, "AFTER_SYNC", 10'000};
     }},
    {"none may be lost", Engine::mariadb,
     [](World& w) {
       w.cluster.replication = ReplicationMode::semi_sync;
       w.cluster.annotations["holdfast.dev/rpo"] = "0";
       w[0].semi_sync = {true, true, false, false, 2, "AFTER_SYNC", 10'000};
     },
     "semi-sync-timeout-short", Severity::warning,
     [](World& w) {
       w.cluster.replication = ReplicationMode::semi_sync;
       w.cluster.annotations["holdfast.dev/rpo"] = "0";
       w[0].semi_sync = {true, true, false, false, 2, "AFTER_SYNC", 4'294'967'295};
     }},
    {"nobody acknowledges", Engine::mariadb,
     [](World& w) { w[0].semi_sync = {true, true, false, false, 0, "AFTER_SYNC", 10'000}; }, "semi-sync-nobody",
     Severity::warning, [](World& w) { w[0].semi_sync = {false, false, false, false, 0, "AFTER_SYNC", 10'000}; }},
    {"ignores split brain", Engine::galera, [](World& w) { w[1].galera->provider_options["pc.ignore_sb"] = "true"; },
     "galera-unsafe-options", Severity::warning, [](World& w) { w[1].galera->provider_options["pc.weight"] = "2"; }},
    {"no vote", Engine::galera, [](World& w) { w[1].galera->provider_options["pc.weight"] = "0"; },
     "galera-unsafe-options", Severity::warning, [](World& w) { w[1].galera->provider_options.clear(); }},
    {"applier behind a lock", Engine::mysql,
     [](World& w) { w[1].locked_writes.push_back({7, 20, "Waiting for global read lock"}); }, "writes-locked",
     Severity::warning, [](World& w) { w[0].locked_writes.push_back({7, 4, "Waiting for global read lock"}); }},
    {"prepared and left", Engine::mysql, [](World& w) { w[0].open_transactions.push_back({"1557", true, 61}); },
     "transaction-forgotten", Severity::warning,
     [](World& w) { w[0].open_transactions.push_back({"1557", true, 59}); }},
    {"idle in a transaction", Engine::postgres,
     [](World& w) { w[0].open_transactions.push_back({"of session 17", false, 601}); }, "transaction-forgotten",
     Severity::warning, [](World& w) { w[0].open_transactions.push_back({"of session 17", false, 599}); }},
    {"receives nothing", Engine::mysql, [](World& w) { w[1].following[0].silent_seconds = 3.1; }, "replica-silent",
     Severity::warning,
     [](World& w) {
       w[1].following[0].silent_seconds.reset();
       w[1].following[0].lag_seconds = 1;
     }},
    {"archiver waits", Engine::postgres,
     [](World& w) {
       w[0].archives = true;
       w[0].archive_waiting = 1;
       w[0].archive_waits_seconds = 61;
       w[0].archived_seconds_ago = 300;
     },
     "archiving-stalled", Severity::warning,
     [](World& w) {
       w[0].archives = true;
       w[0].archive_waiting = 5;
       w[0].archive_waits_seconds = 300;  // many wait, and they go
       w[0].archived_seconds_ago = 2;
     }},
    {"disk full within the hour", Engine::mysql,
     [](World& w) {
       w[1].volumes[0].growth = 20.0 * (1 << 20);
       w[1].volumes[0].growth_seconds = 600;
     },
     "disk-filling", Severity::warning,
     [](World& w) {
       w[1].volumes[0].growth = 20.0 * (1 << 20);
       w[1].volumes[0].growth_seconds = 120;  // too short a look for an hour
       w[0].volumes[0].growth = -5e9;
       w[0].volumes[0].growth_seconds = 3600;
     }},
    {"disks nobody looks at", Engine::mysql, [](World& w) { w[1].agent.reset(); }, "disk-unseen", Severity::info,
     [](World&) {}},
    {"disks an agent cannot tell", Engine::galera, [](World& w) { w[1].volumes.clear(); }, "disk-unseen",
     Severity::info, [](World&) {}},
};

TEST(Triage, WhatIsRemarkedLeavesTheClusterHealthy) {
  for (const auto& c : kRemarks) {
    World w = healthy(c.engine);
    c.change(w);
    auto report = w.report();
    EXPECT_TRUE(report.has(c.diagnosis)) << c.name;
    EXPECT_TRUE(report.healthy) << c.name << ": " << report.sentence;
    for (const auto& d : report.diagnoses) {
      EXPECT_EQ(d.id, c.diagnosis) << c.name;
      EXPECT_EQ(severity_name(d.severity), severity_name(c.severity)) << c.name;
    }
    w = healthy(c.engine);
    c.harmless(w);
    report = w.report();
    EXPECT_TRUE(report.diagnoses.empty()) << c.name << ", harmless: " << report.diagnoses[0].id;
  }
}

TEST(Triage, WhateverIsWrongTheNextCommandIsNamed) {
  std::set<std::string> told;
  const auto look = [&](const TriageReport& report) {
    for (const auto& d : report.diagnoses) {
      told.insert(d.id);
      if (d.severity >= Severity::warning) {
        EXPECT_NE(d.remedy.find("holdfast "), std::string::npos) << d.id << ": " << d.remedy;
      }
    }
  };
  for (const auto& c : kCases) {
    World w = healthy(c.engine);
    c.break_it(w);
    look(w.report());
  }
  for (const auto& c : kRemarks) {
    World w = healthy(c.engine);
    c.change(w);
    look(w.report());
  }
  EXPECT_GT(told.size(), 50u);
}

TEST(Triage, AServerDescribedTwiceProvesNothingOfTheMemberNobodyLookedAt) {
  World w = healthy(Engine::mysql);
  w[2] = w[0];
  w[2].member = MemberName("m2");
  const auto report = w.report();
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  EXPECT_FALSE(report.has("several-writers")) << "one primary seen twice is no split brain";
  EXPECT_FALSE(report.has("server-id-duplicate"));
  EXPECT_FALSE(report.has("server-unreachable"));
  EXPECT_EQ(report.leader, "m0");

  w = healthy(Engine::mysql);  // containers may all say the same of themselves, but they did not start as one
  w[2].instance = w[0].instance;
  EXPECT_FALSE(w.report().has("same-server-twice"));
}

TEST(Triage, MembersOfAGaleraClusterMayShareAServerId) {
  World w = healthy(Engine::galera);
  for (auto& f : w.facts) f.server_id = 1;
  EXPECT_TRUE(w.report().diagnoses.empty());
}

TEST(Triage, WithoutGtidsNothingIsProvableAndTheReasonIsNamed) {
  World w = healthy(Engine::mysql);
  w[0].gtid_mode = false;
  const auto report = w.report();
  EXPECT_TRUE(report.has("gtid-mode-off"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
}

TEST(Triage, MemberWithoutFactsIsUnknownAndNothingIsProvable) {
  World w = healthy(Engine::mysql);
  w.facts.pop_back();
  const auto report = w.report();
  EXPECT_FALSE(report.healthy);
  EXPECT_EQ(report.members[2].verdict, Verdict::unknown);
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
}

TEST(Triage, ACrashedPrimaryReadFromItsFilesStaysTheAuthority) {
  for (Engine engine : {Engine::mariadb, Engine::mysql}) {
    World w = healthy(engine);
    take_down(w[0], "failed");
    for (int i : {1, 2}) {
      w[i].following[0].receiving = false;
      w[i].following[0].receive_state = "Connecting";
      w[i].following[0].receive_errno = 2003;
    }
    const auto report = w.report();
    EXPECT_TRUE(report.has("no-writer"));
    EXPECT_TRUE(report.has("replica-source-unreachable"));
    EXPECT_EQ(report.authority.kind, AuthorityKind::provable) << engine_name(engine);
    EXPECT_EQ(report.members[0].action, Action::restart);
  }
}

TEST(Triage, TwoWritersAreSplitBrain) {
  World w = healthy(Engine::mysql);
  w[1].following.clear();
  w[1].role = w[1].role_wanted = MemberRole::primary;
  w[1].read_only = false;
  w[1].executed += std::string(",") + kUuid[1] + ":1";
  w[0].executed = std::string(kUuid[0]) + ":1-120";
  const auto report = w.report();
  EXPECT_TRUE(report.has("several-writers"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::diverged);
  EXPECT_EQ(report.diagnoses[0].severity, Severity::critical);
  for (int i : {0, 1}) {
    EXPECT_EQ(report.members[i].verdict, Verdict::diverged);
    EXPECT_EQ(report.members[i].action, Action::nothing);
  }
}

TEST(Triage, TwoWritersOfOneTimelineAreUnknownBoth) {
  World w = healthy(Engine::postgres);
  w[1].following.clear();
  w[1].role = w[1].role_wanted = MemberRole::primary;
  w[1].read_only = false;
  w[1].executed = w[1].received = "0/5000100";
  const auto report = w.report();
  EXPECT_TRUE(report.has("several-writers"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  for (int i : {0, 1}) EXPECT_EQ(report.members[i].verdict, Verdict::unknown);
}

TEST(Triage, AMemberWithoutDataIsNotToldToRestart) {
  World w = healthy(Engine::mariadb);
  take_down(w[2]);
  w[2].stored->data = StoredFacts::Data::missing;
  w[2].stored->position.clear();
  EXPECT_FALSE(w.report().has("server-stopped"));
}

TEST(Triage, APromotedMemberWhoseAgentDoesNotKnowIsAWarning) {
  World w = healthy(Engine::mysql);
  take_down(w[0]);
  w[1].following.clear();
  w[1].role = MemberRole::primary;
  w[1].read_only = false;
  w[1].followers = 1;
  w[2].following[0].upstream = w[2].upstream_wanted = "127.0.0.1:1001";
  const auto report = w.report();
  EXPECT_TRUE(report.has("replica-detached"));
  EXPECT_TRUE(report.members[1].healthy());
  for (const auto& d : report.diagnoses)
    if (d.id == "replica-detached") {
      EXPECT_EQ(d.severity, Severity::warning);
    }
}

TEST(Triage, WhatAReplicaWroteItselfIsErrantAndNotThePrimarysLoss) {
  World w = healthy(Engine::mysql);
  w[1].executed += std::string(",") + kUuid[1] + ":1";
  auto report = w.report();
  EXPECT_TRUE(report.has("errant-transactions"));
  EXPECT_FALSE(report.has("leader-not-primary"));
  EXPECT_EQ(report.members[1].errant.count, 1u);

  w = healthy(Engine::mysql);  // the primary lost what it wrote itself: its replicas hold the last copies
  w[0].executed = std::string(kUuid[0]) + ":1-90";
  report = w.report();
  EXPECT_TRUE(report.has("leader-not-primary"));
  EXPECT_FALSE(report.has("errant-transactions"));
  EXPECT_EQ(report.members[1].action, Action::nothing);
}

TEST(Triage, SemiSyncThatFellBackIsTold) {
  World w = healthy(Engine::mariadb);
  w.cluster.replication = ReplicationMode::semi_sync;
  w[0].semi_sync.source_enabled = w[0].semi_sync.source_active = true;
  w[1].semi_sync.replica_enabled = w[2].semi_sync.replica_enabled = true;
  EXPECT_TRUE(w.report().healthy);
  w[0].semi_sync.source_active = false;
  EXPECT_TRUE(w.report().has("semi-sync-off"));
  w[0].semi_sync.source_active = true;
  w[1].semi_sync.replica_enabled = false;
  EXPECT_TRUE(w.report().has("semi-sync-replica-off"));
}

TEST(Triage, AllGaleraDownNamesWhatIsKnownOfEach) {
  World w = healthy(Engine::galera);
  for (auto& f : w.facts) take_down(f, "failed");
  w[1].stored->seqno = -1;
  w[1].stored->position.clear();
  w[1].stored->position_unknown = "it crashed: grastate.dat says -1";
  const auto report = w.report();
  EXPECT_TRUE(report.has("galera-no-primary-component"));
  EXPECT_EQ(report.authority.kind, AuthorityKind::undeterminable);
  EXPECT_EQ(report.diagnoses[0].evidence.size(), 3u);
  EXPECT_TRUE(report.diagnoses[0].remedy.starts_with("holdfast inspect -c shop/orders --fence, then "));
  w[1].stored->seqno = 100;
  w[1].stored->position = w[0].stored->position;
  EXPECT_TRUE(w.report().diagnoses[0].remedy.starts_with("holdfast bootstrap -c shop/orders --dry-run"));
}

TEST(Triage, TheLeaderIsNeverAVictim) {
  World w = healthy(Engine::postgres);
  w[0].checksum_failures = 1;
  EXPECT_EQ(w.report().members[0].action, Action::nothing);
}

TEST(Triage, RuleIdsAreUniqueAndPlain) {
  std::set<std::string_view> ids;
  for (const auto& rule : all_rules()) {
    EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
    EXPECT_EQ(rule.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos) << rule.id;
    EXPECT_FALSE(rule.title.empty());
  }
  EXPECT_GE(ids.size(), 80u);
}

}  // namespace
}  // namespace holdfast::cluster
