// What makes a cluster unhealthy, a line each: how it is broken, what that is called, what the member is then.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "cluster/triage.h"
#include "tests/support/triage_world.h"

namespace holdfast::cluster {
namespace {

using test::expect_next_commands;
using test::healthy;
using test::kUuid;
using test::take_down;
using test::World;

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
    {"its applier waits for a receipt for ever", Engine::mariadb,
     [](World& w) {
       w[1].stuck_commits = {{7, 5, "Waiting for semi-sync ACK from slave"}};
       w[1].semi_sync.timeout_ms = 3'600'000;
     },
     "commits-stuck", 1, Verdict::broken, Action::nothing},
    {"its applier waits for a receipt for a while", Engine::mysql,
     [](World& w) {
       w[1].stuck_commits = {{7, 5, "Waiting for semi-sync ACK from replica"}};
       w[1].semi_sync.timeout_ms = 10'000;
     },
     "commits-stuck", 1, Verdict::catching_up, Action::nothing},
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
    {"a position set ahead of its log", Engine::mariadb,
     [](World& w) {
       w[1].executed = "0-1-72";
       w[1].slave_pos = w[1].received = "0-1-100";
     },
     "position-not-in-log", 1, Verdict::broken, Action::rebuild},
    {"a position set ahead of all", Engine::mariadb, [](World& w) { w[1].slave_pos = w[1].received = "0-1-120"; },
     "position-not-in-log", 1, Verdict::broken, Action::rebuild},
    {"a position, and a log that begins anew", Engine::mariadb, [](World& w) { w[1].executed.clear(); },
     "position-not-in-log", 1, Verdict::broken, Action::nothing},
    {"a hole set into gtid_purged", Engine::mysql,
     [](World& w) { w[1].purged = std::string(kUuid[0]) + ":1-10:50-60"; }, "gtid-purged-hole", 1, Verdict::broken,
     Action::rebuild},
    {"errors passed over", Engine::mysql,
     [](World& w) { w[1].silent_loss = {"replica_exec_mode=IDEMPOTENT (safe: STRICT)"}; }, "silent-loss", 1,
     Verdict::broken, Action::nothing},
    {"written under its primary's number", Engine::mariadb, [](World& w) { w[1].executed = "0-1-103"; },
     "errant-transactions", 1, Verdict::diverged, Action::rebuild},
    {"written under its primary's number, and refused by now", Engine::mariadb,
     [](World& w) {
       w[0].executed = "0-1-105";
       w[1].executed = "0-1-103";
       w[1].following[0].applying = false;
       w[1].following[0].apply_errno = 1950;
       w[1].following[0].apply_error =
           "An attempt was made to binlog GTID 0-1-101 which would create an out-of-order sequence number with existing "
           "GTID 0-1-103, and gtid strict mode is enabled";
     },
     "errant-transactions", 1, Verdict::diverged, Action::rebuild},
    {"closed for clients, not for administrators", Engine::mysql, [](World& w) { w[1].mysql.super_read_only = false; },
     "replica-writable", 1, Verdict::broken, Action::resume},
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
       w[1].runtime.log_tail = "LOG: starting\nPANIC: could not locate a valid checkpoint record\n";
     },
     "data-damaged", 1, Verdict::broken, Action::reseed},
    {"damaged data, words not known", Engine::mariadb,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].runtime.log_tail =
           "Starting MariaDB\n[ERROR] InnoDB: Plugin initialization aborted with error Data structure "
           "corruption\n[ERROR] Aborting\n";
     },
     "data-damaged", 1, Verdict::broken, Action::rebuild},
    {"damage that InnoDB has no word for", Engine::mysql,
     [](World& w) {
       take_down(w[1]);
       w[1].runtime.log_tail =
           "mysqld: ready for connections.\n"  // an earlier run
           "[System] mysqld (mysqld 9.7.4-2) starting as process 7\n"
           "[ERROR] [MY-013183] [InnoDB] Assertion failure: fil0fil.cc:10399:offset <= initial_fsize thread 1\n";
     },
     "data-damaged", 1, Verdict::broken, Action::rebuild},
    {"InnoDB gave up while it served", Engine::mysql,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].runtime.log_tail =
           "[System] mysqld (mysqld 9.7.4-2) starting as process 7\nmysqld: ready for connections.\n"
           "[ERROR] [MY-013183] [InnoDB] Assertion failure: fil0fil.cc:10399:offset <= initial_fsize thread 1\n";
     },
     "server-crashed", 1, Verdict::stopped, Action::restart},
    {"InnoDB gave up, nobody knows when", Engine::mysql,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].runtime.log_tail =
           "[ERROR] [MY-013183] [InnoDB] Assertion failure: fil0fil.cc:10399:offset <= initial_fsize thread 1\n";
     },
     "server-crashed", 1, Verdict::stopped, Action::restart},
    {"damage mended since", Engine::mariadb,
     [](World& w) {
       take_down(w[1]);
       w[1].runtime.log_tail = "[ERROR] InnoDB: Database page corruption\nStarting MariaDB\nShutdown complete\n";
     },
     "server-stopped", 1, Verdict::stopped, Action::restart},
    {"no control file", Engine::postgres,
     [](World& w) {
       take_down(w[1], "failed");
       w[1].runtime.log_tail = "postgres: could not find the database system\n";
     },
     "data-damaged", 1, Verdict::broken, Action::reseed},
    {"part of its directory gone, and not started since", Engine::postgres,
     [](World& w) {
       take_down(w[1]);
       w[1].runtime.missing_parts = {"pg_xact"};
     },
     "data-damaged", 1, Verdict::broken, Action::reseed},
    {"the file of its server_uuid gone with more, and not started since", Engine::mysql,
     [](World& w) {
       take_down(w[1]);
       w[1].runtime.missing_parts = {"auto.cnf", "ibdata1"};
     },
     "data-damaged", 1, Verdict::broken, Action::rebuild},
    {"the file of its server_uuid gone, and no session gets in", Engine::mysql,
     [](World& w) {
       w[1].reach = Reach::unreachable;
       w[1].runtime.state = "running";
       w[1].runtime.missing_parts = {"auto.cnf"};
     },
     "server-unreachable", 1, Verdict::unknown, Action::nothing},
    {"part of its directory gone, and no session gets in", Engine::postgres,
     [](World& w) {
       w[1].reach = Reach::unreachable;
       w[1].runtime.state = "running";
       w[1].runtime.missing_parts = {"global/pg_control"};
     },
     "data-damaged", 1, Verdict::broken, Action::reseed},
    {"the index of its binary logs gone", Engine::mysql,
     [](World& w) {
       take_down(w[1]);
       w[1].runtime.missing_parts = {"binlog.index"};
     },
     "data-damaged", 1, Verdict::broken, Action::nothing},
    {"part of its directory gone while it serves", Engine::mariadb,
     [](World& w) { w[1].runtime.missing_parts = {"ibdata1"}; }, "page-checksum-failures", 1, Verdict::broken, Action::rebuild},
    {"hangs on a full disk", Engine::mariadb,
     [](World& w) {
       w[1].reach = Reach::timeout;
       w[1].runtime.volumes.push_back({"data", "/data", uint64_t{100} << 30, 0, 1000, 900});
     },
     "server-hung", 1, Verdict::broken, Action::nothing},
    {"no agent, Galera crashed", Engine::galera,
     [](World& w) {
       take_down(w[1], "");
       w[1].agent.answers = false;
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
       w[1].runtime.process_state = "T";
     },
     "server-frozen", 1, Verdict::broken, Action::resume},
    {"denied", Engine::postgres, [](World& w) { w[1].reach = Reach::denied; }, "access-denied", 1, Verdict::unknown,
     Action::nothing},
    {"receives nothing", Engine::mysql, [](World& w) { w[1].following[0].silent_seconds = 3.1; }, "replica-silent", 1,
     Verdict::broken, Action::resume},
    {"receives nothing, for it is cut off", Engine::postgres,
     [](World& w) {
       w[1].following[0].silent_seconds = 3.1;
       w[1].tcp = false;
     },
     "replica-silent", 1, Verdict::broken, Action::nothing},
    {"cut off", Engine::mysql,
     [](World& w) {
       w[1].tcp = false;
       w[1].tcp_error = "no answer in time";
     },
     "tcp-unreachable", 1, Verdict::broken, Action::nothing},
    {"no agent", Engine::mysql, [](World& w) { w[1].agent.answers = false; }, "agent-gone", 1, Verdict::broken,
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
       w[0].postgres.slots->push_back({"m1", true, false, "lost", {}});
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
    {"archiving", Engine::postgres, [](World& w) { w[0].postgres.archive_problem = "3 failures"; }, "archiving-fails", 0,
     Verdict::broken, Action::nothing},
    {"a table's file that is gone", Engine::mariadb,
     [](World& w) { w[1].missing_files = {"crm/documents.ibd"}; }, "page-checksum-failures", 1, Verdict::broken,
     Action::rebuild},
    {"damaged pages on the disk", Engine::mysql,
     [](World& w) { w[1].runtime.page_check = PageCheck{.complete = true, .bad = {"page 3 of shop/orders.ibd"}}; },
     "page-checksum-failures", 1, Verdict::broken, Action::rebuild},
    {"a table's file that ends too early", Engine::postgres,
     [](World& w) { w[1].cut_files = {"page 50 of base/5/16384"}; }, "page-checksum-failures", 1, Verdict::broken,
     Action::reseed},
    {"checksum failures", Engine::postgres, [](World& w) { w[1].postgres.checksum_failures = 2; }, "page-checksum-failures", 1,
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
    {"agent frozen", Engine::mysql, [](World& w) { w[1].runtime.state.clear(); }, "agent-hung", 1, Verdict::broken,
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
       w[0].postgres.standby_limits = {{"max_connections", 150}};
       w[1].postgres.standby_limits = {{"max_connections", 100}};
       w[1].postgres.replay_paused = true;
       w[1].following[0].applying = false;
     },
     "replica-settings-too-small", 1, Verdict::broken, Action::resume},
    {"read-only sessions", Engine::postgres, [](World& w) { w[0].postgres.default_read_only = true; }, "sessions-read-only", 0,
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
    {"state file gone", Engine::galera,
     [](World& w) {
       take_down(w[1]);
       w[1].stored->lineage.clear();
       w[1].stored->seqno.reset();
       w[1].stored->position.clear();
       w[1].stored->position_unknown = kNoStateFile;
     },
     "galera-state-lost", 1, Verdict::broken, Action::rebuild},
    {"replication account locked", Engine::mariadb,
     [](World& w) {
       w[1].following[0].receiving = false;
       w[1].following[0].receive_errno = 4151;
     },
     "replica-access-denied", 1, Verdict::broken, Action::nothing},
    {"replication account expired", Engine::mysql,
     [](World& w) {
       w[1].following[0].receiving = false;
       w[1].following[0].receive_errno = 1862;
     },
     "replica-access-denied", 1, Verdict::broken, Action::nothing},
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
     [](World& w) { w[1].runtime.volumes.push_back({"data", "/data", uint64_t{100} << 30, 1 << 20, 1000, 900}); }, "disk-full",
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
    {"offline", Engine::mysql, [](World& w) { w[1].mysql.offline_mode = true; }, "offline-mode", 1, Verdict::broken,
     Action::nothing},
    {"writes behind a lock", Engine::mariadb,
     [](World& w) { w[0].locked_writes.push_back({7, 20, "Waiting for backup lock"}); }, "writes-locked", 0,
     Verdict::broken, Action::nothing},
    {"applier behind a table", Engine::mysql,
     [](World& w) {
       w[1].applier_waits.push_back({7, 6, "Waiting for table metadata lock"});
       w[1].following[0].lag_seconds = 100;
     },
     "applier-waits-for-lock", 1, Verdict::broken, Action::nothing},
    {"replay behind a report, without end", Engine::postgres,
     [](World& w) { w[1].applier_waits.push_back({7, 3, "replay waits: Lock relation (no limit)"}); },
     "applier-waits-for-lock", 1, Verdict::broken, Action::nothing},
    {"logs gone from the source's disk", Engine::mariadb,
     [](World& w) {
       w[0].lost_logs = {"binlog.000001", "binlog.000002"};
       auto& f = w[1].following[0];
       f.receiving = false;
       f.receive_state = "Connecting";
       f.source_log = "binlog.000002";
     },
     "replica-log-purged", 1, Verdict::stale, Action::rebuild},
    {"WAL of its own recovery removed", Engine::postgres,
     [](World& w) {
       w[0].lost_logs = {"000000010000000000000007"};
       w[0].postgres.lost_for_recovery = true;
     },
     "logs-missing", 0, Verdict::broken, Action::nothing},
    {"archiver hangs", Engine::postgres,
     [](World& w) {
       w[0].postgres.archives = true;
       w[0].postgres.archive_waiting = 9;
       w[0].postgres.archive_waits_seconds = 3600;
     },
     "archiving-stalled", 0, Verdict::broken, Action::nothing},
    {"isolated", Engine::mysql, [](World& w) { w[1].runtime.mode = "isolated"; }, "server-isolated", 1, Verdict::stopped,
     Action::restart},
    {"on the side directory", Engine::mariadb,
     [](World& w) {
       w[1].runtime.data = "side";
       w[1].runtime.pid = 7;
       w[1].runtime.leftovers = {{Leftover::Kind::side, "/m1/data.new"}};
     },
     "server-on-side-directory", 1, Verdict::broken, Action::rebuild},
};

TEST(TriageBreakages, AreNamedAndJudged) {
  for (const auto& c : kCases) {
    World w = healthy(c.engine);
    c.break_it(w);
    const auto report = w.report();
    expect_next_commands(report);
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

}  // namespace
}  // namespace holdfast::cluster
