// Triage of a MySQL cluster (asynchronous, GTID): its replica does not follow as it should.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

using std::chrono::seconds;

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

/// Port 0: that of the member.
std::function<void(Patient&)> follow(int of_host, int port) {
  return [=](Patient& p) {
    p.sql(1, {"STOP REPLICA",
              fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{}', SOURCE_PORT = {}", p.host(of_host),
                          port ? port : p.port(of_host)),
              "START REPLICA"});
  };
}

/// Throws away all binary logs of the primary but the newest. One that is being sent to a replica would stay, and the
/// primary sends until it sees that nobody listens: the replica's receiver is to be stopped.
void purge_logs(Patient& p) {
  await("the primary sends its log to nobody", [&] { return p.table(0, "SHOW REPLICAS").empty(); }, seconds(30));
  p.sql(0, {"FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"});
  const std::string left = p.table(0, "SHOW BINARY LOGS");
  EXPECT_EQ(std::ranges::count(left, '\n'), 1) << left;
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

std::vector<Fault> replication_faults() {
  return {
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
      {.name = "a replica that passes over errors",
       .inject = sql_on(1, {"SET GLOBAL replica_exec_mode = 'IDEMPOTENT'"}),
       .diagnoses = {"silent-loss 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"SET GLOBAL replica_exec_mode = 'STRICT'"}),
       .repair = {"repair.needs_operator"}},
      {.name = "the primary also follows its own replica",
       .inject =
           [](Patient& p) {
             p.sql(0, {fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{}', SOURCE_PORT = {}, "
                                   "SOURCE_USER = 'x', SOURCE_PASSWORD = 'x', SOURCE_CONNECT_RETRY = 1, "
                                   "SOURCE_AUTO_POSITION = 1 FOR CHANNEL 'back'",
                                   p.host(1), p.port(1)),
                       "START REPLICA FOR CHANNEL 'back'"});
           },
       .diagnoses = {"side-channel 0"},
       .authority = "provable 0",
       .undo = sql_on(0, {"STOP REPLICA FOR CHANNEL 'back'", "RESET REPLICA ALL FOR CHANNEL 'back'"}),
       .exit_code = 0,
       .repair = {"nothing"}},
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
       .inject = follow(1, 0),
       .diagnoses = {"replica-wrong-source 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-access-denied", "replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "follows a stranger",
       .inject = follow(0, 9),
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
             p.sql(0, {"CREATE TABLE shop.p (a INT)"});
             purge_logs(p);
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
                 seconds(30));
             p.sql(1, {"STOP REPLICA IO_THREAD"});
             const auto logs = relay_logs(p);
             ASSERT_FALSE(logs.empty());
             spoil(logs.back(), 400, 4096);
             p.try_sql(1, {"START REPLICA"}, seconds(30));
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
             p.sql(0, {"CREATE TABLE shop.l (a INT PRIMARY KEY, b INT)", "INSERT INTO shop.l VALUES (1, 1)"});
             caught_up(p);
             auto lock = p.hold(1, {"SET GLOBAL super_read_only = OFF", "BEGIN", "SELECT * FROM shop.l FOR UPDATE"});
             p.sql(1, {"SET GLOBAL replica_transaction_retries = 0", "SET GLOBAL innodb_lock_wait_timeout = 1",
                       "STOP REPLICA", "START REPLICA"});
             p.sql(0, {"UPDATE shop.l SET b = 2"});
             await(
                 "the applier stops", [&] { return p.field(1, "SHOW REPLICA STATUS", "Replica_SQL_Running") == "No"; },
                 seconds(30));
             lock.reset();
             await(
                 "the lock is gone",
                 [&] { return p.sql(1, {"SELECT COUNT(*) FROM information_schema.INNODB_TRX"}) == "0"; }, seconds(30));
             p.sql(1, {"SET GLOBAL replica_transaction_retries = 10", "SET GLOBAL innodb_lock_wait_timeout = 50",
                       "SET GLOBAL super_read_only = ON"});
           },
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.l"})},
      {.name = "the server number of another member",
       .inject = sql_on(1, {"STOP REPLICA", "SET GLOBAL server_id = 1", "START REPLICA"}),
       .diagnoses = {"replica-not-receiving 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-id-duplicate"},
       .repair = {"healed"}},
      {.name = "the server UUID of another member",
       .inject = take_server_uuid,
       .diagnoses = {"replica-not-receiving 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-id-duplicate"},
       .repair = {"healed"}},
      {.name = "GTIDs reset on the replica",
       .inject =
           [](Patient& p) {
             caught_up(p);
             p.sql(1, {"STOP REPLICA"});
             purge_logs(p);
             p.sql(1, {"RESET BINARY LOGS AND GTIDS", "RESET REPLICA", "START REPLICA"});
           },
       .diagnoses = {"replica-log-purged 1", "authority-undeterminable"},
       .members = {"1 stale rebuild"},
       .authority = "undeterminable",
       .repair = {"repair.undeterminable", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
  };
}

TEST(TriageMysql, TellsFaultsOfReplication) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  run_faults_on("shop-mysql", replication_faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
