// Triage of a MariaDB cluster (semi-sync, GTID) under faults.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "engine/programs.h"
#include "tests/integration/triage/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string value(Patient& p, int i, const std::string& variable) {
  return p.sql(i, {"SELECT @@GLOBAL." + variable});
}

/// The number of the error its applier stopped with, "0" when with none.
std::string apply_error(Patient& p, int i) {
  return p.field(i, "SHOW ALL SLAVES STATUS", "Last_SQL_Errno");
}

void has_applied(Patient& p, int i, const std::string& position) {
  EXPECT_EQ(p.sql(i, {"SELECT MASTER_GTID_WAIT('" + position + "', 29)"}), "0") << "member " << i << ", " << position;
}
/// Waits until replica `i` has all that the primary has right now; also what a writer that was killed still commits.
void caught_up(Patient& p, int i) {
  for (int looks = 0; looks < 3; ++looks) {
    const std::string at = value(p, 0, "gtid_binlog_pos");
    has_applied(p, i, at);
    std::this_thread::sleep_for(milliseconds(20));
    if (value(p, 0, "gtid_binlog_pos") == at) return;
  }
}

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

/// A replica whose table differs from the primary's, and a change of the primary that shows it.
std::function<void(Patient&)> trip(std::vector<std::string> before, std::vector<std::string> on_replica,
                                   std::vector<std::string> on_primary) {
  return [=](Patient& p) {
    p.sql(0, before);
    caught_up(p, 1);
    std::vector<std::string> silent = {"SET sql_log_bin = 0"};
    silent.insert(silent.end(), on_replica.begin(), on_replica.end());
    p.sql(1, silent);
    p.sql(0, on_primary);
  };
}

/// Replica `i` has a table, has it in its log, and does not know it: so it is found when it dies between the two.
void forget_the_last(Patient& p, int i) {
  p.stop_writer();
  caught_up(p, i);
  const std::string before = p.sql(i, {"SELECT @@GLOBAL.gtid_slave_pos"});
  p.sql(0, {"CREATE TABLE shop.logged (a INT PRIMARY KEY)"});
  caught_up(p, i);
  p.sql(i, {"STOP SLAVE", "SET GLOBAL gtid_slave_pos = '" + before + "'", "FLUSH LOCAL ENGINE LOGS"});
  p.start_writer();
  p.sql(i, {"START SLAVE"});
}

/// Replica 1 becomes a primary by hand; the others do not know.
void open_second_writer(Patient& p) {
  p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
            "CREATE TABLE shop.second (a INT PRIMARY KEY)", "INSERT INTO shop.second VALUES (1), (2)"});
}

/// The first member is the primary again, for the agents too, and everything as it was kept.
void put_back(Patient& p) {
  for (int i : {0, 1, 2})
    p.agent(i, "configure",
            codec::Value::object({{"role", i == 0 ? "primary" : "replica"}, {"upstream", i == 0 ? "" : p.name(0)}}));
  p.restore();
}

/// The second member is promoted, by whoever did it; all agents but that of the first know.
void promote_second(Patient& p) {
  p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
            "SET GLOBAL rpl_semi_sync_master_enabled = ON"});
  p.agent(1, "configure", codec::Value::object({{"role", "primary"}, {"upstream", ""}}));
  p.agent(2, "configure", codec::Value::object({{"upstream", p.name(1)}}));
  p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
  p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
}

/// Semi-sync has fallen back: the first member commits what nobody else gets.
void commit_a_tail(Patient& p) {
  p.stop_writer();
  for (int i : {1, 2}) caught_up(p, i);
  for (int i : {1, 2}) p.sql(i, {"STOP SLAVE"});
  p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10", "CREATE TABLE shop.tail (a INT)"});
}

const std::vector<std::string> kTable = {"CREATE TABLE shop.t (a INT PRIMARY KEY, b INT)",
                                         "INSERT INTO shop.t VALUES (1, 1)"};
