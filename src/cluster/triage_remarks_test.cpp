// What is said of a cluster that counts as healthy, a line each, and what is just not enough to say it.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::expect_next_commands;
using test::healthy;
using test::World;

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
    {"gtid_mode", Engine::mariadb, [](World& w) { w[1].mysql.gtid_strict = false; }, "gtid-not-strict", Severity::info,
     [](World& w) { w[1].mysql.gtid_strict.reset(); }},
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
    {"a setting that matters once it follows", Engine::mysql,
     [](World& w) { w[0].silent_loss = {"replica_skip_errors=ALL (safe: OFF)"}; }, "silent-loss", Severity::warning,
     [](World& w) { w[0].silent_loss.clear(); }},
    {"schema changes node by node", Engine::galera,
     [](World& w) { w[0].silent_loss = {"wsrep_osu_method=RSU (safe: TOI)"}; }, "silent-loss", Severity::warning,
     [](World& w) { w[0].silent_loss.clear(); }},
    {"no page checksums", Engine::postgres, [](World& w) { w[1].checksums = false; }, "page-checksums-off",
     Severity::info, [](World& w) { w[1].checksums.reset(); }},
    {"no wait while nobody is connected", Engine::mysql,
     [](World& w) {
       w.cluster.replication = ReplicationMode::semi_sync;
       w[0].semi_sync = {true, true, false, false, 2, "AFTER_SYNC", 10'000};
       w[0].semi_sync.waits_for_none = false;
     },
     "semi-sync-timeout-short", Severity::warning,
     [](World& w) {
       w.cluster.replication = ReplicationMode::semi_sync;
       w[0].semi_sync = {true, true, false, false, 2, "AFTER_SYNC", 10'000};
       w[0].semi_sync.waits_for_none = true;
     }},
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
    {"applier behind a backup", Engine::mysql,
     [](World& w) { w[1].applier_waits.push_back({7, 40, "Waiting for global read lock"}); }, "applier-waits-for-lock",
     Severity::warning, [](World& w) { w[1].applier_waits.push_back({7, 1.5, "Waiting for table metadata lock"}); }},
    {"replay behind a report", Engine::postgres,
     [](World& w) {
       w[1].applier_waits.push_back({7, 30, "replay waits: IPC RecoveryConflictSnapshot (ended after 30 s at most)"});
     },
     "applier-waits-for-lock", Severity::warning, [](World&) {}},
    {"binary logs removed", Engine::mariadb, [](World& w) { w[0].lost_logs = {"binlog.000001"}; }, "logs-missing",
     Severity::warning, [](World&) {}},
    {"prepared and left", Engine::mysql, [](World& w) { w[0].open_transactions.push_back({"1557", true, 61}); },
     "transaction-forgotten", Severity::warning,
     [](World& w) { w[0].open_transactions.push_back({"1557", true, 59}); }},
    {"idle in a transaction", Engine::postgres,
     [](World& w) { w[0].open_transactions.push_back({"of session 17", false, 601}); }, "transaction-forgotten",
     Severity::warning, [](World& w) { w[0].open_transactions.push_back({"of session 17", false, 599}); }},
    {"archiver waits", Engine::postgres,
     [](World& w) {
       w[0].postgres.archives = true;
       w[0].postgres.archive_waiting = 1;
       w[0].postgres.archive_waits_seconds = 61;
       w[0].postgres.archived_seconds_ago = 300;
     },
     "archiving-stalled", Severity::warning,
     [](World& w) {
       w[0].postgres.archives = true;
       w[0].postgres.archive_waiting = 5;
       w[0].postgres.archive_waits_seconds = 300;  // many wait, and they go
       w[0].postgres.archived_seconds_ago = 2;
     }},
    {"disk full within the hour", Engine::mysql,
     [](World& w) {
       w[1].runtime.volumes[0].growth = 20.0 * (1 << 20);
       w[1].runtime.volumes[0].growth_seconds = 600;
     },
     "disk-filling", Severity::warning,
     [](World& w) {
       w[1].runtime.volumes[0].growth = 20.0 * (1 << 20);
       w[1].runtime.volumes[0].growth_seconds = 120;  // too short a look for an hour
       w[0].runtime.volumes[0].growth = -5e9;
       w[0].runtime.volumes[0].growth_seconds = 3600;
     }},
    {"disks nobody looks at", Engine::mysql, [](World& w) { w[1].agent.answers.reset(); }, "disk-unseen",
     Severity::info, [](World&) {}},
    {"disks an agent cannot tell", Engine::galera, [](World& w) { w[1].runtime.volumes.clear(); }, "disk-unseen",
     Severity::info, [](World&) {}},
};

TEST(TriageRemarks, LeaveTheClusterHealthy) {
  for (const auto& c : kRemarks) {
    World w = healthy(c.engine);
    c.change(w);
    auto report = w.report();
    expect_next_commands(report);
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

}  // namespace
}  // namespace holdfast::cluster
