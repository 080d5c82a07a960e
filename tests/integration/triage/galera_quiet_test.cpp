// Triage of a Galera cluster: what goes wrong while everything works.
#include <gtest/gtest.h>

#include "engine/programs.h"
#include "tests/integration/triage/galera.h"
#include "tests/support/require.h"

namespace holdfast::test::galera {
namespace {

std::vector<Fault> faults() {
  return {
      {.name = "quiet: goes on alone when the network breaks",
       .inject = sql_on(1, {"SET GLOBAL wsrep_provider_options = 'pc.ignore_sb=true'"}),
       .diagnoses = {"galera-unsafe-options 1"},
       .authority = "provable *",
       .undo = sql_on(1, {"SET GLOBAL wsrep_provider_options = 'pc.ignore_sb=false'"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: a node without a vote",
       .inject = sql_on(2, {"SET GLOBAL wsrep_provider_options = 'pc.weight=0'"}),
       .diagnoses = {"galera-unsafe-options 2"},
       .authority = "provable *",
       .undo = sql_on(2, {"SET GLOBAL wsrep_provider_options = 'pc.weight=1'"}),
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: node of an older release",
       .inject =
           [](Patient& p) {
             p.stop(2);
             p.agent(
                 2, "start",
                 codec::Value::object(
                     {{"extraArgs", codec::Value::list_of(std::vector<std::string>{"--version=10.6.12-MariaDB"})}}));
           },
       .diagnoses = {"version-skew 2"},
       .authority = "provable *",
       .undo =
           [](Patient& p) {
             p.stop(2);
             p.start(2);
           },
       .exit_code = 0,
       .repair = {"nothing"}},
  };
}

TEST(TriageGalera, TellsQuietFaults) {
  HOLDFAST_NEED("galera", engine::find_program(cluster::Engine::galera, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-galera", faults());
}

}  // namespace
}  // namespace holdfast::test::galera
