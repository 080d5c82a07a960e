// Triage of a MariaDB cluster: servers killed, stopped, frozen or out of reach, agents gone, disks full.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/triage/mariadb.h"
#include "tests/support/require.h"

namespace holdfast::test::mariadb {
namespace {

std::vector<Fault> faults() {
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
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(1); },
       .diagnoses = {"agent-gone 1", "server-unreachable 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .undo = [](Patient& p) { p.restore(); },
       .repair = {"repair.needs_operator"},
       .one_machine = true},
      {.name = "killed, and its source forgotten",
       .inject =
           [](Patient& p) {
             p.kill(1);
             for (const char* file : {"/master.info", "/relay-log.info"}) std::filesystem::remove(p.data(1) + file);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "chain, its middle killed",
       .inject =
           [](Patient& p) {
             p.sql(2, {"STOP SLAVE"});
             has_applied(p, 1, value(p, 2, "gtid_slave_pos"));  // else the middle refuses it
             p.sql(2, {fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(1), p.port(1)),
                       "START SLAVE"});
             p.kill(1);
           },
       .diagnoses = {"server-crashed 1", "replica-source-unreachable 2"},
       .members = {"1 stopped restart", "2 broken nothing"},
       .authority = "provable 0",
       .repair = {"-i 2: repair.needs_operator", "healed"},
       .tidy =
           [](Patient& p) {
             p.sql(2, {"STOP SLAVE",
                       fmt::format("CHANGE MASTER TO MASTER_HOST = \'{}\', MASTER_PORT = {}", p.host(0), p.port(0)),
                       "START SLAVE"});
           }},
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
      {.name = "the account is refused on one",
       .inject = sql_on(1, {"SET sql_log_bin = 0", "ALTER USER holdfast@localhost IDENTIFIED BY 'another one'"}),
       .diagnoses = {"access-denied 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"}},
  };
  if (::geteuid() == 0) {
    list.push_back(
        {.name = "network cut",
         .inject = [](Patient& p) { p.lab_break("partition", 1); },
         .diagnoses = {"tcp-unreachable 1"},
         .members = {"1 broken nothing"},
         .authority = "provable 0",
         .also = {"replica-source-unreachable", "replica-half-open", "replica-not-receiving", "replica-silent"},
         .undo = [](Patient& p) { p.lab_heal(1); },
         .repair = {"repair.needs_operator"}});
    list.push_back({.name = "disk full",
                    .inject = [](Patient& p) { p.lab_break("fill-disk", 1); },
                    .diagnoses = {"disk-full 1", "server-hung 1"},
                    .members = {"1 broken nothing"},
                    .authority = "undeterminable",
                    .also = {"authority-undeterminable", "replica-silent"},
                    .undo =
                        [](Patient& p) {
                          p.kill(1);  // it looks for room once in a minute only
                          p.lab_heal(1);
                        },
                    .repair = {"repair.needs_operator", "-i 1: repair.needs_operator"}});
  }
  return list;
}

TEST(TriageMariadb, TellsFaultsOfServers) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-mariadb", faults());
}

}  // namespace
}  // namespace holdfast::test::mariadb
