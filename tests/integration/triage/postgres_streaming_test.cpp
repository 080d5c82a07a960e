// Triage of a PostgreSQL cluster (streaming, slots): its standby does not follow as it should.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "engine/programs.h"
#include "tests/integration/triage/postgres.h"
#include "tests/support/require.h"

namespace holdfast::test::postgres {
namespace {

using std::chrono::seconds;

/// On both: a standby that was made anew has what was set on the primary.
void reset(Patient& p, const std::vector<std::string>& settings) {
  for (int i : {0, 1}) {
    for (const auto& setting : settings) p.sql(i, {"ALTER SYSTEM RESET " + setting});
    p.sql(i, {"SELECT pg_reload_conf()"});
  }
}

std::function<void(Patient&)> reset_after(std::vector<std::string> settings) {
  return [settings](Patient& p) { reset(p, settings); };
}

void archive_in_vain(Patient& p) {
  p.sql(0, {"ALTER SYSTEM SET archive_mode = on"});
  p.sql(0, {"ALTER SYSTEM SET archive_command = 'false'"});
  p.stop(0);
  p.start(0);
  p.sql(0, {"CREATE TABLE archived (a int)", "SELECT pg_switch_wal()"});
}

std::vector<Fault> streaming_faults() {
  return {
      {.name = "replay paused",
       .inject = sql_on(1, {"SELECT pg_wal_replay_pause()"}),
       .diagnoses = {"replica-thread-stopped 1"},
       .members = {"1 stopped resume"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "max_connections of the primary raised",
       .inject =
           [](Patient& p) {
             p.sql(0, {"ALTER SYSTEM SET max_connections = 150"});
             p.stop(0);
             p.start(0);
           },
       .diagnoses = {"replica-settings-too-small 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "max_connections of the primary raised while the standby is down",
       .inject =
           [](Patient& p) {
             p.stop(1);
             p.sql(0, {"ALTER SYSTEM SET max_connections = 160"});
             p.stop(0);
             p.start(0);
             p.sql(0, {"SELECT pg_switch_wal()"});
             p.start_in_vain(1);
             // One that is consistent before it comes to that record serves, and waits there; its next start is
             // refused.
             std::string paused;
             await(
                 "the standby refuses or waits",
                 [&] {
                   paused = p.try_sql(1, {"SELECT pg_is_wal_replay_paused()"}, seconds(5));
                   return paused == "t" || paused.starts_with("error");
                 },
                 seconds(30));
             if (paused != "t") return;
             p.stop(1);
             p.start_in_vain(1);
           },
       .diagnoses = {"replica-settings-too-small 1"},
       .members = {"1 broken restart"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped", "replica-not-receiving", "replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "delayed standby, started while its primary is dead",
       .inject =
           [](Patient& p) {
             p.sql(1, {"ALTER SYSTEM SET recovery_min_apply_delay = '2h'", "SELECT pg_reload_conf()"});
             // Received, and not applied for hours: after the restart only its pg_wal tells.
             const std::string end = p.sql(0, {"CREATE TABLE delayed AS SELECT g FROM generate_series(1, 1000) g",
                                               "SELECT pg_current_wal_lsn()"});
             await(
                 "the standby has received it",
                 [&] {
                   return p.sql(1, {"SELECT pg_last_wal_receive_lsn() >= '" + end +
                                    "' AND pg_last_wal_replay_lsn() < '" + end + "'"}) == "t";
                 },
                 seconds(30));
             p.stop(1);
             p.kill(0);
             p.start(1);
             await(
                 "its pg_wal is known to hold it",
                 [&] {
                   const auto look = p.triage();
                   for (const auto& m : look.data["members"].items())
                     for (const auto& r : m["readings"].items())
                       if (r["name"].text() == "end of WAL" && !r["value"].text().empty()) return true;
                   return false;
                 },
                 seconds(30));
           },
       .diagnoses = {"server-crashed 0", "no-writer"},
       .members = {"0 stopped restart"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
       .repair = {}},
      {.name = "sessions of the primary read-only",
       .inject = sql_on(0, {"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"}),
       .diagnoses = {"sessions-read-only 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(0, {"SET transaction_read_only = off", "SET default_transaction_read_only = off",
                          "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"}),
       .repair = {"repair.target_is_primary"}},
      {.name = "synchronous standby that is not there",
       .inject = sql_on(0, {"ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"}),
       .diagnoses = {"synchronous-standby-missing 0", "commits-stuck 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(0, {"ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"}),
       .repair = {"repair.target_is_primary"}},
      {.name = "standby follows a stranger",
       .inject = sql_on(1, {"ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=9 "
                            "user=replicator connect_timeout=2'",
                            "SELECT pg_reload_conf()"}),
       .diagnoses = {"replica-wrong-source 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
       .repair = {"healed"}},
      {.name = "standby uses a slot that is not its own",
       .inject = sql_on(1, {"ALTER SYSTEM SET primary_slot_name = 'nobody'", "SELECT pg_reload_conf()"}),
       .diagnoses = {"replica-slot-missing 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .also = {"replica-not-receiving"},
       .repair = {"healed"},
       // Nobody would ever use a slot made for that name.
       .tidy =
           [](Patient& p) {
             EXPECT_EQ(p.sql(0, {"SELECT string_agg(slot_name, ',') FROM pg_replication_slots"}), kSlot);
           }},
      {.name = "replication password wrong",
       .inject =
           [](Patient& p) {
             p.sql(
                 0,
                 {"CREATE TABLE kept_password AS SELECT rolpassword AS p FROM pg_authid WHERE rolname = 'replicator'"});
             p.sql(0, {"ALTER ROLE replicator PASSWORD 'another'"});
             p.stop(1);
             p.start(1);
           },
       .diagnoses = {"replica-access-denied 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, {fmt::format("ALTER ROLE replicator PASSWORD '{}'", p.sql(0, {"SELECT p FROM kept_password"})),
                       "DROP TABLE kept_password"});
           },
       .repair = {"repair.needs_operator"}},
      {.name = "the primary's pg_hba.conf refuses replication",
       .inject =
           [](Patient& p) {
             const std::string file = p.dir(0) + "/etc/pg_hba.conf";
             rewrite(file, "host replication all all reject\n" + text_of(file));
             p.sql(0, {"SELECT pg_reload_conf()", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication"});
           },
       .diagnoses = {"replica-access-denied 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             const std::string file = p.dir(0) + "/etc/pg_hba.conf", text = text_of(file);
             rewrite(file, text.substr(text.find('\n') + 1));
             p.sql(0, {"SELECT pg_reload_conf()"});
           },
       .repair = {"repair.needs_operator"}},
      {.name = "slot dropped while the standby was down",
       .inject =
           [](Patient& p) {
             p.stop(1);
             wait_until_slot_is_free(p);
             p.sql(0, {fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot)});
             p.start(1);
           },
       .diagnoses = {"replica-slot-missing 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .also = {"replica-not-receiving"},
       .repair = {"healed"}},
      {.name = "slot lost",
       .inject =
           [](Patient& p) {
             p.sql(0, {"ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'"});
             p.sql(0, {"ALTER SYSTEM SET wal_keep_size = 0"});
             p.sql(0, {"SELECT pg_reload_conf()"});
             p.stop(1);
             await(
                 "the slot is lost",
                 [&] {
                   churn(p, 3);
                   return p.sql(0, {"SELECT wal_status FROM pg_replication_slots"}) == "lost";
                 },
                 seconds(90));
             p.start(1);
           },
       .diagnoses = {"replica-slot-lost 1"},
       .members = {"1 stale reseed"},
       .authority = "provable 0",
       .also = {"replica-log-purged", "replica-not-receiving"},
       .repair = {"healed"},
       .tidy = reset_after({"max_slot_wal_keep_size", "wal_keep_size"})},
      {.name = "WAL the standby needs removed",
       .inject =
           [](Patient& p) {
             p.sql(0, {"ALTER SYSTEM SET wal_keep_size = 0", "SELECT pg_reload_conf()"});
             p.stop(1);
             wait_until_slot_is_free(p);
             p.sql(0, {fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot)});
             churn(p, 6);
             churn(p, 2);
             p.sql(0, {fmt::format("SELECT pg_create_physical_replication_slot('{}', true)", kSlot)});
             p.start(1);
           },
       .diagnoses = {"replica-log-purged 1"},
       .members = {"1 stale reseed"},
       .authority = "provable 0",
       .also = {"replica-not-receiving"},
       .repair = {"healed"},
       .tidy = reset_after({"wal_keep_size"})},
      {.name = "archive_command fails",
       .inject = archive_in_vain,
       .diagnoses = {"archiving-fails 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-source-unreachable"},
       .undo =
           [](Patient& p) {
             p.sql(0, {"DROP TABLE archived"});
             reset(p, {"archive_mode", "archive_command"});
             p.stop(0);
             p.start(0);
           },
       .repair = {"repair.target_is_primary"}},
  };
}

TEST(TriagePostgres, TellsFaultsOfStreaming) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  run_faults_on("shop-postgres", streaming_faults());
}

}  // namespace
}  // namespace holdfast::test::postgres
