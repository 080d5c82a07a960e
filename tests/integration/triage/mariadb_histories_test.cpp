// Triage of a MariaDB cluster: errant transactions, second writers, old primaries.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "engine/programs.h"
#include "tests/integration/triage/mariadb.h"
#include "tests/support/require.h"

namespace holdfast::test::mariadb {
namespace {

using std::chrono::seconds;

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
  p.sql(2, {"STOP SLAVE", fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(1), p.port(1)),
            "START SLAVE"});
  p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
}

/// Semi-sync has fallen back: the first member commits what nobody else gets.
void commit_a_tail(Patient& p) {
  end_writing(p);
  for (int i : {1, 2}) p.sql(i, {"STOP SLAVE"});
  p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10", "CREATE TABLE shop.tail (a INT)"});
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {.name = "a tail that only a dead replica's relay logs hold",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(2, {"STOP SLAVE"});
             p.sql(1, {"STOP SLAVE SQL_THREAD"});
             p.sql(0, {"CREATE TABLE shop.tail (a INT PRIMARY KEY)", "INSERT INTO shop.tail VALUES (1)",
                       "INSERT INTO shop.tail VALUES (2)"});  // each was received before it counted
             p.kill(1);
             p.lab_break("delete-data", 0);
           },
       .diagnoses = {"relay-log-only-copy 1", "data-missing 0", "server-crashed 1", "no-writer", "leader-not-primary 1",
                     "replica-thread-stopped 2"},
       .members = {"0 empty rebuild", "1 stopped restart", "2 stopped resume"},
       .authority = "leader_not_primary 1",
       .undo =
           [](Patient& p) {
             EXPECT_EQ(p.sql(1, {"SELECT COUNT(*) FROM shop.tail"}), "2") << "acknowledged rows are gone";
             p.restore();
           },
       .repair = {"partial"}},
      {.name = "gtid_slave_pos set to its primary's position",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(2, {"STOP SLAVE"});
             p.sql(0, {"CREATE TABLE shop.gap (a INT PRIMARY KEY)"});
             p.sql(2, {"SET GLOBAL gtid_slave_pos = '" + value(p, 0, "gtid_binlog_pos") + "'", "START SLAVE"});
           },
       .diagnoses = {"position-not-in-log 2"},
       .members = {"2 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy =
           [](Patient& p) {
             p.sql(0, {"DROP TABLE shop.gap"});
             p.start_writer();
           }},
      {.name = "gtid_slave_pos set ahead of its primary",
       .inject =
           [](Patient& p) {
             end_writing(p);
             const std::string at = value(p, 0, "gtid_binlog_pos");
             const auto mark = at.rfind('-') + 1;
             p.sql(2, {"STOP SLAVE",
                       fmt::format("SET GLOBAL gtid_slave_pos = '{}{}'", at.substr(0, mark),
                                   std::stoull(at.substr(mark)) + 20),
                       "START SLAVE"});
           },
       .diagnoses = {"position-not-in-log 2"},
       .members = {"2 broken rebuild"},
       .authority = "provable 0",
       .also = {"replica-position-refused"},
       .repair = {"healed"},
       .tidy = [](Patient& p) { p.start_writer(); }},
      {.name = "written on a replica under its primary's number, cluster idle",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(1, {"SET SESSION server_id = " + value(p, 0, "server_id"),
                       "CREATE TABLE shop.local (a INT PRIMARY KEY)", "INSERT INTO shop.local VALUES (1)"});
           },
       .diagnoses = {"errant-transactions 1", "leader-not-primary 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"repair.split_brain", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = [](Patient& p) { p.start_writer(); }},
      {.name = "written on a replica under its primary's number, and refused by now",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(1, {"SET SESSION server_id = " + value(p, 0, "server_id"),
                       "CREATE TABLE shop.local (a INT PRIMARY KEY)", "INSERT INTO shop.local VALUES (1)"});
             p.sql(0, {"CREATE TABLE shop.theirs (a INT)", "INSERT INTO shop.theirs VALUES (1)",
                       "INSERT INTO shop.theirs VALUES (2)", "INSERT INTO shop.theirs VALUES (3)"});
             await("it refuses them", [&] { return apply_error(p, 1) == "1950"; }, seconds(60));
           },
       .diagnoses = {"errant-transactions 1", "replica-apply-error 1"},
       .members = {"1 diverged rebuild"},
       .authority = "provable 0",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy =
           [](Patient& p) {
             p.sql(0, {"DROP TABLE shop.theirs"});
             p.start_writer();
           }},
      {.name = "RESET MASTER on the primary",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(0, {"RESET MASTER", "CREATE TABLE shop.fresh (a INT)"});
           },
       .diagnoses = {"leader-not-primary 1", "errant-transactions 1 2"},
       // Whether semi-sync falls back on it depends on how long the CREATE TABLE waits for a receipt that never comes.
       .members = {"0 * *", "1 diverged rebuild", "2 diverged rebuild"},
       .authority = "diverged",
       .also = {"replica-position-refused", "replica-not-receiving", "semi-sync-off"},
       .repair = {"repair.split_brain"}},
      {.name = "errant transaction, cluster idle",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
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
                              seconds(30)) == "OFF";
                 },
                 seconds(60));
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .also = {"replica-apply-error"},
       .repair = {"operation.not_accepted", "-i 1 --adopt: repair.cannot_adopt", "-i 1: operation.not_accepted",
                  "-i 1 ACCEPT: healed"}},
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
      {.name = "promoted by hand, its agent not told",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.stop(0);
             p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
                       "SET GLOBAL rpl_semi_sync_master_enabled = ON"});
             p.sql(2, {"STOP SLAVE",
                       fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(1), p.port(1)),
                       "START SLAVE"});
             p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"replica-detached 1", "server-stopped 0"},
       .members = {"0 stopped restart", "2 broken resume"},
       .authority = "provable 1",
       .also = {"replica-wrong-source"},
       .undo = put_back,
       .repair = {"healed"},
       .tidy = put_back},
      {.name = "the primary lost, another one opened for writes and nobody told",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.lab_break("delete-data", 0);
             p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF"});
             p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"data-missing 0", "semi-sync-off 1", "replica-source-unreachable 2", "replica-detached 1"},
       .members = {"0 empty rebuild", "1 broken resume", "2 broken nothing"},
       .authority = "provable 1",
       .undo = put_back,
       .repair = {"healed by 2 plans"},
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
             p.sql(0, {"CREATE TABLE shop.t (a INT PRIMARY KEY)"});
             end_writing(p);
             for (int i : {1, 2}) p.sql(i, {"STOP SLAVE"});
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 3600000"});
             const std::string insert = "INSERT INTO shop.t VALUES (1)";
             std::jthread client([&] { p.try_sql(0, {insert}, seconds(100)); });
             await(
                 "it waits for its receipt",
                 [&] {
                   return p.sql(0, {"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO = '" + insert +
                                    "' AND STATE LIKE 'Waiting for semi-sync ACK%'"}) == "1";
                 },
                 seconds(60));
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
             end_writing(p);
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
      {.name = "two primaries, the agent of the one that stays not told",
       .inject =
           [](Patient& p) {
             end_writing(p);
             // Its replicas leave it: what waits for them as a follower waits for ever.
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 3600000"});
             p.sql(1, {"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF",
                       "SET GLOBAL rpl_semi_sync_master_enabled = ON"});
             p.sql(2, {"STOP SLAVE",
                       fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(1), p.port(1)),
                       "START SLAVE"});
             p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"several-writers 0 1", "replica-detached 1"},
       .members = {"0 broken nothing", "1 broken resume"},  // and 2 follows one of them
       .authority = "provable 1",
       .undo = put_back,
       .repair = {"-i 0: partial", "healed"},
       .tidy =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"});
             EXPECT_EQ(p.agent(1, "status")["role"].text(), "primary") << "its next start would make it a replica";
             EXPECT_EQ(p.agent(0, "status")["role"].text(), "replica");
             put_back(p);
           }},
      {.name = "errant transaction, replica stopped",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(1, {"STOP SLAVE", "CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
             p.stop(1);
             p.sql(0, {"CREATE TABLE shop.newer (a INT)"});
           },
       .diagnoses = {"errant-transactions 1", "server-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"operation.not_accepted", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.newer"})},
      {.name = "errant transaction, replica stopped, cluster idle",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(1, {"CREATE TABLE shop.errant (a INT PRIMARY KEY)"});
             p.stop(1);
           },
       .diagnoses = {"errant-transactions 1", "server-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"}},
  };
  return list;
}

TEST(TriageMariadb, TellsFaultsOfHistories) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-mariadb", faults());
}

}  // namespace
}  // namespace holdfast::test::mariadb
