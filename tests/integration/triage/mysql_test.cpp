// Triage of a MySQL cluster (asynchronous, GTID) under faults.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "engine/programs.h"
#include "tests/integration/triage/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::seconds;

void caught_up(Patient& p) {
  const std::string at = p.sql(0, {"SELECT @@GLOBAL.gtid_executed"});
  p.sql(1, {"SELECT WAIT_FOR_EXECUTED_GTID_SET('" + at + "', 20)"});
}

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

/// What an administrator's slip does: nothing of it goes to the binary log.
std::vector<std::string> silently(std::vector<std::string> statements) {
  statements.insert(statements.begin(), {"SET GLOBAL super_read_only = OFF", "SET sql_log_bin = 0"});
  statements.insert(statements.end(), {"SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"});
  return statements;
}

std::function<void(Patient&)> trip(std::vector<std::string> before, std::vector<std::string> on_replica,
                                   std::vector<std::string> on_primary) {
  return [=](Patient& p) {
    p.sql(0, before);
    caught_up(p);
    p.sql(1, silently(on_replica));
    p.sql(0, on_primary);
  };
}

std::function<void(Patient&)> follow_port(std::function<int(Patient&)> port) {
  return [port](Patient& p) {
    p.sql(1, {"STOP REPLICA", fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_PORT = {}", port(p)), "START REPLICA"});
  };
}

/// The first member is the primary again, for the agents too, and everything as it was kept.
void put_back(Patient& p) {
  p.agent(0, "configure", codec::Value::object({{"role", "primary"}, {"upstream", ""}}));
  p.agent(1, "configure", codec::Value::object({{"role", "replica"}, {"upstream", p.name(0)}}));
  p.restore();
}

/// The relay log files of the replica that hold events, oldest first.
std::vector<std::string> relay_logs(Patient& p) {
  std::vector<std::string> names;
  std::istringstream index(text_of(p.data(1) + "/relay.index"));
  for (std::string line; std::getline(index, line);) names.push_back(p.data(1) + line.substr(line.rfind('/')));
  return names;
}

const std::vector<std::string> kTable = {"CREATE TABLE shop.t (a INT PRIMARY KEY, b INT)",
                                         "INSERT INTO shop.t VALUES (1, 1)"};
const std::vector<std::string> kDropTable = {"DROP TABLE shop.t"};
const std::vector<std::string> kOpen = {"STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = OFF",
                                        "SET GLOBAL read_only = OFF"};
const std::vector<std::string> kErrant = {
    "SET GLOBAL super_read_only = OFF", "CREATE TABLE shop.errant (a INT PRIMARY KEY)",
    "INSERT INTO shop.errant VALUES (1), (2)", "SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"};

/// A table with a column of every kind that rows can be compared in.
const std::string kAdoptedTable =
    "CREATE TABLE shop.adopted (id DECIMAL(20) PRIMARY KEY, tiny TINYINT UNSIGNED, small SMALLINT, medium MEDIUMINT, "
    "big BIGINT UNSIGNED, amount DECIMAL(22,11), f FLOAT, d DOUBLE, name VARCHAR(300) CHARACTER SET latin1, c CHAR(9), "
    "b BINARY(5), doc LONGBLOB, t TEXT, e ENUM('a','b','c'), flags SET('x','y','z'), bits BIT(11), y YEAR, da DATE, "
    "dt DATETIME(3), ts TIMESTAMP(6) NULL, ti TIME(2), ti6 TIME(6), KEY (name))";
const std::string kAdoptedValues =
    "200, -30000, -8000000, 18446744073709551615, -1.25, 1.1, 0.1, 'Zoë ', 'ab', x'610000', x'00ff27', 'grün', 'c', "
    "'x,z', b'10110111011', 2026, '2024-02-29', '2026-11-22 04:05:06.789', '2026-11-22 04:05:06.123456', "
    "'-12:30:45.25', "
    "'-838:59:58.000001')";
const std::string kAdoptedRow = "INSERT INTO shop.adopted VALUES (7, " + kAdoptedValues;

void prepare_adoption(Patient& p) {
  p.sql(0, {"SET NAMES utf8mb4", kAdoptedTable, "INSERT INTO shop.adopted VALUES (-1, " + kAdoptedValues,
            "INSERT INTO shop.adopted VALUES (18446744073709551615, " + kAdoptedValues});
  caught_up(p);
}

/// What somebody writes to a replica, who closes it again.
std::vector<std::string> written_there(std::vector<std::string> statements) {
  statements.insert(statements.begin(), {"SET GLOBAL super_read_only = OFF", "SET NAMES utf8mb4"});
  statements.insert(statements.end(), {"SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"});
  return statements;
}

/// What the replica had written is on the primary, beside what that had; the framework has seen that all hold the same.
void adopted_everywhere(Patient& p) {
  EXPECT_EQ(p.table(0, "SELECT id, name, amount, flags + 0 FROM shop.adopted ORDER BY id"),
            "-1\tchanged\t2.50000000000\t5\t\n7\tZoë \t-1.25000000000\t0\t\n8\tof the primary\tNULL\tNULL\t\n");
  p.sql(0, {"DROP TABLE shop.adopted"});
}

void adopted_nowhere(Patient& p) {
  EXPECT_EQ(p.sql(0, {"SELECT COUNT(*) FROM shop.adopted WHERE id = 7 OR amount <> -1.25"}), "0");
  p.sql(0, {"DROP TABLE shop.adopted"});
}

std::string description(Patient& p) {
  return p.lab().state_dir() + "/clusters/" + p.cluster() + ".yaml";
}

/// Member 1 as the description has it, at the address of member 0.
void describe_twice(Patient& p) {
  std::string text = text_of(description(p));
  auto replace = [&](const std::string& what, const std::string& by) {
    const size_t at = text.rfind(what);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), by);
  };
  replace(fmt::format("port: {}", p.port(1)), fmt::format("port: {}", p.port(0)));
  replace(p.dir(1) + "/run/server.sock", p.dir(0) + "/run/server.sock");
  rewrite(description(p), text);
}

