// Triage of a PostgreSQL cluster: second writers, old primaries, data of another cluster.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/programs.h"
#include "tests/integration/triage/postgres.h"
#include "tests/support/require.h"

namespace holdfast::test::postgres {
namespace {

using codec::Value;
using std::chrono::seconds;

void promote(Patient& p) {
  p.sql(1, {"SELECT pg_promote(false)"});
  await("it accepts writes", [&] { return p.sql(1, {"SELECT pg_is_in_recovery()"}) == "f"; }, seconds(60));
}

void role(Patient& p, const char* role, int i = 1) {
  p.agent(i, "configure", Value::object({{"role", role}, {"upstream", role[0] == 'p' ? "" : p.name(1 - i)}}));
}

/// The first member leads again, as before the fault.
void swap_back(Patient& p) {
  role(p, "primary", 0);
  role(p, "replica", 1);
  p.restore();
}

/// Another cluster's data in the place of the standby's.
void become_foreign(Patient& p) {
  p.stop(1);
  p.agent(1, "set_aside");
  p.agent(1, "initialise", Value::object({{"from", "empty"}}));
  p.start(1);
}

void forget_lineage(Patient& p) {
  const std::string file = p.lab().state_dir() + "/clusters/shop-postgres.yaml";
  std::string text = text_of(file);
  text.erase(text.find("  lineage: "));
  rewrite(file, text);
}

/// Both take writes, on timelines of their own or on one.
void write_on_both(Patient& p) {
  p.sql(1, {"CREATE TABLE second (a int)"});
  p.sql(0, {"CREATE TABLE first (a int)"});
}

/// The first is left behind by the second, which leads from now on.
void lead_on(Patient& p) {
  promote(p);
  role(p, "primary");
  p.sql(1, {"CREATE TABLE newer (a int)"});
}

std::vector<Fault> history_faults() {
  return {
      {.name = "standby promoted by hand",
       .inject =
           [](Patient& p) {
             promote(p);
             write_on_both(p);
           },
       .diagnoses = {"several-writers 0 1", "histories-diverged"},
       .members = {"0 diverged nothing", "1 diverged nothing"},
       .authority = "diverged",
       .also = {"replica-detached", "errant-transactions"},
       .repair = {"repair.split_brain", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE first"})},
      {.name = "standby.signal removed",
       .inject =
           [](Patient& p) {
             p.stop(1);
             role(p, "primary");  // its agent would put the file back
             remove_tree(p.data(1) + "/standby.signal");
             p.start(1);
             write_on_both(p);
           },
       .diagnoses = {"several-writers 0 1", "authority-undeterminable"},
       .members = {"0 unknown nothing", "1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.split_brain", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"},
       .tidy = sql_on(0, {"DROP TABLE first"})},
      {.name = "old primary down, nothing of its own",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             p.stop(0);
             lead_on(p);
           },
       .diagnoses = {"server-stopped 0", "timeline-behind 0"},
       .members = {"0 stale rewind"},
       .authority = "provable 1",
       .repair = {"healed"},
       .tidy = swap_back},
      {.name = "old primary down, with a tail",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p);
             p.stop(1);
             p.sql(0, {"CREATE TABLE tail (a int)"});
             p.kill(0);
             p.start(1);
             lead_on(p);
           },
       .diagnoses = {"server-crashed 0", "errant-transactions 0", "histories-diverged"},
       .members = {"0 diverged rewind"},
       .authority = "diverged",
       .repair = {"repair.split_brain", "-i 0: operation.not_accepted", "-i 0 ACCEPT: healed"},
       .tidy = swap_back},
      {.name = "old primary down, and what a rewind needs is gone",
       .inject =
           [](Patient& p) {
             p.stop_writer();
             caught_up(p);
             p.sql(0, {"ALTER SYSTEM SET wal_keep_size = 0", "SELECT pg_reload_conf()"});
             p.stop(1);
             wait_until_slot_is_free(p);
             p.sql(0, {fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot)});
             churn(p, 6);
             churn(p, 2);
             p.kill(0);
             p.start(1);
             lead_on(p);
           },
       .diagnoses = {"server-crashed 0", "errant-transactions 0", "histories-diverged"},
       .members = {"0 diverged rewind"},
       .authority = "diverged",
       .repair = {"-i 0 ACCEPT: healed"},
       .tidy = swap_back},
      {.name = "another system's data, no lineage recorded",
       .inject = become_foreign,
       .diagnoses = {"foreign-history 1", "authority-undeterminable"},
       .members = {"1 foreign nothing"},
       .authority = "undeterminable",
       .also = {"replica-not-receiving"},
       .repair = {"repair.needs_operator"}},
      {.name = "another system's data, lineage recorded",
       .inject =
           [](Patient& p) {
             const std::string system = p.sql(0, {"SELECT system_identifier FROM pg_control_system()"});
             const std::string file = p.lab().state_dir() + "/clusters/shop-postgres.yaml", text = text_of(file);
             rewrite(file, text + fmt::format("  lineage: \"{}\"\n", system));
             become_foreign(p);
           },
       .diagnoses = {"foreign-history 1"},
       .members = {"1 foreign rebuild"},
       .authority = "provable 0",
       .also = {"replica-not-receiving"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"},
       .tidy = forget_lineage},
  };
}

TEST(TriagePostgres, TellsFaultsOfHistories) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  run_faults_on("shop-postgres", history_faults());
}

}  // namespace
}  // namespace holdfast::test::postgres
