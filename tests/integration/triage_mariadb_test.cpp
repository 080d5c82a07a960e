// Triage of a MariaDB cluster (semi-sync, GTID) under faults.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "engine/programs.h"
#include "tests/integration/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string value(Patient& p, int i, const std::string& variable) {
  return p.sql(i, {"SELECT @@GLOBAL." + variable});
}

void start_slave(Patient& p, int i) {
  p.sql(i, {"STOP SLAVE", "START SLAVE"});
}

/// Waits until replica `i` has all that the primary has right now.
void caught_up(Patient& p, int i) {
  const std::string at = value(p, 0, "gtid_binlog_pos");
  p.sql(i, {"SELECT MASTER_GTID_WAIT('" + at + "', 20)"});
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

std::function<void(Patient&)> mend(std::vector<std::string> on_replica, std::vector<std::string> after) {
  return [=](Patient& p) {
    std::vector<std::string> silent = {"SET sql_log_bin = 0"};
    silent.insert(silent.end(), on_replica.begin(), on_replica.end());
    p.sql(1, silent);
    start_slave(p, 1);
    caught_up(p, 1);
    p.sql(0, after);
  };
}

/// Replica 1 becomes a primary by hand; the others do not know.
void open_second_writer(Patient& p) {
  p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
            "CREATE TABLE shop.second (a INT PRIMARY KEY)", "INSERT INTO shop.second VALUES (1), (2)"});
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
      {"quiet: two replicas with one server_id",
       [](Patient& p) { p.sql(1, {"SET GLOBAL server_id = " + value(p, 2, "server_id")}); },
       {"server-id-duplicate 1 2"},
       {"1 broken nothing", "2 broken nothing"},
       "provable 0",
       {},
       sql_on(1, {"SET GLOBAL server_id = 2"})},
      {"quiet: gtid_strict_mode off",
       sql_on(1, {"SET GLOBAL gtid_strict_mode = OFF"}),
       {"gtid-not-strict 1"},
       {},
       "provable 0",
       {},
       sql_on(1, {"SET GLOBAL gtid_strict_mode = ON"}),
       0},
      {"quiet: replica of an older release",
       [](Patient& p) {
         p.stop(1);
         p.agent(1, "start", codec::Value::object({{"extraArgs", codec::Value::list_of(std::vector<std::string>{
                                                                     "--version=10.6.12-MariaDB"})}}));
       },
       {"version-skew 1"},
       {},
       "provable 0",
       {},
       [](Patient& p) {
         p.stop(1);
         p.start(1);
       },
       0},
      {"quiet: account that may write to replicas",
       sql_on(0, {"CREATE USER batch@'%' IDENTIFIED BY 'secret'", "GRANT READ_ONLY ADMIN ON *.* TO batch@'%'"}),
       {"read-only-bypass 1 2"},
       {},
       "provable 0",
       {},
       sql_on(0, {"DROP USER batch@'%'"}),
       0},
      {"quiet: semi-sync gives up at once",
       sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 900"}),
       {"semi-sync-timeout-short 0"},
       {},
       "provable 0",
       {},
       sql_on(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"}),
       0},
      {"quiet: nobody acknowledges, cluster idle",
       [](Patient& p) {
         p.stop_writer();
         for (int i : {1, 2}) caught_up(p, i);
         for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
       },
       {"semi-sync-nobody 0", "replica-thread-stopped 1 2"},
       {"1 stopped resume", "2 stopped resume"},
       "provable 0",
       {},
       [](Patient& p) {
         for (int i : {1, 2}) p.sql(i, {"START SLAVE"});
         p.start_writer();
       }},
      {"quiet: writes behind a global lock",
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
       {"writes-locked 0"},
       {"0 broken nothing"},
       "provable 0",
       {},
       [](Patient& p) {
         end_session(p, 0, "SELECT SLEEP(90)");
         p.stop_writer();
         p.start_writer();
       }},
      {"quiet: prepared transaction left behind",
       [](Patient& p) {
         p.sql(0, {"CREATE TABLE shop.left_behind (a INT PRIMARY KEY)", "XA START 'left'",
                   "INSERT INTO shop.left_behind VALUES (1)", "XA END 'left'", "XA PREPARE 'left'"});
         await(
             "it is old enough",
             [&] {
               return p.sql(0, {"SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = 0 AND "
                                "trx_started < NOW() - INTERVAL 60 SECOND"}) != "0";
             },
             seconds(80));
       },
       {"transaction-forgotten 0"},
       {},
       "provable 0",
       {},
       sql_on(0, {"XA ROLLBACK 'left'", "DROP TABLE shop.left_behind"}),
       0},
  };
  if (::geteuid() == 0) {
    list.push_back({"quiet: a disk that fills",
                    [](Patient& p) {
                      p.lab_break("fill-disk", 1);
                      p.kill(1);
                      write_ballast(p, 0);
                      p.start(1);
                      const auto begun = std::chrono::steady_clock::now();
                      for (int half = 0; std::chrono::steady_clock::now() - begun < seconds(34); ++half) {
                        write_ballast(p, half);
                        std::this_thread::sleep_for(milliseconds(500));
                      }
                    },
                    {"disk-filling 1"},
                    {},
                    "provable 0",
                    {},
                    [](Patient& p) { p.lab_heal(1); },
                    0});
    list.push_back({"quiet: lag 0, and nothing arrives",
                    [](Patient& p) { p.lab_break("partition", 1); },
                    {"tcp-unreachable 1", "replica-silent 1"},
                    {"1 broken nothing"},
                    "provable 0",
                    {"replica-source-unreachable", "replica-half-open", "replica-not-receiving"},
                    [](Patient& p) { p.lab_heal(1); }});
  }
  return list;
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {"applier stopped",
       sql_on(1, {"STOP SLAVE SQL_THREAD"}),
       {"replica-thread-stopped 1"},
       {"1 stopped resume"},
       "provable 0",
       {},
       sql_on(1, {"START SLAVE"}),
       4,
       {"healed"}},
      {"receiver stopped",
       sql_on(1, {"STOP SLAVE IO_THREAD"}),
       {"replica-thread-stopped 1"},
       {"1 stopped resume"},
       "provable 0",
       {},
       sql_on(1, {"START SLAVE"})},
      {"both threads stopped",
       sql_on(2, {"STOP SLAVE"}),
       {"replica-thread-stopped 2"},
       {"2 stopped resume"},
       "provable 0",
       {},
       sql_on(2, {"START SLAVE"})},
      {"1062, a row that is there already",
       trip(kTable, {"INSERT INTO shop.t VALUES (7, 0)"}, {"INSERT INTO shop.t VALUES (7, 1)"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend({"DELETE FROM shop.t WHERE a = 7"}, kDropTable)},
      {"1032, a row that is missing",
       trip(kTable, {"DELETE FROM shop.t WHERE a = 1"}, {"UPDATE shop.t SET b = 2 WHERE a = 1"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend({"INSERT INTO shop.t VALUES (1, 1)"}, kDropTable)},
      {"1146, a table that is missing",
       trip(kTable, {"DROP TABLE shop.t"}, {"INSERT INTO shop.t VALUES (8, 8)"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend(kTable, kDropTable)},
      {"1396, an account that is there already",
       trip({"SELECT 1"}, {"CREATE USER odd@localhost"}, {"CREATE USER odd@localhost"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend({"DROP USER odd@localhost"}, {"DROP USER odd@localhost"})},
      {"replica writable",
       sql_on(1, {"SET GLOBAL read_only = OFF"}),
       {"replica-writable 1"},
       {"1 broken resume"},
       "provable 0",
       {},
       sql_on(1, {"SET GLOBAL read_only = ON"})},
      {"replica filters",
       sql_on(1, {"STOP SLAVE", "SET GLOBAL replicate_ignore_table = 'shop.x'", "START SLAVE"}),
       {"replica-filters 1"},
       {"1 broken nothing"},
       "provable 0",
       {},
       sql_on(1, {"STOP SLAVE", "SET GLOBAL replicate_ignore_table = ''", "START SLAVE"})},
      {"replication password wrong",
       sql_on(1, {"STOP SLAVE", "CHANGE MASTER TO MASTER_PASSWORD = 'wrong'", "START SLAVE"}),
       {"replica-access-denied 1"},
       {"1 broken resume"},
       "provable 0",
       {},
       [](Patient& p) {
         p.sql(1, {"STOP SLAVE"});
         p.restore();
       }},
      {"follows another replica",
       [](Patient& p) {
         p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
       },
       {"replica-wrong-source 2"},
       {"2 broken resume"},
       "provable 0",
       {},
       [](Patient& p) {
         p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(0)), "START SLAVE"});
       }},
      {"follows a stranger",
       [](Patient& p) { p.sql(2, {"STOP SLAVE", "CHANGE MASTER TO MASTER_PORT = 9", "START SLAVE"}); },
       {"replica-wrong-source 2"},
       {"2 broken resume"},
       "provable 0",
       {"replica-source-unreachable"},
       [](Patient& p) {
         p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(0)), "START SLAVE"});
       }},
      {"semi-sync off on the primary",
       sql_on(0, {"SET GLOBAL rpl_semi_sync_master_enabled = OFF"}),
       {"semi-sync-off 0"},
       {"0 broken resume"},
       "provable 0",
       {},
       sql_on(0, {"SET GLOBAL rpl_semi_sync_master_enabled = ON"})},
      {"semi-sync off on a replica",
       sql_on(1, {"SET GLOBAL rpl_semi_sync_slave_enabled = OFF", "STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD"}),
       {"semi-sync-replica-off 1"},
       {"1 broken resume"},
       "provable 0",
       {},
       sql_on(1, {"SET GLOBAL rpl_semi_sync_slave_enabled = ON", "STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD"})},
      {"wait point AFTER_COMMIT",
       sql_on(0, {"SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_COMMIT'"}),
       {"semi-sync-after-commit 0"},
       {},
       "provable 0",
       {},
       sql_on(0, {"SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'"}),
       0},
      {"semi-sync fallen back for want of replicas",
       [](Patient& p) {
         p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 500"});
         for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
       },
       {"semi-sync-off 0", "replica-thread-stopped 1 2"},
       {"0 broken resume", "1 stopped resume", "2 stopped resume"},
       "provable 0",
       {},
       [](Patient& p) {
         for (int i : {1, 2}) p.sql(i, {"START SLAVE"});
         p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"});
       }},
      {"commits hang: nobody acknowledges",
       [](Patient& p) {
         p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 3600000"});
         for (int i : {1, 2}) p.sql(i, {"STOP SLAVE IO_THREAD"});
       },
       {"commits-stuck 0", "replica-thread-stopped 1 2"},
       {"0 broken nothing", "1 stopped resume", "2 stopped resume"},
       "provable 0",
       {},
       [](Patient& p) {
         for (int i : {1, 2}) p.sql(i, {"START SLAVE"});
         p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"});
       }},
      {"primary read-only",
       sql_on(0, {"SET GLOBAL read_only = ON"}),
       {"primary-read-only 0", "no-writer"},
       {"0 broken nothing"},
       "provable 0",
       {},
       sql_on(0, {"SET GLOBAL read_only = OFF"})},
      {"replica killed",
       [](Patient& p) { p.kill(1); },
       {"server-crashed 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.start(1); }},
      {"replica stopped",
       [](Patient& p) { p.stop(1); },
       {"server-stopped 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.start(1); }},
      {"replica frozen",
       [](Patient& p) { p.freeze(1); },
       {"server-frozen 1"},
       {"1 broken restart"},
       "provable 0",
       {},
       [](Patient& p) { p.thaw(1); }},
      {"primary frozen",
       [](Patient& p) { p.freeze(0); },
       {"server-frozen 0", "no-writer"},
       {"0 broken restart"},
       "provable 0",
       {"replica-source-unreachable"},
       [](Patient& p) { p.thaw(0); }},
      {"agent killed",
       [](Patient& p) { p.kill_agent(1); },
       {"agent-gone 1", "server-unreachable 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.restore(); }},
      {"replica detached",
       sql_on(1, {"STOP SLAVE", "RESET SLAVE ALL"}),
       {"replica-detached 1"},
       {"1 broken resume"},
       "provable 0"},
      {"purged binary log",
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
       {"replica-log-purged 1"},
       {"1 stale rebuild"},
       "provable 0"},
      {"errant transaction, cluster idle",
       [](Patient& p) {
         p.stop_writer();
         caught_up(p, 1);
         p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
       },
       {"errant-transactions 1"},
       {"1 diverged rebuild"},
       "leader_not_primary 1"},
      {"errant transaction under load",
       [](Patient& p) {
         p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)", "INSERT INTO shop.errant VALUES (1)"});
         await(
             "replication stops",
             [&] {
               return p.try_sql(1,
                                {"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
                                 "'SLAVE_RUNNING'"},
                                seconds(2)) == "OFF";
             },
             seconds(10));
       },
       {"errant-transactions 1", "histories-diverged"},
       {"1 diverged rebuild"},
       "diverged",
       {"replica-apply-error"}},
      {"data directory gone",
       [](Patient& p) { p.lab_break("delete-data", 1); },
       {"data-missing 1"},
       {"1 empty rebuild"},
       "provable 0"},
      {"data directory emptied",
       [](Patient& p) {
         p.stop(1);
         remove_tree(p.data(1));
         ASSERT_EQ(::mkdir(p.data(1).c_str(), 0755), 0);
       },
       {"data-missing 1"},
       {"1 empty rebuild"},
       "provable 0"},
      {"system tablespace overwritten",
       [](Patient& p) {
         p.kill(1);
         spoil(p.data(1) + "/ibdata1", 0, 1 << 20);
         p.start_in_vain(1);
       },
       {"data-damaged 1"},
       {"1 broken rebuild"},
       "provable 0",
       {"server-crashed", "server-stopped"}},
      {"redo log gone",
       [](Patient& p) {
         p.kill(1);
         spoil(p.data(1) + "/ib_logfile0", 0, 64 << 10);
         p.start_in_vain(1);
       },
       {"data-damaged 1"},
       {"1 broken rebuild"},
       "provable 0",
       {"server-crashed", "server-stopped"}},
      {"primary killed",
       [](Patient& p) { p.kill(0); },
       {"server-crashed 0", "no-writer", "replica-source-unreachable 1 2"},
       {"0 stopped restart", "1 broken nothing", "2 broken nothing"},
       "provable 0",
       {},
       [](Patient& p) { p.start(0); }},
      {"primary stopped",
       [](Patient& p) { p.stop(0); },
       {"server-stopped 0", "no-writer", "replica-source-unreachable 1 2"},
       {"0 stopped restart", "1 broken nothing", "2 broken nothing"},
       "provable 0",
       {},
       [](Patient& p) { p.start(0); }},
      {"all killed",
       [](Patient& p) {
         for (int i : {2, 1, 0}) p.kill(i);
       },
       {"server-crashed 0 1 2", "no-writer"},
       {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) {
         for (int i : {0, 1, 2}) p.start(i);
       }},
      {"second writer that has written",
       open_second_writer,
       {"several-writers 0 1", "histories-diverged"},
       {"0 diverged nothing", "1 diverged nothing"},
       "diverged",
       {"replica-detached", "errant-transactions"}},
      {"second writer that has not written",
       [](Patient& p) { p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF"}); },
       {"several-writers 0 1", "replica-detached 1"},
       {"1 broken resume"},
       "provable 0"},
      {"the account is refused on one",
       sql_on(1, {"SET sql_log_bin = 0", "ALTER USER holdfast@localhost IDENTIFIED BY 'another one'"}),
       {"access-denied 1", "authority-undeterminable"},
       {"1 unknown nothing"},
       "undeterminable"},
      {"promoted by hand, its agent not told",
       [](Patient& p) {
         p.stop_writer();
         for (int i : {1, 2}) caught_up(p, i);
         p.stop(0);
         p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
                   "SET GLOBAL rpl_semi_sync_master_enabled = ON"});
         p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
         p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
       },
       {"replica-detached 1", "server-stopped 0"},
       {"0 stopped restart", "2 broken resume"},
       "provable 1",
       {"replica-wrong-source"}},
      {"old primary with a tail, down",
       [](Patient& p) {
         p.stop_writer();
         for (int i : {1, 2}) caught_up(p, i);
         for (int i : {1, 2}) p.sql(i, {"STOP SLAVE"});
         p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10", "CREATE TABLE shop.tail (a INT)"});
         p.kill(0);
         p.sql(1, {"RESET SLAVE ALL", "SET GLOBAL read_only = OFF", "SET GLOBAL rpl_semi_sync_master_enabled = ON"});
         p.agent(1, "configure", codec::Value::object({{"role", "primary"}, {"upstream", ""}}));
         p.agent(2, "configure", codec::Value::object({{"upstream", p.name(1)}}));
         p.sql(2, {fmt::format("CHANGE MASTER TO MASTER_PORT = {}", p.port(1)), "START SLAVE"});
         p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
       },
       {"errant-transactions 0", "histories-diverged", "server-crashed 0"},
       {"0 diverged rebuild"},
       "diverged",
       {},
       [](Patient& p) {
         p.agent(1, "configure", codec::Value::object({{"role", "replica"}, {"upstream", p.name(0)}}));
         p.agent(2, "configure", codec::Value::object({{"upstream", p.name(0)}}));
         p.restore();
       }},
  };
  if (::geteuid() == 0) {
    list.push_back({"network cut",
                    [](Patient& p) { p.lab_break("partition", 1); },
                    {"tcp-unreachable 1"},
                    {"1 broken nothing"},
                    "provable 0",
                    {"replica-source-unreachable", "replica-half-open"},
                    [](Patient& p) { p.lab_heal(1); }});
    list.push_back({"disk full",
                    [](Patient& p) { p.lab_break("fill-disk", 1); },
                    {"disk-full 1", "server-hung 1"},
                    {"1 broken nothing"},
                    "undeterminable",
                    {"authority-undeterminable"},
                    [](Patient& p) {
                      p.kill(1);  // it looks for room once in a minute only
                      p.lab_heal(1);
                    }});
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
