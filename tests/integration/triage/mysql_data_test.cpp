// Triage of a MySQL cluster: a member whose files are gone, damaged, or not its own.
#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

std::vector<Fault> data_faults() {
  return {
      {.name = "data directory gone",
       .inject = [](Patient& p) { p.lab_break("delete-data", 1); },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "pages of a table overwritten, the server down",
       .inject = [](Patient& p) { p.lab_break("corrupt-pages", 1); },
       .diagnoses = {"server-stopped 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "a table's file cut in half, and the log has more to write there",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CREATE DATABASE IF NOT EXISTS cut", "CREATE TABLE cut.t (a INT PRIMARY KEY, b CHAR(200))",
                       "INSERT INTO cut.t WITH RECURSIVE n(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM n WHERE a < "
                       "1000) SELECT a, 'x' FROM n"});
             p.sql(0, {"INSERT INTO cut.t SELECT a + 1000 * m, b FROM cut.t, (WITH RECURSIVE n(m) AS (SELECT 1 UNION "
                       "ALL SELECT m + 1 FROM n WHERE m < 20) SELECT m FROM n) n"});
             caught_up(p);
             p.stop(1);  // all of it is in the file now
             p.start(1);
             p.sql(0, {"UPDATE cut.t SET b = 'y'"});
             caught_up(p);
             p.kill(1);
             ASSERT_EQ(::truncate((p.data(1) + "/cut/t.ibd").c_str(), 30 * 16384), 0);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "a page of a table made empty, the server down",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CREATE DATABASE IF NOT EXISTS blank", "CREATE TABLE blank.t (a INT PRIMARY KEY)",
                       "INSERT INTO blank.t VALUES (1), (2)"});
             caught_up(p);
             p.stop(1);
             spoil(p.data(1) + "/blank/t.ibd", 4 * 16384, 16384, '\0');
             p.start(1);
           },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "a table's file removed while the server was down",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CREATE DATABASE IF NOT EXISTS gone", "CREATE TABLE gone.t (a INT PRIMARY KEY)",
                       "INSERT INTO gone.t VALUES (1), (2)"});
             caught_up(p);
             p.stop(1);
             ASSERT_EQ(::unlink((p.data(1) + "/gone/t.ibd").c_str()), 0);
             p.start(1);
           },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "pages of a table overwritten, started all the same",
       .inject =
           [](Patient& p) {
             p.lab_break("corrupt-pages", 1);
             p.start(1);
           },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
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
      {.name = "dictionary removed while the server runs",
       .inject = [](Patient& p) { std::filesystem::remove(p.data(1) + "/mysql.ibd"); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "redo log gone, and not started since",
       .inject =
           [](Patient& p) {
             p.stop(1);
             remove_tree(p.data(1) + "/#innodb_redo");
           },
       .diagnoses = {"data-damaged 1", "server-stopped 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "an undo tablespace gone, and not started since",
       .inject =
           [](Patient& p) {
             p.stop(1);
             std::filesystem::remove(p.data(1) + "/undo_001");
           },
       .diagnoses = {"data-damaged 1", "server-stopped 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "the index of the binary logs gone, and not started since",
       .inject =
           [](Patient& p) {
             p.stop(1);
             std::filesystem::rename(p.data(1) + "/binlog.index", p.dir(1) + "/binlog.index");
           },
       .diagnoses = {"data-damaged 1", "authority-undeterminable"},
       .members = {"1 broken nothing"},
       .authority = "undeterminable",
       .undo =
           [](Patient& p) {
             std::filesystem::rename(p.dir(1) + "/binlog.index", p.data(1) + "/binlog.index");
             p.start(1);
           },
       .repair = {"repair.needs_operator"}},
      {.name = "auto.cnf gone while the server runs",
       .inject = [](Patient& p) { std::filesystem::rename(p.data(1) + "/auto.cnf", p.dir(1) + "/auto.cnf"); },
       .diagnoses = {"server-uuid-unsaved 1"},
       .members = {},
       .authority = "provable 0",
       .undo = [](Patient& p) { std::filesystem::rename(p.dir(1) + "/auto.cnf", p.data(1) + "/auto.cnf"); },
       .exit_code = 0,
       .repair = {"nothing"}},
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
  };
}

TEST(TriageMysql, TellsFaultsOfData) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  run_faults_on("shop-mysql", data_faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
