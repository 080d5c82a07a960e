// Triage of a MariaDB cluster: replication stopped, refused, filtered, set wrongly, or without the logs it needs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/triage/mariadb.h"
#include "tests/support/require.h"

namespace holdfast::test::mariadb {
namespace {

using std::chrono::seconds;

/// A replica whose table differs from the primary's, and a change of the primary that shows it.
std::function<void(Patient&)> trip(const std::vector<std::string>& before, const std::vector<std::string>& on_replica,
                                   const std::vector<std::string>& on_primary) {
  return [=](Patient& p) {
    p.sql(0, before);
    caught_up(p, 1);
    std::vector<std::string> silent = {"SET sql_log_bin = 0"};
    silent.insert(silent.end(), on_replica.begin(), on_replica.end());
    p.sql(1, silent);
    p.sql(0, on_primary);
  };
}

/// How many transactions a position of the one domain there is counts: "0-1-25" is 25.
uint64_t number_of(const std::string& position) {
  return std::stoull("0" + position.substr(position.rfind('-') + 1));
}

/// Replica `i` has a table, has it in its log, and does not know it: so it is found when it dies between the two.
void forget_the_last(Patient& p, int i) {
  end_writing(p);
  const std::string before = p.sql(i, {"SELECT @@GLOBAL.gtid_slave_pos"});
  p.sql(0, {"CREATE TABLE shop.logged (a INT PRIMARY KEY)"});
  caught_up(p, i);
  p.sql(i, {"STOP SLAVE", "SET GLOBAL gtid_slave_pos = '" + before + "'", "FLUSH LOCAL ENGINE LOGS"});
  p.start_writer();
  p.sql(i, {"START SLAVE"});
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {.name = "applier stopped",
       .inject = sql_on(1, {"STOP SLAVE SQL_THREAD"}),
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "receiver stopped",
       .inject = sql_on(1, {"STOP SLAVE IO_THREAD"}),
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "both threads stopped",
       .inject = sql_on(2, {"STOP SLAVE"}),
       .diagnoses = {"replica-thread-stopped 2"},
       .members = {"2 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "applied and not noted: it refuses what it has",
       .inject = [](Patient& p) { forget_the_last(p, 1); },
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.logged"})},
      {.name = "applied and not noted, and killed",
       .inject =
           [](Patient& p) {
             forget_the_last(p, 1);
             p.kill(1);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.logged"})},
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
       .inject = sql_on(1, {"SET GLOBAL read_only = OFF"}),
       .diagnoses = {"replica-writable 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "replica filters",
       .inject = sql_on(1, {"STOP SLAVE", "SET GLOBAL replicate_ignore_table = 'shop.x'", "START SLAVE"}),
       .diagnoses = {"replica-filters 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"STOP SLAVE", "SET GLOBAL replicate_ignore_table = ''", "START SLAVE"}),
       .repair = {"repair.needs_operator"}},
      {.name = "replication password wrong",
       .inject = sql_on(1, {"STOP SLAVE", "CHANGE MASTER TO MASTER_PASSWORD = 'wrong'", "START SLAVE"}),
       .diagnoses = {"replica-access-denied 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "follows another replica",
       .inject =
           [](Patient& p) {
             p.sql(2, {"STOP SLAVE"});
             has_applied(p, 1, value(p, 2, "gtid_slave_pos"));  // else the other refuses it
             p.sql(2, {fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(1), p.port(1)),
                       "START SLAVE"});
           },
       .diagnoses = {"replica-chained 2"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(2, {"STOP SLAVE",
                       fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(0), p.port(0)),
                       "START SLAVE"});
           },
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "two replicas follow each other",
       .inject =
           [](Patient& p) {
             end_writing(p);
             for (const auto& [i, other] : {std::pair{1, 2}, std::pair{2, 1}})
               p.sql(i, {"STOP SLAVE",
                         fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(other),
                                     p.port(other)),
                         "START SLAVE"});
           },
       .diagnoses = {"replica-wrong-source 1 2"},
       .members = {"1 broken resume", "2 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = [](Patient& p) { p.start_writer(); }},
      {.name = "follows a replica that does not log what it applies",
       .inject =
           [](Patient& p) {
             p.stop(1);
             p.agent(1, "start",
                     codec::Value::object(
                         {{"extraArgs", codec::Value::list_of(std::vector<std::string>{"--skip-log-slave-updates"})}}));
             p.sql(2, {"STOP SLAVE",
                       fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(1), p.port(1)),
                       "START SLAVE"});
           },
       .diagnoses = {"replica-wrong-source 2"},
       .members = {"2 broken *"},
       .authority = "provable 0",
       .also = {"replica-position-refused", "replica-log-purged", "replica-not-receiving", "semi-sync-replica-off"},
       .repair = {"-i 2: healed"},
       .tidy =
           [](Patient& p) {
             p.stop(1);
             p.start(1);
           }},
      {.name = "follows a stranger",
       .inject = [](Patient& p) { p.sql(2, {"STOP SLAVE", "CHANGE MASTER TO MASTER_PORT = 9", "START SLAVE"}); },
       .diagnoses = {"replica-wrong-source 2"},
       .members = {"2 broken resume"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "semi-sync off on the primary",
       .inject = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_enabled = OFF"}),
       .diagnoses = {"semi-sync-off 0"},
       .members = {"0 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "semi-sync off on a replica",
       .inject =
           sql_on(1, {"SET GLOBAL rpl_semi_sync_slave_enabled = OFF", "STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD"}),
       .diagnoses = {"semi-sync-replica-off 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "semi-sync fallen back, and nobody writes",
       .inject =
           [](Patient& p) {
             end_writing(p);  // whose commits would wait for receipts
             for (int i : {1, 2})
               p.sql(i,
                     {"SET GLOBAL rpl_semi_sync_slave_enabled = OFF", "STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD"});
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10", "CREATE TABLE shop.alone (a INT)",
                       "SET GLOBAL rpl_semi_sync_master_timeout = 10000"});
             for (int i : {1, 2}) caught_up(p, i);
           },
       .diagnoses = {"semi-sync-off 0", "semi-sync-replica-off 1 2"},
       .members = {"0 broken resume", "1 broken resume", "2 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy =
           [](Patient& p) {
             p.sql(0, {"DROP TABLE shop.alone"});
             p.start_writer();
           }},
      {.name = "a replica that passes over errors",
       .inject = sql_on(1, {"SET GLOBAL slave_exec_mode = 'IDEMPOTENT'"}),
       .diagnoses = {"silent-loss 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"SET GLOBAL slave_exec_mode = 'STRICT'"}),
       .repair = {"repair.needs_operator"}},
      {.name = "a replica that leaves out what is marked",
       .inject =
           sql_on(1, {"STOP SLAVE", "SET GLOBAL replicate_events_marked_for_skip = 'FILTER_ON_MASTER'", "START SLAVE"}),
       .diagnoses = {"silent-loss 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"STOP SLAVE", "SET GLOBAL replicate_events_marked_for_skip = 'REPLICATE'", "START SLAVE"}),
       .repair = {"repair.needs_operator"}},
      {.name = "the primary also follows another cluster",
       .inject = sql_on(0, {"CHANGE MASTER 'other' TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 9, MASTER_USER = 'x', "
                            "MASTER_CONNECT_RETRY = 1",
                            "START SLAVE 'other'"}),
       .diagnoses = {"side-channel 0"},
       .authority = "provable 0",
       .undo = sql_on(0, {"STOP SLAVE 'other'", "RESET SLAVE 'other' ALL"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "wait point AFTER_COMMIT",
       .inject = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_COMMIT'"}),
       .diagnoses = {"semi-sync-after-commit 0"},
       .authority = "provable 0",
       .undo = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "semi-sync fallen back for want of replicas",
       .inject =
           [](Patient& p) {
             lose_receipts(p, [&] {
               for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
             });
           },
       .diagnoses = {"semi-sync-off 0", "replica-thread-stopped 1 2"},
       .members = {"0 broken resume", "1 stopped resume", "2 stopped resume"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.needs_operator", "healed"}},
      {.name = "commits hang: nobody acknowledges",
       .inject =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 3600000"});
             for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
           },
       .diagnoses = {"commits-stuck 0", "replica-thread-stopped 1 2"},
       .members = {"0 broken nothing", "1 stopped resume", "2 stopped resume"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.target_is_primary", "healed"},
       .tidy = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"})},
      {.name = "primary read-only",
       .inject = sql_on(0, {"SET GLOBAL read_only = ON"}),
       .diagnoses = {"primary-read-only 0", "no-writer"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(0, {"SET GLOBAL read_only = OFF"}),
       .repair = {"repair.needs_operator"}},
      {.name = "replica detached",
       .inject = sql_on(1, {"STOP SLAVE", "RESET SLAVE ALL"}),
       .diagnoses = {"replica-detached 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "purged binary log",
       .inject =
           [](Patient& p) {
             p.sql(1, {"STOP SLAVE"});
             p.sql(0, {"CREATE TABLE shop.p (a INT)", "FLUSH BINARY LOGS", "INSERT INTO shop.p VALUES (1)",
                       "FLUSH BINARY LOGS", "FLUSH BINARY LOGS"});
             caught_up(p, 2);
             await(
                 "the logs are purged",
                 [&] {
                   p.sql(0, {"FLUSH BINARY LOGS"});
                   caught_up(p, 2);
                   const std::string last =
                       p.sql(0, {"SELECT SUBSTRING_INDEX(VARIABLE_VALUE, '/', -1) FROM "
                                 "information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'BINLOG_SNAPSHOT_FILE'"});
                   p.sql(0, {"PURGE BINARY LOGS TO '" + last + "'"});
                   return p.sql(0, {"SHOW BINARY LOGS"}) == last;
                 },
                 seconds(60));
             p.sql(1, {"START SLAVE"});
           },
       .diagnoses = {"replica-log-purged 1"},
       .members = {"1 stale rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.p"})},
      {.name = "killed, with an event it cannot apply",
       .inject =
           [](Patient& p) {
             trip(kTable, {"INSERT INTO shop.t VALUES (7, 0)"}, {"INSERT INTO shop.t VALUES (7, 1)"})(p);
             await("it cannot apply it", [&] { return apply_error(p, 1) == "1062"; }, seconds(60));
             p.kill(1);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "a lock held too long on a replica",
       .inject =
           [](Patient& p) {
             p.sql(0, kTable);
             caught_up(p, 1);
             p.sql(1, {"SET GLOBAL slave_transaction_retries = 0", "STOP SLAVE",
                       "SET GLOBAL innodb_lock_wait_timeout = 1", "START SLAVE"});
             auto lock = p.hold(1, {"BEGIN", "SELECT * FROM shop.t FOR UPDATE"});
             p.sql(0, {"UPDATE shop.t SET b = 2 WHERE a = 1"});
             await("the applier gives up", [&] { return apply_error(p, 1) == "1205"; }, seconds(60));
             lock.reset();
             // Whoever gets the lock knows that it is gone.
             p.sql(1, {"SET innodb_lock_wait_timeout = 25", "SELECT * FROM shop.t FOR UPDATE"});
           },
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy =
           [](Patient& p) {
             p.sql(1, {"SET GLOBAL slave_transaction_retries = 10", "SET GLOBAL innodb_lock_wait_timeout = 50"});
             p.sql(0, kDropTable);
           }},
      {.name = "relay log damaged",
       .inject =
           [](Patient& p) {
             p.sql(0, kTable);
             caught_up(p, 1);
             p.sql(1, {"STOP SLAVE SQL_THREAD"});
             p.sql(0, {"INSERT INTO shop.t VALUES (2, 2)", "INSERT INTO shop.t VALUES (3, 3)"});
             const uint64_t wanted = number_of(value(p, 0, "gtid_binlog_pos"));
             await(
                 "it has received them",
                 [&] { return number_of(p.field(1, "SHOW ALL SLAVES STATUS", "Gtid_IO_Pos")) >= wanted; }, seconds(60));
             const std::string index = text_of(p.data(1) + "/relay.index");
             const std::string last = index.substr(index.rfind('/', index.size() - 2) + 1);
             const std::string file = p.data(1) + "/" + last.substr(0, last.find('\n'));
             spoil(file, std::filesystem::file_size(file) - 60, 40);
             p.sql(1, {"START SLAVE SQL_THREAD"});
           },
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
  };
  return list;
}  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks): what the functions of the list hold is theirs

TEST(TriageMariadb, TellsFaultsOfReplication) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-mariadb", faults());
}

}  // namespace
}  // namespace holdfast::test::mariadb
