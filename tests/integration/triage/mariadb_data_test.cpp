// Triage of a MariaDB cluster: data directories gone, damaged or of another time.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "engine/programs.h"
#include "tests/integration/triage/mariadb.h"
#include "tests/support/require.h"

namespace holdfast::test::mariadb {
namespace {

using std::chrono::seconds;

/// Damages the file of a table of member 1 while its server is stopped, with all of it on the disk.
void while_down(Patient& p, void (*damage)(const std::string& file)) {
  p.sql(0, kTable);
  caught_up(p, 1);
  p.stop(1);
  damage(p.data(1) + "/shop/t.ibd");
  p.start(1);
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {.name = "older data put back beside newer logs",
       .inject =
           [](Patient& p) {
             p.sql(0, kTable);  // at the least this is newer
             caught_up(p, 1);
             p.stop(1);
             const std::string newer = p.dir(1) + "/data.newer";
             std::filesystem::rename(p.data(1), newer);
             copy_tree(p.dir(1) + "/data.kept", p.data(1));
             for (const auto& entry : std::filesystem::directory_iterator(newer))
               if (const auto name = entry.path().filename().string(); name.starts_with("binlog."))
                 std::filesystem::rename(entry.path(), p.data(1) + "/" + name);
             remove_tree(newer);
             p.agent(1, "start");
             await("it refuses what is in its log", [&] { return apply_error(p, 1) == "1950"; }, seconds(60));
           },
       // Its log alone does not tell older data from transactions that were written there.
       .diagnoses = {"errant-transactions 1", "replica-apply-error 1"},
       .members = {"1 diverged rebuild"},
       .authority = "provable 0",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "data directory gone",
       .inject = [](Patient& p) { p.lab_break("delete-data", 1); },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "a table's file removed while the server runs",
       .inject =
           [](Patient& p) {
             p.sql(0, kTable);
             caught_up(p, 1);
             ASSERT_EQ(::unlink((p.data(1) + "/shop/t.ibd").c_str()), 0);
           },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "a table's file removed while the server was down",
       .inject =
           [](Patient& p) { while_down(p, [](const std::string& file) { EXPECT_EQ(::unlink(file.c_str()), 0); }); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "a page of a table made empty, the server down",
       .inject =
           [](Patient& p) { while_down(p, [](const std::string& file) { spoil(file, 3 * 16384, 16384, '\0'); }); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "tables that need no file of their own",
       .inject =
           [](Patient& p) {
             for (int i = 0; i < 3; ++i) p.sql(i, {"SET GLOBAL innodb_file_per_table = OFF"});
             p.sql(0, kTable);
             for (int i = 1; i < 3; ++i) caught_up(p, i);
             ASSERT_FALSE(std::filesystem::exists(p.data(1) + "/shop/t.ibd"));
             ASSERT_TRUE(std::filesystem::exists(p.data(1) + "/shop/t.frm"));
             p.sql(2, {"SET GLOBAL innodb_file_per_table = ON", "SET SESSION sql_log_bin = OFF",
                       "CREATE TABLE shop.`dis-carded` (a INT PRIMARY KEY)",
                       "ALTER TABLE shop.`dis-carded` DISCARD TABLESPACE"});
             ASSERT_TRUE(std::filesystem::exists(p.data(2) + "/shop/dis@002dcarded.frm"));
             ASSERT_FALSE(std::filesystem::exists(p.data(2) + "/shop/dis@002dcarded.ibd"));
           },
       .diagnoses = {},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, kDropTable);
             p.sql(2, {"SET SESSION sql_log_bin = OFF", "DROP TABLE shop.`dis-carded`"});
             for (int i = 0; i < 3; ++i) p.sql(i, {"SET GLOBAL innodb_file_per_table = ON"});
           },
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "pages of a table overwritten, the server down",
       .inject = [](Patient& p) { p.lab_break("corrupt-pages", 1); },
       .diagnoses = {"server-stopped 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "a table's file cut in half, started all the same",
       .inject =
           [](Patient& p) {
             // Not the lab's choice: of a table that is written to, the log may bring all back.
             p.sql(0, {"CREATE TABLE shop.t (a INT PRIMARY KEY, b CHAR(200))",
                       "INSERT INTO shop.t SELECT seq, 'x' FROM shop.seq_1_to_20000"});
             caught_up(p, 2);
             p.stop(2);
             ASSERT_EQ(::truncate((p.data(2) + "/shop/t.ibd").c_str(), 30 * 16384), 0);
             p.start(2);
           },
       .diagnoses = {"page-checksum-failures 2"},
       .members = {"2 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, kDropTable)},
      {.name = "pages of the primary overwritten",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.lab_break("corrupt-pages", 0);
             p.start(0);
             p.start_writer();
           },
       .diagnoses = {"page-checksum-failures 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .repair = {"repair.target_is_primary"}},
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
      {.name = "system tablespace removed while the server runs",
       .inject = [](Patient& p) { std::filesystem::remove(p.data(1) + "/ibdata1"); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "redo log of the primary removed while the server runs",
       .inject = [](Patient& p) { std::filesystem::remove(p.data(0) + "/ib_logfile0"); },
       .diagnoses = {"page-checksum-failures 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .repair = {"repair.target_is_primary"}},
      {.name = "aria_log_control gone, and not started since",
       .inject =
           [](Patient& p) {
             p.stop(1);
             std::filesystem::remove(p.data(1) + "/aria_log_control");
           },
       .diagnoses = {"data-damaged 1", "server-stopped 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "redo log gone, and not started since",
       .inject =
           [](Patient& p) {
             p.stop(1);
             std::filesystem::remove(p.data(1) + "/ib_logfile0");
           },
       .diagnoses = {"data-damaged 1", "server-stopped 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "all killed, one replica without its redo log",
       .inject =
           [](Patient& p) {
             for (int i : {2, 1, 0}) p.kill(i);
             std::filesystem::remove(p.data(1) + "/ib_logfile0");
           },
       .diagnoses = {"server-crashed 0 1 2", "data-damaged 1", "no-writer"},
       .members = {"0 stopped restart", "1 broken rebuild", "2 stopped restart"},
       .authority = "provable 0",
       // The primary is started first: there is no donor before.
       .repair = {"healed by 2 plans"}},
      {.name = "all killed, the replicas had received and not applied",
       .inject =
           [](Patient& p) {
             for (int i : {1, 2}) p.sql(i, {"STOP SLAVE SQL_THREAD"});
             std::this_thread::sleep_for(std::chrono::seconds(1));
             for (int i : {2, 1, 0}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1 2", "no-writer", "relay-log-only-copy 1 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 0",
       // The primary, whose log has it, is started first.
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
      {.name = "one replica stopped, the other without data",
       .inject =
           [](Patient& p) {
             lose_receipts(p, [&] {
               p.sql(1, {"STOP SLAVE"});
               p.lab_break("delete-data", 2);
             });
           },
       .diagnoses = {"replica-thread-stopped 1", "data-missing 2", "semi-sync-off 0"},
       .members = {"0 broken resume", "1 stopped resume", "2 empty rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "both replicas without data",
       .inject =
           [](Patient& p) {
             lose_receipts(p, [&] {
               for (int i : {1, 2}) p.lab_break("delete-data", i);
             });
           },
       .diagnoses = {"data-missing 1 2", "semi-sync-off 0"},
       .members = {"0 broken resume", "1 empty rebuild", "2 empty rebuild"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.needs_operator", "healed by 2 plans"}},
      {.name = "the primary's data directory gone",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.lab_break("delete-data", 0);
           },
       .diagnoses = {"data-missing 0", "no-writer", "leader-not-primary 1", "replica-source-unreachable 1 2"},
       .members = {"0 empty rebuild", "1 broken nothing", "2 broken nothing"},
       .authority = "leader_not_primary 1",
       .repair = {"repair.no_donor|repair.needs_operator", "-i 0: repair.no_donor"}},
  };
  return list;
}

TEST(TriageMariadb, TellsFaultsOfData) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-mariadb", faults());
}

}  // namespace
}  // namespace holdfast::test::mariadb
