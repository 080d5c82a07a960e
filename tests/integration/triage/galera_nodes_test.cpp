// Triage of a Galera cluster: one node stopped, killed, cut off or set wrongly.
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/programs.h"
#include "tests/integration/triage/galera.h"
#include "tests/support/require.h"

namespace holdfast::test::galera {
namespace {

/// All that the member's server has said since it was last started.
std::string last_run(Patient& p, int i) {
  const std::string log = text_of(p.dir(i) + "/log/server.log");
  const auto at = log.rfind("Starting MariaDB");
  return at == std::string::npos ? log : log.substr(at);
}

/// Repaired by what it missed alone: its data was not copied again.
std::function<void(Patient&)> joined_by_ist(int i) {
  return [i](Patient& p) {
    const std::string log = last_run(p, i);
    EXPECT_NE(log.find("IST received:"), std::string::npos) << "no IST: " << log.substr(0, 3000);
    EXPECT_EQ(log.find("rsync SST completed on joiner"), std::string::npos) << "its data was copied whole";
  };
}

std::vector<Fault> faults() {
  const auto held = std::make_shared<std::shared_ptr<void>>();
  std::vector<Fault> list = {
      {.name = "desynced by hand",
       .inject = sql_on(1, {"SET GLOBAL wsrep_desync = ON"}),
       .diagnoses = {"galera-not-synced 1"},
       .members = {"1 catching_up resume"},
       .authority = "provable *",
       .repair = {"healed"}},
      {.name = "queries rejected by hand",
       .inject = sql_on(1, {"SET GLOBAL wsrep_reject_queries = ALL"}),
       .diagnoses = {"galera-not-ready 1"},
       .members = {"1 broken resume"},
       .authority = "provable *",
       .also = {"access-denied"},
       .repair = {"healed"}},
      {.name = "a donor for ever: a forgotten lock",
       .inject = [held](Patient& p) { *held = p.hold(1, {"FLUSH TABLES WITH READ LOCK"}); },
       .diagnoses = {"galera-not-synced 1"},
       .members = {"1 catching_up nothing"},
       .authority = "provable *",
       .repair = {"repair.needs_operator", "-i 1: healed"},
       .tidy = [held](Patient&) { held->reset(); }},
      {.name = "wsrep_on off",
       .inject = sql_on(1, {"SET GLOBAL wsrep_on = OFF"}),
       .diagnoses = {"galera-replication-off 1"},
       .members = {"1 broken rebuild"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "one stopped",
       .inject = [](Patient& p) { p.stop(2); },
       .diagnoses = {"server-stopped 2"},
       .members = {"2 stopped restart"},
       .authority = "provable *",
       .repair = {"healed"},
       .tidy = joined_by_ist(2)},
      {.name = "one killed",
       .inject = [](Patient& p) { p.kill(2); },
       .diagnoses = {"server-crashed 2", "authority-undeterminable"},
       .members = {"2 stopped restart"},
       .authority = "undeterminable",
       .repair = {"healed"},
       .tidy = joined_by_ist(2)},
      started_by_hand(1, "provable *"),
      {.name = "node frozen",
       .inject =
           [](Patient& p) {
             freeze(1)(p);
             await_status(p, 0, "wsrep_cluster_size", "2");  // the others have given it up
           },
       .diagnoses = {"server-frozen 1"},
       .members = {"1 broken resume"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"healed"},
       .tidy = is_same_process(1)},
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(2); },
       .diagnoses = {"agent-gone 2", "server-unreachable 2"},
       .members = {"2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"repair.needs_operator"},
       .one_machine = true},
      {.name = "one left out by its own network",
       .inject =
           [](Patient& p) {
             be_quick(p);
             isolate(p, 2);
             await_status(p, 2, "wsrep_cluster_status", "non-Primary");
           },
       .diagnoses = {"galera-non-primary 2"},
       .members = {"2 broken restart"},
       .authority = "provable *",
       .repair = {"bootstrap: bootstrap.has_primary", "healed"},
       .tidy = joined_by_ist(2)},
  };
  if (::geteuid() == 0) {
    list.push_back({.name = "one cut off",
                    .inject =
                        [](Patient& p) {
                          be_quick(p);
                          p.lab_break("partition", 2);
                        },
                    .diagnoses = {"tcp-unreachable 2", "galera-non-primary 2"},
                    .members = {"2 broken restart"},
                    .authority = "provable *",
                    .undo = [](Patient& p) { p.lab_heal(2); },
                    .repair = {"repair.needs_operator", "bootstrap: bootstrap.has_primary"}});
  }
  return list;
}

TEST(TriageGalera, TellsFaultsOfNodes) {
  HOLDFAST_NEED("galera", engine::find_program(cluster::Engine::galera, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-galera", faults());
}

}  // namespace
}  // namespace holdfast::test::galera
