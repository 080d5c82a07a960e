// Triage of a Galera cluster under faults.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/programs.h"
#include "tests/integration/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::seconds;

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

void replace_line(const std::string& path, const std::string& key, const std::string& line) {
  const std::string text = text_of(path);
  const size_t at = text.find(key), end = text.find('\n', at);
  ASSERT_NE(at, std::string::npos) << path << " has no " << key;
  rewrite(path, text.substr(0, at) + line + text.substr(end));
}

std::string grastate(Patient& p, int i) {
  return p.data(i) + "/grastate.dat";
}

/// What goes wrong while everything works.
std::vector<Fault> quiet_faults() {
  return {
      {"quiet: goes on alone when the network breaks",
       sql_on(1, {"SET GLOBAL wsrep_provider_options = 'pc.ignore_sb=true'"}),
       {"galera-unsafe-options 1"},
       {},
       "provable *",
       {},
       sql_on(1, {"SET GLOBAL wsrep_provider_options = 'pc.ignore_sb=false'"}),
       0},
      {"quiet: a node without a vote",
       sql_on(2, {"SET GLOBAL wsrep_provider_options = 'pc.weight=0'"}),
       {"galera-unsafe-options 2"},
       {},
       "provable *",
       {},
       sql_on(2, {"SET GLOBAL wsrep_provider_options = 'pc.weight=1'"}),
       0},
      {"quiet: node of an older release",
       [](Patient& p) {
         p.stop(2);
         p.agent(2, "start", codec::Value::object({{"extraArgs", codec::Value::list_of(std::vector<std::string>{
                                                                     "--version=10.6.12-MariaDB"})}}));
       },
       {"version-skew 2"},
       {},
       "provable *",
       {},
       [](Patient& p) {
         p.stop(2);
         p.start(2);
       },
       0},
  };
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {"desynced by hand",
       sql_on(1, {"SET GLOBAL wsrep_desync = ON"}),
       {"galera-not-synced 1"},
       {"1 catching_up nothing"},
       "provable *",
       {},
       sql_on(1, {"SET GLOBAL wsrep_desync = OFF"})},
      {"wsrep_on off",
       sql_on(1, {"SET GLOBAL wsrep_on = OFF"}),
       {"galera-replication-off 1"},
       {"1 broken rebuild"},
       "undeterminable",
       {"authority-undeterminable"},
       sql_on(1, {"SET GLOBAL wsrep_on = ON"})},
      {"one stopped",
       [](Patient& p) { p.stop(2); },
       {"server-stopped 2"},
       {"2 stopped restart"},
       "provable *",
       {},
       [](Patient& p) { p.start(2); }},
      {"one killed",
       [](Patient& p) { p.kill(2); },
       {"server-crashed 2", "authority-undeterminable"},
       {"2 stopped restart"},
       "undeterminable",
       {},
       [](Patient& p) { p.start(2); }},
      {"agent killed",
       [](Patient& p) { p.kill_agent(2); },
       {"agent-gone 2", "server-unreachable 2"},
       {"2 stopped restart"},
       "undeterminable",
       {"authority-undeterminable"}},
      {"one with the zero uuid",
       [](Patient& p) {
         p.stop(2);
         replace_line(grastate(p, 2), "uuid:", "uuid:    00000000-0000-0000-0000-000000000000");
         replace_line(grastate(p, 2), "seqno:", "seqno:   -1");
       },
       {"server-stopped 2", "authority-undeterminable"},
       {"2 stopped restart"},
       "undeterminable"},
      {"one whose state transfer was cut off",
       [](Patient& p) {
         p.stop(2);
         replace_line(grastate(p, 2), "seqno:", "seqno:   -1");
         ASSERT_TRUE(sys::publish_file(p.data(2) + "/sst_in_progress", {}, 0644));
       },
       {"galera-aborted-transfer 2"},
       {"2 broken rebuild"},
       "undeterminable",
       {"server-stopped", "authority-undeterminable"}},
      {"one with no data",
       [](Patient& p) { p.lab_break("delete-data", 2); },
       {"data-missing 2"},
       {"2 empty rebuild"},
       "provable *"},
      {"one of another history, none recorded",
       [](Patient& p) {
         p.stop(2);
         replace_line(grastate(p, 2), "uuid:", "uuid:    11111111-2222-3333-4444-555555555555");
       },
       {"foreign-history 2", "authority-undeterminable"},
       {"2 foreign nothing"},
       "undeterminable",
       {"server-stopped"}},
      {"two killed, the third in the minority",
       [](Patient& p) {
         for (int i : {1, 2}) p.kill(i);
       },
       {"server-crashed 1 2", "galera-non-primary 0", "galera-no-primary-component 0 1 2"},
       {"0 broken restart", "1 stopped restart", "2 stopped restart"},
       "undeterminable",
       {"authority-undeterminable"}},
      {"all killed",
       [](Patient& p) {
         for (int i : {0, 1, 2}) p.kill(i);
       },
       {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable"},
       {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       "undeterminable"},
      {"all stopped, the last one is ahead",
       [](Patient& p) {
         for (int i : {0, 1}) p.stop(i);
         await(
             "it serves alone",
             [&] { return p.try_sql(2, {"CREATE TABLE shop.last (a INT PRIMARY KEY)"}, seconds(5)).empty(); },
             seconds(20));
         p.stop(2);
       },
       {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2"},
       {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       "provable 2"},
      {"all stopped, the wrong one marked to bootstrap",
       [](Patient& p) {
         for (int i : {0, 1}) p.stop(i);
         await(
             "it serves alone",
             [&] { return p.try_sql(2, {"CREATE TABLE shop.last (a INT PRIMARY KEY)"}, seconds(5)).empty(); },
             seconds(20));
         p.stop(2);
         replace_line(grastate(p, 0), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
         replace_line(grastate(p, 2), "safe_to_bootstrap:", "safe_to_bootstrap: 0");
       },
       {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-bootstrap-flag 0"},
       {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       "provable 2"},
      {"all stopped, two marked to bootstrap",
       [](Patient& p) {
         for (int i : {0, 1, 2}) p.stop(i);
         for (int i : {0, 2}) replace_line(grastate(p, i), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
       },
       {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-bootstrap-flag 0 2"},
       {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       "provable *"},
      {"inconsistent node, voted out",
       [](Patient& p) {
         p.sql(0, {"CREATE TABLE shop.t (a INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)"});
         await("node 2 has it", [&] { return p.try_sql(2, {"SELECT a FROM shop.t"}, seconds(2)) == "1"; }, seconds(10));
         p.sql(2, {"SET SESSION wsrep_on = OFF", "INSERT INTO shop.t VALUES (2)"});
         p.sql(0, {"INSERT INTO shop.t VALUES (2)"});
       },
       {"galera-inconsistent 2"},
       {"2 broken rebuild"},
       "undeterminable",
       {"authority-undeterminable", "server-crashed"}},
  };
  if (::geteuid() == 0) {
    list.push_back({"one cut off",
                    [](Patient& p) { p.lab_break("partition", 2); },
                    {"tcp-unreachable 2", "galera-non-primary 2"},
                    {"2 broken restart"},
                    "provable *",
                    {},
                    [](Patient& p) { p.lab_heal(2); }});
    list.push_back(
        {"two primary components",
         [](Patient& p) {
           p.lab_break("partition", 2);
           await(
               "it sees itself alone",
               [&] {
                 return p.try_sql(
                            2, {"SHOW STATUS WHERE Variable_name = 'wsrep_cluster_status' AND Value = 'non-Primary'"},
                            seconds(2)) == "wsrep_cluster_status";
               },
               seconds(30));
           p.sql(2, {"SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"});
         },
         {"galera-two-components 0 1 2", "tcp-unreachable 2"},
         {"0 broken nothing", "1 broken nothing", "2 broken nothing"},
         "diverged",
         {"histories-diverged", "galera-size-mismatch"},
         [](Patient& p) {
           p.kill(2);
           p.lab_heal(2);
           p.restore();
         }});
  }
  for (auto& fault : quiet_faults()) list.push_back(std::move(fault));
  return list;
}

TEST(TriageGalera, TellsEveryFault) {
  HOLDFAST_NEED("galera", engine::find_program(cluster::Engine::galera, "mariadbd").has_value(), "no mariadbd");
  LabGuard lab;
  Patient patient(lab, "shop-galera");
  ASSERT_TRUE(patient.prepare());
  run_faults(patient, faults());
}

}  // namespace
}  // namespace holdfast::test
