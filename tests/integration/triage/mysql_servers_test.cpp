// Triage of a MySQL cluster: servers that are down, frozen, or not to be reached.
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

std::vector<Fault> server_faults() {
  std::vector<Fault> list = {
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
       .inject = freeze(1),
       .diagnoses = {"server-frozen 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = is_same_process(1)},
      {.name = "primary frozen",
       .inject = freeze(0),
       .diagnoses = {"server-frozen 0", "no-writer"},
       .members = {"0 broken resume"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable"},
       .repair = {"healed"},
       .tidy = is_same_process(0)},
      started_by_hand(1, "provable 0"),
      {.name = "mysqld-auto.cnf damaged",
       .inject =
           [](Patient& p) {
             p.sql(1, {"SET PERSIST max_allowed_packet = 67108864"});
             p.stop(1);
             rewrite(p.data(1) + "/mysqld-auto.cnf", "{ \"Version\" : 2, \"mysql_dyn");
             p.start_in_vain(1);
           },
       .diagnoses = {"config-refused 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped"},
       .undo =
           [](Patient& p) {
             ASSERT_EQ(::unlink((p.data(1) + "/mysqld-auto.cnf").c_str()), 0);
             p.start(1);
           },
       .repair = {"operation.failed_undone"}},
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(1); },
       .diagnoses = {"agent-gone 1", "server-unreachable 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .undo = [](Patient& p) { p.restore(); },
       .repair = {"repair.needs_operator"},
       .one_machine = true},
      {.name = "primary killed",
       .inject = [](Patient& p) { p.kill(0); },
       .diagnoses = {"server-crashed 0", "no-writer", "replica-source-unreachable 1"},
       .members = {"0 stopped restart", "1 broken nothing"},
       .authority = "provable 0",
       .repair = {"-i 1: repair.needs_operator", "healed"}},
      {.name = "primary stopped",
       .inject = [](Patient& p) { p.stop(0); },
       .diagnoses = {"server-stopped 0", "no-writer", "replica-source-unreachable 1"},
       .members = {"0 stopped restart", "1 broken nothing"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "both killed",
       .inject =
           [](Patient& p) {
             for (int i : {1, 0}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1", "no-writer"},
       .members = {"0 stopped restart", "1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "the account is refused on one",
       .inject =
           sql_on(1, {"SET GLOBAL super_read_only = OFF", "SET sql_log_bin = 0",
                      "ALTER USER holdfast@localhost IDENTIFIED BY 'another one'", "SET GLOBAL super_read_only = ON"}),
       .diagnoses = {"access-denied 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"}},
  };
  if (::geteuid() == 0) {
    list.push_back({.name = "network cut",
                    .inject = [](Patient& p) { p.lab_break("partition", 1); },
                    .diagnoses = {"tcp-unreachable 1"},
                    .members = {"1 broken nothing"},
                    .authority = "provable 0",
                    .also = {"replica-source-unreachable", "replica-half-open", "replica-silent"},
                    .undo = heal_network,
                    .repair = {"repair.needs_operator"}});
  }
  return list;
}

TEST(TriageMysql, TellsFaultsOfServers) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  run_faults_on("shop-mysql", server_faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
