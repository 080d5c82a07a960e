// Triage of a MariaDB cluster: what goes wrong while everything works.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "engine/programs.h"
#include "tests/integration/triage/mariadb.h"
#include "tests/integration/triage/network.h"
#include "tests/support/require.h"

namespace holdfast::test::mariadb {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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

std::vector<Fault> faults() {
  const auto held = std::make_shared<std::shared_ptr<void>>();
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
       .inject =
           [](Patient& p) {
             p.stop_writer();  // a slow disk may take longer than that over a receipt
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 900"});
           },
       .diagnoses = {"semi-sync-timeout-short 0"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL rpl_semi_sync_master_timeout = 10000"});
             p.start_writer();
           },
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: nobody acknowledges, cluster idle",
       .inject =
           [](Patient& p) {
             end_writing(p);
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
           [held](Patient& p) {
             *held = p.hold(0, {"FLUSH TABLES WITH READ LOCK"});
             await(
                 "a write waits",
                 [&] {
                   return p.sql(0, {"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for "
                                    "%lock' AND TIME >= 5"}) != "0";
                 },
                 seconds(60));
           },
       .diagnoses = {"writes-locked 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo =
           [held](Patient& p) {
             held->reset();
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
                 seconds(150));
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
                          await(
                              "its agent has seen enough",
                              [&] {
                                const auto past = std::chrono::steady_clock::now() - begun;
                                write_ballast(p, static_cast<int>(past / milliseconds(500)));
                                return p.triage().text.find("disk-filling") != std::string::npos;
                              },
                              seconds(120));
                        },
                    .diagnoses = {"disk-filling 1"},
                    .authority = "provable 0",
                    .undo = [](Patient& p) { p.lab_heal(1); },
                    .exit_code = 0,
                    .repair = {"nothing"}});
    list.push_back({.name = "quiet: a replica's connection is lost on its way",
                    .inject =
                        [held](Patient& p) {
                          p.sql(1, {"STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD"});  // its session is the youngest
                          caught_up(p, 1);
                          *held = lose_packets(
                              p, 0,
                              std::stoi(p.sql(0, {"SELECT SUBSTRING_INDEX(HOST, ':', -1) FROM "
                                                  "information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%' "
                                                  "ORDER BY ID DESC LIMIT 1"})));
                        },
                    .diagnoses = {"replica-silent 1"},
                    .members = {"1 broken resume"},
                    .authority = "provable 0",
                    .repair = {"healed"},
                    .tidy = [held](Patient&) { held->reset(); }});
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

TEST(TriageMariadb, TellsQuietFaults) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-mariadb", faults());
}

}  // namespace
}  // namespace holdfast::test::mariadb
