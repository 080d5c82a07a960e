// Triage of a PostgreSQL cluster: its network is cut, its disks are full.
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/programs.h"
#include "tests/integration/triage/postgres.h"
#include "tests/support/require.h"

namespace holdfast::test::postgres {
namespace {

using std::chrono::seconds;

/// The primary writes WAL until its disk takes no more, and dies of it. Its standby is stopped before: it would have
/// received a part of the last record, and only whole ones can be compared.
void fill_with_wal(Patient& p) {
  p.stop(1);
  p.lab_break("fill-disk", 0);
  await(
      "the server dies of its full disk",
      [&] {
        p.try_sql(0, {"SELECT pg_logical_emit_message(true, 'wal', repeat('x', 1000000)) FROM generate_series(1, 20)"},
                  seconds(30));
        return p.agent(0, "status")["server"]["state"].text() == "failed";
      },
      seconds(150));
}

std::vector<Fault> surroundings_faults() {
  return {
      {.name = "network cut",
       .inject = [](Patient& p) { p.lab_break("partition", 1); },
       .diagnoses = {"tcp-unreachable 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-source-unreachable", "replica-silent"},
       .undo = heal_network,
       .repair = {"repair.needs_operator"}},
      {.name = "disk of the standby full",
       .inject = [](Patient& p) { p.lab_break("fill-disk", 1); },
       .diagnoses = {"disk-full 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "server-crashed", "replica-source-unreachable", "replica-silent"},
       .undo = [](Patient& p) { p.lab_heal(1); },
       .repair = {"repair.needs_operator"}},
      {.name = "disk of the primary full of WAL that an unused slot keeps",
       .inject =
           [](Patient& p) {
             p.sql(0, {"SELECT pg_create_physical_replication_slot('forgotten', true)"});
             churn(p, 8);
             caught_up(p);
             p.sql(0, {"CHECKPOINT"});
             fill_with_wal(p);
           },
       .diagnoses = {"disk-full 0", "server-crashed 0", "server-stopped 1", "no-writer"},
       .members = {"0 broken nothing", "1 stopped restart"},
       .authority = "provable 0",
       .repair = {"operation.not_accepted", "ACCEPT: healed"},
       .tidy =
           [](Patient& p) {
             EXPECT_EQ(p.sql(0, {"SELECT string_agg(slot_name, ',') FROM pg_replication_slots"}), kSlot);
             p.lab_heal(0);
           }},
      {.name = "disk of the primary full, and nothing that nobody needs",
       .inject = fill_with_wal,
       .diagnoses = {"disk-full 0", "server-crashed 0", "server-stopped 1", "no-writer"},
       .members = {"0 broken nothing", "1 stopped restart"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.lab_heal(0);
             p.start(1);
           },
       .repair = {"-i 0: repair.needs_operator"}},
  };
}

TEST(TriagePostgres, TellsFaultsOfSurroundings) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  HOLDFAST_NEED("root", ::geteuid() == 0, "it mounts a file system and drops packets");
  run_faults_on("shop-postgres", surroundings_faults());
}

}  // namespace
}  // namespace holdfast::test::postgres
