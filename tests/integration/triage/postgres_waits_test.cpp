// Triage of a PostgreSQL cluster: queries that replay waits for, and WAL that is gone from the primary's disk.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "engine/programs.h"
#include "tests/integration/triage/postgres.h"
#include "tests/support/require.h"

namespace holdfast::test::postgres {
namespace {

using std::chrono::seconds;

const std::vector<std::string> kTable = {"CREATE TABLE waited (a int PRIMARY KEY, b int)",
                                         "INSERT INTO waited SELECT i, i FROM generate_series(1, 100) i"};

/// A report on the standby that does not end, and what its primary does to the table meanwhile.
Fault replay_waits(std::string name, const std::vector<std::string>& then, const std::string& what) {
  const auto held = std::make_shared<std::shared_ptr<void>>();
  const auto pid = std::make_shared<std::string>();
  const auto inject = [=](Patient& p) {
    p.sql(0, kTable, "shop");
    p.sql(1, {"ALTER SYSTEM SET max_standby_streaming_delay = -1", "SELECT pg_reload_conf()"});
    caught_up(p);
    *held = p.hold(1, {"BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT * FROM waited"});
    *pid = p.sql(1, {"SELECT pid FROM pg_stat_activity WHERE state = 'idle in transaction'"});
    p.sql(0, then, "shop");
    await(
        "triage names the session",
        [&] {
          return lacks(words_of(p.triage(), "applier-waits-for-lock"),
                       {"session " + *pid + " (", "pg_terminate_backend(" + *pid + ")", what})
              .empty();
        },
        seconds(6));
  };
  return {.name = std::move(name),
          .inject = inject,
          .diagnoses = {"applier-waits-for-lock 1"},
          .members = {"1 broken nothing"},
          .authority = "provable 0",
          .undo =
              [=](Patient& p) {
                held->reset();
                p.sql(1, {"ALTER SYSTEM RESET max_standby_streaming_delay", "SELECT pg_reload_conf()"});
                p.sql(0, {"DROP TABLE waited"}, "shop");
                caught_up(p);
              },
          .repair = {"repair.needs_operator"},
          .check =
              [=](Patient&, const Patient::Look& look) {
                return lacks(words_of(look, "applier-waits-for-lock"), {"session " + *pid + " (", what});
              }};
}

/// WAL that the slot of a stopped standby needs, and nothing else does.
void remove_wal(Patient& p) {
  p.stop(1);
  wait_until_slot_is_free(p);
  const std::string needed = p.sql(
      0, {fmt::format("SELECT pg_walfile_name(restart_lsn) FROM pg_replication_slots WHERE slot_name = '{}'", kSlot)});
  churn(p, 4);
  const std::string kept = p.sql(0, {"SELECT redo_wal_file FROM pg_control_checkpoint()"});
  int removed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(p.data(0) + "/pg_wal")) {
    const std::string file = entry.path().filename().string();
    if (file.size() == 24 && file >= needed && file < kept) removed += std::filesystem::remove(entry.path());
  }
  EXPECT_GT(removed, 0) << needed << " to " << kept;
  p.start(1);
}

std::vector<Fault> faults() {
  return {
      replay_waits("waits: replay behind a locked table", {"ALTER TABLE waited ADD COLUMN c int"}, "the lock of"),
      replay_waits("waits: replay behind a query that still sees removed rows", {"DELETE FROM waited", "VACUUM waited"},
                   "the query of"),
      {.name = "waits: primary_conninfo emptied",
       .inject = sql_on(1, {"ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"}),
       .diagnoses = {"replica-not-receiving 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .check =
           [](Patient&, const Patient::Look& look) {
             return lacks(words_of(look, "replica-not-receiving"), {"primary_conninfo is not set"});
           }},
      {.name = "waits: WAL removed from the primary's disk",
       .inject = remove_wal,
       .diagnoses = {"replica-log-purged 1", "logs-missing 0"},
       .members = {"1 stale reseed"},
       .authority = "provable 0",
       .also = {"replica-not-receiving"},
       .repair = {"healed"},
       .tidy = [](Patient& p) { EXPECT_EQ(words_of(p.triage(), "logs-missing"), "") << "nothing needs it any more"; },
       .check =
           [](Patient&, const Patient::Look& look) {
             return lacks(words_of(look, "logs-missing"), {"pg_wal", "holdfast repair"});
           }},
  };
}

TEST(TriagePostgres, TellsWhatReplayWaitsFor) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  run_faults_on("shop-postgres", faults());
}

}  // namespace
}  // namespace holdfast::test::postgres
