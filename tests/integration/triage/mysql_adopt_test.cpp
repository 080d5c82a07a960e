// What a MySQL replica wrote on its own is taken over into the primary, or that is refused.
#include <gtest/gtest.h>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

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

std::vector<Fault> adoption_faults() {
  return {
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
       .diagnoses = {"errant-transactions 1", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"--adopt: repair.cannot_adopt", "-i 0 --adopt: repair.target_is_primary",
                  "-i 1 --adopt: operation.not_accepted", "-i 1 --adopt ACCEPT: healed"},
       .tidy = adopted_everywhere},
      {.name = "adopt: a replica that never stopped",
       .inject =
           [](Patient& p) {
             idle(p);
             prepare_adoption(p);
             p.sql(1, written_there({kAdoptedRow, "UPDATE shop.adopted SET flags = '' WHERE id = 7",
                                     "UPDATE shop.adopted SET name = 'changed', amount = 2.50 WHERE id = -1",
                                     "DELETE FROM shop.adopted WHERE id = 18446744073709551615"}));
             p.sql(0, {"INSERT INTO shop.adopted (id, name) VALUES (8, 'of the primary')"});
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
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
       .diagnoses = {"errant-transactions 1", "replica-thread-stopped 1"},
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
       .diagnoses = {"errant-transactions 1", "replica-thread-stopped 1"},
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
       .diagnoses = {"errant-transactions 1", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"-i 1 --adopt ACCEPT: operation.failed_undone", "-i 1 ACCEPT: healed"},
       .tidy = adopted_nowhere},
      {.name = "adopt: the source has overwritten it",
       .inject =
           [](Patient& p) {
             idle(p);
             prepare_adoption(p);
             p.sql(1, written_there({"UPDATE shop.adopted SET amount = 2.50 WHERE id = -1"}));
             // There and back: the primary's row is as it was found, and the replica's is no longer what it wrote.
             p.sql(0, {"UPDATE shop.adopted SET amount = 9 WHERE id = -1",
                       "UPDATE shop.adopted SET amount = -1.25 WHERE id = -1"});
             caught_up(p);
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"-i 1 --adopt: repair.cannot_adopt", "-i 1 ACCEPT: healed"},
       .tidy = adopted_nowhere},
  };
}

TEST(TriageMysql, TellsFaultsOfAdoption) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  run_faults_on("shop-mysql", adoption_faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
