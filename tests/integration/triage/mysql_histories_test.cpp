// Triage of a MySQL cluster: members that have transactions which others have not.
#include <gtest/gtest.h>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

/// The first member is the primary again, for the agents too, and everything as it was kept.
void put_back(Patient& p) {
  p.agent(0, "configure", codec::Value::object({{"role", "primary"}, {"upstream", ""}}));
  p.agent(1, "configure", codec::Value::object({{"role", "replica"}, {"upstream", p.name(0)}}));
  p.restore();
}

const std::vector<std::string> kOpen = {"STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = OFF",
                                        "SET GLOBAL read_only = OFF"};
const std::vector<std::string> kErrant = {
    "SET GLOBAL super_read_only = OFF", "CREATE TABLE shop.errant (a INT PRIMARY KEY)",
    "INSERT INTO shop.errant VALUES (1), (2)", "SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"};

std::vector<Fault> history_faults() {
  return {
      {.name = "a hole set into gtid_purged",
       .inject =
           [](Patient& p) {
             idle(p);
             p.sql(0, {"CREATE TABLE shop.seen (a INT)"});
             caught_up(p);  // so that its own logs reach back further
             p.sql(1, {"STOP REPLICA"});
             const auto executed = [&] { return p.sql(0, {"SELECT @@GLOBAL.gtid_executed"}); };
             const std::string before = executed();
             p.sql(0, {"CREATE TABLE shop.gap (a INT)"});
             const std::string skipped = p.sql(0, {"SELECT GTID_SUBTRACT('" + executed() + "', '" + before + "')"});
             p.sql(1, {"SET GLOBAL gtid_purged = '+" + skipped + "'", "START REPLICA"});
           },
       .diagnoses = {"gtid-purged-hole 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.gap", "DROP TABLE shop.seen"})},
      {.name = "GTIDs reset on the primary",
       .inject =
           [](Patient& p) {
             idle(p);
             p.sql(0, {"RESET BINARY LOGS AND GTIDS", "CREATE TABLE shop.fresh (a INT)"});
           },
       .diagnoses = {"leader-not-primary 1", "errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .also = {"replica-position-refused", "replica-not-receiving", "replica-log-purged"},
       .repair = {"repair.split_brain"}},
      {.name = "errant transactions, cluster idle",
       .inject =
           [](Patient& p) {
             idle(p);
             p.sql(1, kErrant);
           },
       .diagnoses = {"errant-transactions 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "errant transactions under load",
       .inject =
           [](Patient& p) {
             p.sql(1, {"STOP REPLICA"});
             p.sql(1, kErrant);
             p.sql(0, {"CREATE TABLE shop.ahead (a INT)"});
           },
       .diagnoses = {"errant-transactions 1", "replica-thread-stopped 1"},
       .members = {"1 diverged rebuild"},
       .authority = "diverged",
       .repair = {"operation.not_accepted", "-i 0: repair.target_is_primary", "-i 1 --adopt: repair.cannot_adopt",
                  "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.ahead"})},
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
      {.name = "old primary with a tail, down",
       .inject =
           [](Patient& p) {
             idle(p);
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
}

TEST(TriageMysql, TellsFaultsOfHistories) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  run_faults_on("shop-mysql", history_faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