const std::vector<std::string> kDropTable = {"DROP TABLE shop.t"};

/// A session that does `statements`, the last of which ends only when somebody kills it.
std::function<void(Patient&)> in_background(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) {
    std::thread([&p, i, statements] { p.try_sql(i, statements, seconds(100)); }).detach();
  };
}

/// Ends the session of member i whose statement is this.
void end_session(Patient& p, int i, const std::string& statement) {
  const std::string find = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO = '" + statement + "'";
  const std::string session = p.sql(i, {find});
  if (!session.empty()) p.sql(i, {"KILL " + session});
  await("the session ended", [&] { return p.sql(i, {find}).empty(); }, seconds(10));
}

/// Takes so many quarters of a MiB of the small disk that `fill-disk` gave member 1.
void write_ballast(Patient& p, int quarters) {
  const std::string file = p.dir(1) + "/small-disk/ballast";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC | (quarters ? 0 : O_TRUNC));
  ASSERT_GE(fd, 0) << file;
  const std::string block(size_t{1} << 18, 'b');
  for (int i = 0; i < quarters; ++i)
    EXPECT_EQ(::pwrite(fd, block.data(), block.size(), static_cast<off_t>(block.size()) * i),
              static_cast<ssize_t>(block.size()));
  ::close(fd);
}