/// What goes wrong while everything works.
std::vector<Fault> quiet_faults() {
  std::vector<Fault> list = {
      {.name = "quiet: server_id of the primary",
       .inject = sql_on(1, {"SET GLOBAL server_id = 1"}),
       .diagnoses = {"server-id-duplicate 0 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.target_is_primary", "healed"}},
      {.name = "quiet: server_uuid of the primary",
       .inject =
           [](Patient& p) {
             p.stop(1);
             rewrite(p.data(1) + "/auto.cnf", text_of(p.data(0) + "/auto.cnf"));
             p.start(1);
           },
       .diagnoses = {"server-id-duplicate 0 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-thread-stopped", "replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "quiet: offline mode",
       .inject = sql_on(1, {"SET GLOBAL offline_mode = ON"}),
       .diagnoses = {"offline-mode 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"SET GLOBAL offline_mode = OFF"}),
       .repair = {"repair.needs_operator"}},
      {.name = "quiet: transactions may come without a GTID",
       .inject = sql_on(0, {"SET GLOBAL gtid_mode = ON_PERMISSIVE"}),
       .diagnoses = {"gtid-mode-off 0", "authority-undeterminable"},
       .authority = "undeterminable",
       .undo = sql_on(0, {"SET GLOBAL gtid_mode = ON"}),
       .repair = {"repair.needs_operator"}},
      {.name = "quiet: one server described twice",
       .inject = describe_twice,
       .diagnoses = {"same-server-twice 0 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 0: repair.target_is_primary"}},
      {.name = "quiet: semi-sync on the primary only, cluster idle",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p);
             p.sql(0, {"INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
                       "SET GLOBAL rpl_semi_sync_source_enabled = ON"});
           },
       .diagnoses = {"semi-sync-nobody 0"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL rpl_semi_sync_source_enabled = OFF", "UNINSTALL PLUGIN rpl_semi_sync_source"});
             p.start_writer();
           },
       .exit_code = 0,
       .repair = {"nothing"}},
  };
  if (::geteuid() == 0)
    list.push_back({.name = "quiet: lag 0, and nothing arrives",
                    .inject = [](Patient& p) { p.lab_break("partition", 1); },
                    .diagnoses = {"tcp-unreachable 1", "replica-silent 1"},
                    .members = {"1 broken nothing"},
                    .authority = "provable 0",
                    .also = {"replica-source-unreachable", "replica-half-open", "replica-not-receiving"},
                    .undo = [](Patient& p) { p.lab_heal(1); },
                    .repair = {"repair.needs_operator"}});
  return list;
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {.name = "applier stopped",
       .inject = sql_on(1, {"STOP REPLICA SQL_THREAD"}),
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "receiver stopped",
       .inject = sql_on(1, {"STOP REPLICA IO_THREAD"}),
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "both threads stopped",
       .inject = sql_on(1, {"STOP REPLICA"}),
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.target_is_primary", "-i 1: healed"}},
      {.name = "1062, a row that is there already",
       .inject = trip(kTable, {"INSERT INTO shop.t VALUES (7, 0)"}, {"INSERT INTO shop.t VALUES (7, 1)"}),
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "1032, a row that is missing",
       .inject = trip(kTable, {"DELETE FROM shop.t WHERE a = 1"}, {"UPDATE shop.t SET b = 2 WHERE a = 1"}),
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "1146, a table that is missing",
       .inject = trip(kTable, {"DROP TABLE shop.t"}, {"INSERT INTO shop.t VALUES (8, 8)"}),
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "1396, an account that is there already",
       .inject = trip({"SELECT 1"}, {"CREATE USER odd@localhost"}, {"CREATE USER odd@localhost"}),
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP USER odd@localhost"})},
      {.name = "replica writable",
       .inject = sql_on(1, {"SET GLOBAL super_read_only = OFF"}),
       .diagnoses = {"replica-writable 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "replica filters",
       .inject =
           sql_on(1, {"STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (shop.x)", "START REPLICA"}),
       .diagnoses = {"replica-filters 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = ()", "START REPLICA"}),
       .repair = {"repair.needs_operator"}},
      {.name = "replication password wrong",
       .inject = sql_on(1, {"STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'wrong'", "START REPLICA"}),
       .diagnoses = {"replica-access-denied 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "follows itself",
       .inject = follow_port([](Patient& p) { return p.port(1); }),
       .diagnoses = {"replica-wrong-source 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-access-denied", "replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "follows a stranger",
       .inject = follow_port([](Patient&) { return 9; }),
       .diagnoses = {"replica-wrong-source 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "primary read-only",
       .inject = sql_on(0, {"SET GLOBAL super_read_only = ON"}),
       .diagnoses = {"primary-read-only 0", "no-writer"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(0, {"SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF"}),
       .repair = {"repair.needs_operator"}},
      {.name = "replica killed",
       .inject = [](Patient& p) { p.kill(1); },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "replica stopped",
       .inject = [](Patient& p) { p.stop(1); },
       .diagnoses = {"server-stopped 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "replica frozen",
       .inject = [](Patient& p) { p.freeze(1); },
       .diagnoses = {"server-frozen 1"},
       .members = {"1 broken restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "primary frozen",
       .inject = [](Patient& p) { p.freeze(0); },
       .diagnoses = {"server-frozen 0", "no-writer"},
       .members = {"0 broken restart"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(1); },
       .diagnoses = {"agent-gone 1", "server-unreachable 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .undo = [](Patient& p) { p.restore(); },
       .repair = {"repair.needs_operator"}},
      {.name = "replica detached",
       .inject = sql_on(1, {"STOP REPLICA", "RESET REPLICA ALL"}),
       .diagnoses = {"replica-detached 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "purged binary log",
       .inject =
           [](Patient& p) {
             p.sql(1, {"STOP REPLICA"});
             p.sql(0, {"CREATE TABLE shop.p (a INT)", "FLUSH BINARY LOGS",
                       "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"});
             p.sql(1, {"START REPLICA"});
           },
       .diagnoses = {"replica-log-purged 1"},
       .members = {"1 stale rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.p"})},
      {.name = "relay log overwritten",
       .inject =
           [](Patient& p) {
             p.sql(1, {"STOP REPLICA SQL_THREAD"});
             p.sql(0, {"CREATE TABLE shop.r (a INT)", "INSERT INTO shop.r VALUES (1)"});
             const std::string at = p.sql(0, {"SELECT @@GLOBAL.gtid_executed"});
             await(
                 "the replica receives it",
                 [&] {
                   const auto got = p.field(1, "SHOW REPLICA STATUS", "Retrieved_Gtid_Set");
                   return p.sql(1, {"SELECT GTID_SUBSET('" + at + "', CONCAT(@@GLOBAL.gtid_executed, ',', '" + got +
                                    "'))"}) == "1";
                 },
                 seconds(20));
             p.sql(1, {"STOP REPLICA IO_THREAD"});
             const auto logs = relay_logs(p);
             ASSERT_FALSE(logs.empty());
             spoil(logs.back(), 400, 4096);
             p.try_sql(1, {"START REPLICA"}, seconds(10));
           },
       .diagnoses = {"replica-relay-log-damaged 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.r"})},
      {.name = "relay logs removed",
       .inject =
           [](Patient& p) {
             p.stop(1);
             for (const auto& log : relay_logs(p)) std::filesystem::remove(log);
             p.start(1);
           },
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "the applier gives up on a lock",
       .inject =
           [](Patient& p) {
             p.sql(1, {"SET GLOBAL replica_transaction_retries = 0", "SET GLOBAL innodb_lock_wait_timeout = 1",
                       "STOP REPLICA", "START REPLICA"});
             p.sql(0, {"CREATE TABLE shop.l (a INT PRIMARY KEY, b INT)", "INSERT INTO shop.l VALUES (1, 1)"});
             caught_up(p);
             auto lock = p.hold(1, {"SET GLOBAL super_read_only = OFF", "BEGIN", "SELECT * FROM shop.l FOR UPDATE"});
             p.sql(0, {"UPDATE shop.l SET b = 2"});
             await(
                 "the applier stops", [&] { return p.field(1, "SHOW REPLICA STATUS", "Replica_SQL_Running") == "No"; },
                 seconds(20));
             lock.reset();
             p.sql(1, {"SET GLOBAL super_read_only = ON"});
           },
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy =
           [](Patient& p) {
             p.sql(1, {"SET GLOBAL replica_transaction_retries = 10", "SET GLOBAL innodb_lock_wait_timeout = 50",
                       "STOP REPLICA", "START REPLICA"});
             p.sql(0, {"DROP TABLE shop.l"});
           }},
      {.name = "the server number of another member",
       .inject = sql_on(1, {"STOP REPLICA", "SET GLOBAL server_id = 1", "START REPLICA"}),
       .diagnoses = {"replica-not-receiving 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-id-duplicate"},
       .repair = {"healed"}},
      {.name = "the server UUID of another member",
       .inject =
           [](Patient& p) {
             p.stop(1);
             rewrite(p.data(1) + "/auto.cnf", text_of(p.data(0) + "/auto.cnf"));
             p.start(1);
           },
       .diagnoses = {"replica-not-receiving 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-id-duplicate"},
       .repair = {"healed"}},
      {.name = "GTIDs reset on the replica",
       .inject =
           [](Patient& p) {
             p.sql(0, {"FLUSH BINARY LOGS"});
             caught_up(p);
             p.sql(0, {"PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"});
             p.sql(1, {"STOP REPLICA", "RESET BINARY LOGS AND GTIDS", "RESET REPLICA", "START REPLICA"});
           },
       .diagnoses = {"replica-log-purged 1", "authority-undeterminable"},
       .members = {"1 stale rebuild"},
       .authority = "undeterminable",
       .repair = {"repair.undeterminable", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "errant transactions, cluster idle",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p);
             p.sql(1, kErrant);
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "leader_not_primary 1",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "errant transactions under load",
       .inject =
           [](Patient& p) {
             p.sql(1, {"STOP REPLICA"});
             p.sql(1, kErrant);
             p.sql(0, {"CREATE TABLE shop.ahead (a INT)"});
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"repair.split_brain", "-i 0: repair.target_is_primary", "-i 1 --adopt: repair.cannot_adopt",
                  "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.ahead"})},
      {.name = "adopt: rows of a replica under load",
       .inject =
           [](Patient& p) {
             prepare_adoption(p);
             p.sql(1, written_there({"UPDATE shop.adopted SET name = 'changed', amount = 2.50 WHERE id = -1",
                                     "DELETE FROM shop.adopted WHERE id = 18446744073709551615", kAdoptedRow,
                                     "UPDATE shop.adopted SET flags = '' WHERE id = 7"}));
             p.sql(1, {"STOP REPLICA"});
             p.sql(0, {"INSERT INTO shop.adopted (id, name) VALUES (8, 'of the primary')"});
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"--adopt: repair.cannot_adopt", "-i 0 --adopt: repair.target_is_primary",
                  "-i 1 --adopt: operation.not_accepted", "-i 1 --adopt ACCEPT: healed"},
       .tidy = adopted_everywhere},
      {.name = "adopt: a replica that never stopped",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             prepare_adoption(p);
             p.sql(1, written_there({kAdoptedRow, "UPDATE shop.adopted SET flags = '' WHERE id = 7",
                                     "UPDATE shop.adopted SET name = 'changed', amount = 2.50 WHERE id = -1",
                                     "DELETE FROM shop.adopted WHERE id = 18446744073709551615"}));
             p.sql(0, {"INSERT INTO shop.adopted (id, name) VALUES (8, 'of the primary')"});
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "leader_not_primary 1",
       .repair = {"-i 1 --adopt ACCEPT: healed"},
       .tidy = adopted_everywhere},
      {.name = "adopt: the primary changed a row since",
       .inject =
           [](Patient& p) {
             prepare_adoption(p);
             p.sql(1, {"STOP REPLICA"});
             p.sql(1, written_there({kAdoptedRow, "UPDATE shop.adopted SET amount = 2.50 WHERE id = -1"}));
             p.sql(0, {"UPDATE shop.adopted SET doc = x'00' WHERE id = -1"});
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"-i 1 --adopt ACCEPT: repair.adopt_conflict", "-i 1 ACCEPT: healed"},
       .tidy = adopted_nowhere},
      {.name = "adopt: the primary has such a row",
       .inject =
           [](Patient& p) {
             prepare_adoption(p);
             p.sql(1, {"STOP REPLICA"});
             p.sql(1, written_there({kAdoptedRow}));
             p.sql(0, {"INSERT INTO shop.adopted (id, name) VALUES (7, 'of the primary')"});
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"-i 1 --adopt ACCEPT: repair.adopt_conflict", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.adopted"})},
      {.name = "adopt: changed there and back while it was stopped",
       .inject =
           [](Patient& p) {
             prepare_adoption(p);
             p.sql(1, {"STOP REPLICA"});
             p.sql(1, written_there({kAdoptedRow, "UPDATE shop.adopted SET amount = 2.50 WHERE id = -1"}));
             p.sql(0, {"UPDATE shop.adopted SET amount = 9 WHERE id = -1",
                       "UPDATE shop.adopted SET amount = -1.25 WHERE id = -1"});
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"-i 1 --adopt ACCEPT: operation.failed_undone", "-i 1 ACCEPT: healed"},
       .tidy = adopted_nowhere},
      {.name = "adopt: the source has overwritten it",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             prepare_adoption(p);
             p.sql(1, written_there({"UPDATE shop.adopted SET amount = 2.50 WHERE id = -1"}));
             // There and back: the primary's row is as it was found, and the replica's is no longer what it wrote.
             p.sql(0, {"UPDATE shop.adopted SET amount = 9 WHERE id = -1",
                       "UPDATE shop.adopted SET amount = -1.25 WHERE id = -1"});
             caught_up(p);
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "leader_not_primary 1",
       .repair = {"-i 1 --adopt: repair.cannot_adopt", "-i 1 ACCEPT: healed"},
       .tidy = adopted_nowhere},
      {.name = "data directory gone",
       .inject = [](Patient& p) { p.lab_break("delete-data", 1); },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "system tablespace overwritten",
       .inject =
           [](Patient& p) {
             p.kill(1);
             spoil(p.data(1) + "/ibdata1", 0, 1 << 20);
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped"},
       .repair = {"healed"}},
      {.name = "dictionary overwritten",
       .inject =
           [](Patient& p) {
             p.stop(1);
             spoil(p.data(1) + "/mysql.ibd", 0, 4 << 20);
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped"},
       .repair = {"healed"}},
      {.name = "a binary log gone",
       .inject =
           [](Patient& p) {
             p.kill(1);
             const std::string index = text_of(p.data(1) + "/binlog.index");
             const std::string last = index.substr(index.rfind('/', index.size() - 2) + 1);
             std::filesystem::remove(p.data(1) + "/" + last.substr(0, last.find('\n')));
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1", "authority-undeterminable"},
       .members = {"1 broken rebuild"},
       .authority = "undeterminable",
       .also = {"server-crashed", "server-stopped"},
       .repair = {"repair.undeterminable", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "files of another account",
       .inject =
           [](Patient& p) {
             p.kill(1);
             std::filesystem::permissions(p.data(1) + "/ibdata1", std::filesystem::perms::none);
             p.start_in_vain(1);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             std::filesystem::permissions(p.data(1) + "/ibdata1", std::filesystem::perms(0640));
             p.start(1);
           },
       .repair = {"failed"}},
      {.name = "primary killed",
       .inject = [](Patient& p) { p.kill(0); },
       .diagnoses = {"server-crashed 0", "no-writer", "replica-source-unreachable 1"},
       .members = {"0 stopped restart", "1 broken nothing"},
       .authority = "provable 0",
       .repair = {"-i 1: repair.needs_operator", "healed"}},
      {.name = "primary stopped",
       .inject = [](Patient& p) { p.stop(0); },
       .diagnoses = {"server-stopped 0", "no-writer", "replica-source-unreachable 1"},
       .members = {"0 stopped restart", "1 broken nothing"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "both killed",
       .inject =
           [](Patient& p) {
             for (int i : {1, 0}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1", "no-writer"},
       .members = {"0 stopped restart", "1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "second writer that has written",
       .inject =
           [](Patient& p) {
             p.sql(1, kOpen);
             p.sql(1, {"CREATE TABLE shop.second (a INT PRIMARY KEY)"});
             p.sql(0, {"CREATE TABLE shop.first (a INT PRIMARY KEY)"});
           },
       .diagnoses = {"several-writers 0 1", "histories-diverged"},
       .members = {"0 diverged nothing", "1 diverged nothing"},
       .authority = "diverged",
       .also = {"replica-detached", "errant-transactions"},
       .repair = {"repair.split_brain", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.first"})},
      {.name = "second writer that has not written",
       .inject = sql_on(1, kOpen),
       .diagnoses = {"several-writers 0 1", "replica-detached 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"repair.split_brain", "-i 0: repair.target_is_primary", "-i 1: healed"}},
      {.name = "the account is refused on one",
       .inject =
           sql_on(1, {"SET GLOBAL super_read_only = OFF", "SET sql_log_bin = 0",
                      "ALTER USER holdfast@localhost IDENTIFIED BY 'another one'", "SET GLOBAL super_read_only = ON"}),
       .diagnoses = {"access-denied 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"}},
      {.name = "old primary with a tail, down",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p);
             p.sql(1, {"STOP REPLICA"});
             p.sql(0, {"CREATE TABLE shop.tail (a INT)"});
             p.kill(0);
             p.sql(1, kOpen);
             p.agent(1, "configure", codec::Value::object({{"role", "primary"}, {"upstream", ""}}));
             p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"errant-transactions 0", "histories-diverged", "server-crashed 0"},
       .members = {"0 diverged rebuild"},
       .authority = "diverged",
       .undo = put_back,
       .repair = {"repair.split_brain", "-i 1: repair.target_is_primary", "-i 0: operation.not_accepted",
                  "-i 0 ACCEPT: healed"},
       .tidy = put_back},
  };
  if (::geteuid() == 0) {
    list.push_back({.name = "network cut",
                    .inject = [](Patient& p) { p.lab_break("partition", 1); },
                    .diagnoses = {"tcp-unreachable 1"},
                    .members = {"1 broken nothing"},
                    .authority = "provable 0",
                    .also = {"replica-source-unreachable", "replica-half-open"},
                    .undo = [](Patient& p) { p.lab_heal(1); },
                    .repair = {"repair.needs_operator"}});
  }
  for (auto& fault : quiet_faults()) list.push_back(std::move(fault));
  return list;
}

TEST(TriageMysql, TellsEveryFault) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  LabGuard lab;
  Patient patient(lab, "shop-mysql");
  ASSERT_TRUE(patient.prepare());
  run_faults(patient, faults());
}

}  // namespace
}  // namespace holdfast::test