/// What goes wrong while everything works.
std::vector<Fault> quiet_faults() {
  std::vector<Fault> list = {
      {.name = "quiet: two replicas with one server_id",
       .inject = [](Patient& p) { p.sql(1, {"SET GLOBAL server_id = " + value(p, 2, "server_id")}); },
       .diagnoses = {"server-id-duplicate 1 2"},
       .members = {"1 broken nothing", "2 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"SET GLOBAL server_id = 2"}),
       .repair = {"repair.needs_operator"}},
      {.name = "quiet: gtid_strict_mode off",
       .inject = sql_on(1, {"SET GLOBAL gtid_strict_mode = OFF"}),
       .diagnoses = {"gtid-not-strict 1"},
       .authority = "provable 0",
       .undo = sql_on(1, {"SET GLOBAL gtid_strict_mode = ON"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: replica of an older release",
       .inject =
           [](Patient& p) {
             p.stop(1);
             p.agent(
                 1, "start",
                 codec::Value::object(
                     {{"extraArgs", codec::Value::list_of(std::vector<std::string>{"--version=10.6.12-MariaDB"})}}));
           },
       .diagnoses = {"version-skew 1"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.stop(1);
             p.start(1);
           },
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: account that may write to replicas",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CREATE USER batch@'%' IDENTIFIED BY 'secret'", "GRANT READ_ONLY ADMIN ON *.* TO batch@'%'"});
             for (int i : {1, 2}) caught_up(p, i);  // a full disk may have put it far behind
           },
       .diagnoses = {"read-only-bypass 1 2"},
       .authority = "provable 0",
       .undo = sql_on(0, {"DROP USER batch@'%'"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: semi-sync gives up at once",
       .inject = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 900"}),
       .diagnoses = {"semi-sync-timeout-short 0"},
       .authority = "provable 0",
       .undo = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: nobody acknowledges, cluster idle",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             for (int i : {1, 2}) caught_up(p, i);
             for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
           },
       .diagnoses = {"semi-sync-nobody 0", "replica-thread-stopped 1 2"},
       .members = {"1 stopped resume", "2 stopped resume"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             for (int i : {1, 2}) p.sql(i, {"START SLAVE"});
             p.start_writer();
           },
       .repair = {"-i 0: repair.target_is_primary", "healed"}},
      {.name = "quiet: writes behind a global lock",
       .inject =
           [](Patient& p) {
             in_background(0, {"FLUSH TABLES WITH READ LOCK", "SELECT SLEEP(90)"})(p);
             await(
                 "a write waits",
                 [&] {
                   return p.sql(0, {"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for "
                                    "%lock' AND TIME >= 5"}) != "0";
                 },
                 seconds(30));
           },
       .diagnoses = {"writes-locked 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             end_session(p, 0, "SELECT SLEEP(90)");
             p.stop_writer();
             p.start_writer();
           },
       .repair = {"repair.target_is_primary", "-i 0: repair.target_is_primary"}},
      {.name = "quiet: prepared transaction left behind",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CREATE TABLE shop.left_behind (a INT PRIMARY KEY)", "XA START 'left'",
                       "INSERT INTO shop.left_behind VALUES (1)", "XA END 'left'", "XA PREPARE 'left'"});
             await(
                 "it is old enough",
                 [&] {
                   // InnoDB fills this table anew only when nobody has read it for 0.1 s.
                   std::this_thread::sleep_for(milliseconds(300));
                   return p.sql(0,
                                {"SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = 0 AND "
                                 "trx_started < NOW() - INTERVAL 60 SECOND"}) != "0";
                 },
                 seconds(80));
           },
       .diagnoses = {"transaction-forgotten 0"},
       .authority = "provable 0",
       .undo = sql_on(0, {"XA ROLLBACK 'left'", "DROP TABLE shop.left_behind"}),
       .exit_code = 0,
       .repair = {"nothing"}},
  };
  if (::geteuid() == 0) {
    list.push_back({.name = "quiet: a disk that fills",
                    .inject =
                        [](Patient& p) {
                          p.lab_break("fill-disk", 1);
                          p.kill_agent(1);  // the new one has not seen the disk full
                          write_ballast(p, 0);
                          p.bring_up();
                          const auto begun = std::chrono::steady_clock::now();
                          for (int half = 0; std::chrono::steady_clock::now() - begun < seconds(34); ++half) {
                            write_ballast(p, half);
                            std::this_thread::sleep_for(milliseconds(500));
                          }
                        },
                    .diagnoses = {"disk-filling 1"},
                    .authority = "provable 0",
                    .undo = [](Patient& p) { p.lab_heal(1); },
                    .exit_code = 0,
                    .repair = {"nothing"}});
    list.push_back({.name = "quiet: lag 0, and nothing arrives",
                    .inject = [](Patient& p) { p.lab_break("partition", 1); },
                    .diagnoses = {"tcp-unreachable 1", "replica-silent 1"},
                    .members = {"1 broken nothing"},
                    .authority = "provable 0",
                    .also = {"replica-source-unreachable", "replica-half-open", "replica-not-receiving"},
                    .undo = [](Patient& p) { p.lab_heal(1); },
                    .repair = {"repair.needs_operator"}});
  }
  return list;
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
      {.name = "older data put back beside newer logs",
       .inject =
           [](Patient& p) {
             p.stop(1);
             const std::string newer = p.dir(1) + "/data.newer";
             std::filesystem::rename(p.data(1), newer);
             copy_tree(p.dir(1) + "/data.kept", p.data(1));
             for (const auto& entry : std::filesystem::directory_iterator(newer))
               if (const auto name = entry.path().filename().string(); name.starts_with("binlog."))
                 std::filesystem::rename(entry.path(), p.data(1) + "/" + name);
             remove_tree(newer);
             p.agent(1, "start");
             await("it refuses what is in its log", [&] { return apply_error(p, 1) == "1950"; }, seconds(20));
           },
       .diagnoses = {"replica-apply-error 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
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
             p.sql(2, {fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
           },
       .diagnoses = {"replica-wrong-source 2"},
       .members = {"2 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
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
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 500"});
             for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
           },
       .diagnoses = {"semi-sync-off 0", "replica-thread-stopped 1 2"},
       .members = {"0 broken resume", "1 stopped resume", "2 stopped resume"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.needs_operator", "healed"},
       .tidy = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"})},
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
                   return p.try_sql(0, {"SHOW BINARY LOGS"}, seconds(5)) == last;
                 },
                 seconds(20));
             p.sql(1, {"START SLAVE"});
           },
       .diagnoses = {"replica-log-purged 1"},
       .members = {"1 stale rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.p"})},
      {.name = "errant transaction, cluster idle",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p, 1);
             p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "leader_not_primary 1",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = [](Patient& p) { p.start_writer(); }},
      {.name = "errant transaction under load",
       .inject =
           [](Patient& p) {
             p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)", "INSERT INTO shop.errant VALUES (1)"});
             await(
                 "replication stops",
                 [&] {
                   return p.try_sql(
                              1,
                              {"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
                               "'SLAVE_RUNNING'"},
                              seconds(2)) == "OFF";
                 },
                 seconds(10));
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .also = {"replica-apply-error"},
       .repair = {"repair.split_brain|operation.not_accepted", "-i 1 --adopt: repair.cannot_adopt",
                  "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "data directory gone",
       .inject = [](Patient& p) { p.lab_break("delete-data", 1); },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "data directory emptied",
       .inject =
           [](Patient& p) {
             p.stop(1);
             remove_tree(p.data(1));
             ASSERT_EQ(::mkdir(p.data(1).c_str(), 0755), 0);
           },
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
      {.name = "redo log gone",
       .inject =
           [](Patient& p) {
             p.kill(1);
             spoil(p.data(1) + "/ib_logfile0", 0, 64 << 10);
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped"},
       .repair = {"healed"}},
      {.name = "system tablespace gone",
       .inject =
           [](Patient& p) {
             p.kill(1);
             std::filesystem::remove(p.data(1) + "/ibdata1");
           },
       .diagnoses = {"data-damaged 1", "server-crashed 1", "authority-undeterminable"},
       .members = {"1 broken rebuild"},
       .authority = "undeterminable",
       .repair = {"repair.undeterminable", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "killed, with an event it cannot apply",
       .inject =
           [](Patient& p) {
             trip(kTable, {"INSERT INTO shop.t VALUES (7, 0)"}, {"INSERT INTO shop.t VALUES (7, 1)"})(p);
             p.kill(1);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"partial", "healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "killed, and whom it follows forgotten",
       .inject =
           [](Patient& p) {
             p.kill(1);
             for (const char* file : {"/master.info", "/relay-log.info"}) std::filesystem::remove(p.data(1) + file);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"partial", "healed"}},
      {.name = "all killed, one replica without its redo log",
       .inject =
           [](Patient& p) {
             for (int i : {2, 1, 0}) p.kill(i);
             std::filesystem::remove(p.data(1) + "/ib_logfile0");
           },
       .diagnoses = {"server-crashed 0 1 2", "no-writer"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 0",
       // The primary stays up though the replica does not come.
       .repair = {"failed", "healed"}},
      {.name = "chain, its middle killed",
       .inject =
           [](Patient& p) {
             p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
             p.kill(1);
           },
       .diagnoses = {"server-crashed 1", "replica-wrong-source 2"},
       .members = {"1 stopped restart", "2 broken resume"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "replication account gone, a replica without data",
       .inject =
           [](Patient& p) {
             p.sql(0, {"RENAME USER replicator@'%' TO elsewhere@'%'"});
             p.lab_break("delete-data", 1);
           },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty rebuild"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, {"RENAME USER elsewhere@'%' TO replicator@'%'"});
             p.restore();
           },
       .repair = {"repair.replication_account", "-i 1: repair.replication_account"}},
      {.name = "primary killed",
       .inject = [](Patient& p) { p.kill(0); },
       .diagnoses = {"server-crashed 0", "no-writer", "replica-source-unreachable 1 2"},
       .members = {"0 stopped restart", "1 broken nothing", "2 broken nothing"},
       .authority = "provable 0",
       .repair = {"-i 1: repair.needs_operator", "healed"}},
      {.name = "primary stopped",
       .inject = [](Patient& p) { p.stop(0); },
       .diagnoses = {"server-stopped 0", "no-writer", "replica-source-unreachable 1 2"},
       .members = {"0 stopped restart", "1 broken nothing", "2 broken nothing"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "all killed",
       .inject =
           [](Patient& p) {
             for (int i : {2, 1, 0}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1 2", "no-writer"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "second writer that has written",
       .inject = open_second_writer,
       .diagnoses = {"several-writers 0 1", "histories-diverged"},
       .members = {"0 diverged nothing", "1 diverged nothing"},
       .authority = "diverged",
       .also = {"replica-detached", "errant-transactions"},
       .repair = {"repair.split_brain", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "second writer that has not written",
       .inject = [](Patient& p) { p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF"}); },
       .diagnoses = {"several-writers 0 1", "replica-detached 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"repair.split_brain", "-i 0: repair.target_is_primary", "-i 1: healed"}},
      {.name = "the account is refused on one",
       .inject = sql_on(1, {"SET sql_log_bin = 0", "ALTER USER holdfast@localhost IDENTIFIED BY 'another one'"}),
       .diagnoses = {"access-denied 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"}},
      {.name = "promoted by hand, its agent not told",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             for (int i : {1, 2}) caught_up(p, i);
             p.stop(0);
             p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
                       "SET GLOBAL rpl_semi_sync_master_enabled = ON"});
             p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
             p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"replica-detached 1", "server-stopped 0"},
       .members = {"0 stopped restart", "2 broken resume"},
       .authority = "provable 1",
       .also = {"replica-wrong-source"},
       .undo = put_back,
       .repair = {"healed"},
       .tidy = put_back},
      {.name = "old primary with a tail, down",
       .inject =
           [](Patient& p) {
             commit_a_tail(p);
             p.kill(0);
             promote_second(p);
           },
       .diagnoses = {"errant-transactions 0", "histories-diverged", "server-crashed 0"},
       .members = {"0 diverged rebuild"},
       .authority = "diverged",
       .undo = put_back,
       .repair = {"repair.split_brain", "-i 0: operation.not_accepted", "-i 0 ACCEPT: healed"},
       .tidy = put_back},
      {.name = "old primary with a tail nobody received, killed in the commit",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             p.sql(0, {"CREATE TABLE shop.t (a INT PRIMARY KEY)"});
             for (int i : {1, 2}) caught_up(p, i);
             for (int i : {1, 2}) p.sql(i, {"STOP SLAVE"});
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 3600000"});
             p.try_sql(0, {"INSERT INTO shop.t VALUES (1)"}, milliseconds(500));  // waits for its receipt
             p.kill(0);
             promote_second(p);
           },
       .diagnoses = {"errant-transactions 0", "histories-diverged", "server-crashed 0"},
       .members = {"0 diverged rebuild"},
       .authority = "diverged",
       .undo = put_back,
       .repair = {"repair.split_brain", "-i 0: operation.not_accepted", "-i 0 ACCEPT: healed"},
       .tidy =
           [](Patient& p) {
             // By the cheapest rung: the server cut it off itself.
             EXPECT_NE(text_of(p.dir(0) + "/log/server.log").find("truncated binlog"), std::string::npos);
             EXPECT_EQ(p.sql(0, {"SELECT COUNT(*) FROM shop.t"}), "0");
             put_back(p);
           }},
      {.name = "old primary with a tail, back and writable",
       .inject =
           [](Patient& p) {
             commit_a_tail(p);
             p.stop(0);
             promote_second(p);
             p.start(0);
           },
       .diagnoses = {"several-writers 0 1", "histories-diverged"},
       .members = {"0 diverged nothing", "1 diverged nothing"},
       .authority = "diverged",
       .also = {"errant-transactions"},
       .undo = put_back,
       .repair = {"repair.split_brain", "-i 0: operation.not_accepted", "-i 0 ACCEPT: healed"},
       .tidy = put_back},
      {.name = "old primary with nothing of its own, back and writable",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             for (int i : {1, 2}) caught_up(p, i);
             p.stop(0);
             promote_second(p);
             p.start(0);
           },
       .diagnoses = {"several-writers 0 1"},
       .members = {"0 broken nothing"},
       .authority = "provable 1",
       .undo = put_back,
       .repair = {"repair.split_brain", "-i 1: repair.target_is_primary", "-i 0: healed"},
       .tidy = put_back},
      {.name = "errant transaction, replica stopped",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p, 1);
             p.sql(1, {"STOP SLAVE", "CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
             p.stop(1);
             p.sql(0, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"errant-transactions 1", "histories-diverged", "server-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"repair.split_brain", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.newer"})},
      {.name = "errant transaction, replica stopped, cluster idle",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p, 1);
             p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
             p.stop(1);
           },
       .diagnoses = {"errant-transactions 1", "server-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "leader_not_primary 1",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "a lock held too long on a replica",
       .inject =
           [](Patient& p) {
             p.sql(0, kTable);
             caught_up(p, 1);
             p.sql(1, {"SET GLOBAL slave_transaction_retries = 0", "STOP SLAVE",
                       "SET GLOBAL innodb_lock_wait_timeout = 1", "START SLAVE"});
             auto lock = p.hold(1, {"BEGIN", "SELECT * FROM shop.t FOR UPDATE"});
             p.sql(0, {"UPDATE shop.t SET b = 2 WHERE a = 1"});
             await("the applier gives up", [&] { return apply_error(p, 1) == "1205"; }, seconds(20));
             lock.reset();
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
             await(
                 "it has received them",
                 [&] {
                   return p.table(1, "SHOW ALL SLAVES STATUS").find(value(p, 0, "gtid_binlog_pos")) !=
                          std::string::npos;
                 },
                 seconds(10));
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
      {.name = "one replica stopped, the other without data",
       .inject =
           [](Patient& p) {
             p.sql(1, {"STOP SLAVE"});
             p.lab_break("delete-data", 2);
           },
       .diagnoses = {"replica-thread-stopped 1", "data-missing 2"},
       .members = {"1 stopped resume", "2 empty rebuild"},
       .authority = "provable 0",
       .also = {"semi-sync-off", "commits-stuck"},
       .repair = {"healed"}},
      {.name = "both replicas without data",
       .inject =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 500"});
             for (int i : {1, 2}) p.lab_break("delete-data", i);
           },
       .diagnoses = {"data-missing 1 2", "semi-sync-off 0"},
       .members = {"0 broken resume", "1 empty rebuild", "2 empty rebuild"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.needs_operator", "partial", "healed"},
       .tidy = sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"})},
      {.name = "the primary's data directory gone",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             for (int i : {1, 2}) caught_up(p, i);
             p.lab_break("delete-data", 0);
           },
       .diagnoses = {"data-missing 0", "no-writer", "leader-not-primary 1", "replica-source-unreachable 1 2"},
       .members = {"0 empty rebuild", "1 broken nothing", "2 broken nothing"},
       .authority = "leader_not_primary 1",
       .repair = {"repair.needs_operator", "-i 0: repair.no_donor"}},
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
    list.push_back({.name = "disk full",
                    .inject = [](Patient& p) { p.lab_break("fill-disk", 1); },
                    .diagnoses = {"disk-full 1", "server-hung 1"},
                    .members = {"1 broken nothing"},
                    .authority = "undeterminable",
                    .also = {"authority-undeterminable"},
                    .undo =
                        [](Patient& p) {
                          p.kill(1);  // it looks for room once in a minute only
                          p.lab_heal(1);
                        },
                    .repair = {"repair.needs_operator", "-i 1: repair.needs_operator"}});
  }
  for (auto& fault : quiet_faults()) list.push_back(std::move(fault));
  return list;
}

TEST(TriageMariadb, TellsEveryFault) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  LabGuard lab;
  Patient patient(lab, "shop-mariadb");
  ASSERT_TRUE(patient.prepare());
  run_faults(patient, faults());
}

}  // namespace
}  // namespace holdfast::test
