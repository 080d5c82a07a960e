// Triage of a PostgreSQL cluster (streaming, slots) under faults.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/triage/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using codec::Value;
using std::chrono::seconds;

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

const char* kSlot = "shop_postgres_1";

void caught_up(Patient& p) {
  const std::string at = p.sql(0, {"SELECT pg_current_wal_insert_lsn()"});
  await(
      "the standby has it", [&] { return p.sql(1, {"SELECT pg_last_wal_replay_lsn() >= '" + at + "'"}) == "t"; },
      seconds(20));
}

/// Some WAL segments, and a checkpoint that may recycle those before.
void churn(Patient& p, int segments) {
  for (int i = 0; i < segments; ++i)
    p.sql(0, {"CREATE TABLE IF NOT EXISTS churn (a TEXT)", "INSERT INTO churn VALUES ('x')", "SELECT pg_switch_wal()"});
  p.sql(0, {"CHECKPOINT"});
}

void promote(Patient& p) {
  p.sql(1, {"SELECT pg_promote(true, 30)"});
  await("it takes writes", [&] { return p.sql(1, {"SELECT pg_is_in_recovery()"}) == "f"; }, seconds(20));
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

void forget_lineage(Patient& p) {
  const std::string file = p.lab().state_dir() + "/clusters/shop-postgres.yaml";
  std::string text = text_of(file);
  text.erase(text.find("  lineage: "));
  rewrite(file, text);
}

/// A table of member `i`, spoilt on its disk while it is down, and read.
void spoil_table(Patient& p, int i) {
  p.sql(0, {"CREATE TABLE IF NOT EXISTS spoilt AS SELECT g, repeat('x', 500) FROM generate_series(1, 2000) g",
            "CHECKPOINT"});
  caught_up(p);
  p.sql(i, {"CHECKPOINT"});
  const std::string file = p.sql(i, {"SELECT pg_relation_filepath('spoilt')"});
  p.stop(i);
  spoil(p.data(i) + "/" + file, 8192 * 3 + 64, 4096);
  p.start(i);
  p.try_sql(i, {"SELECT count(*) FROM spoilt"}, seconds(10));
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

void archive_in_vain(Patient& p) {
  p.sql(0, {"ALTER SYSTEM SET archive_mode = on"});
  p.sql(0, {"ALTER SYSTEM SET archive_command = 'false'"});
  p.stop(0);
  p.start(0);
  p.sql(0, {"CREATE TABLE archived (a int)", "SELECT pg_switch_wal()"});
}

void wait_until_slot_is_free(Patient& p) {
  await("the slot is free", [&] { return p.sql(0, {"SELECT active FROM pg_replication_slots"}) == "f"; }, seconds(20));
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
                 seconds(40));
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

std::vector<Fault> server_faults() {
  return {
      {.name = "standby killed",
       .inject = [](Patient& p) { p.kill(1); },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "standby stopped",
       .inject = [](Patient& p) { p.stop(1); },
       .diagnoses = {"server-stopped 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "standby frozen",
       .inject = [](Patient& p) { p.freeze(1); },
       .diagnoses = {"server-frozen 1"},
       .members = {"1 broken restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "primary killed",
       .inject = [](Patient& p) { p.kill(0); },
       .diagnoses = {"server-crashed 0", "no-writer"},
       .members = {"0 stopped restart", "1 broken *"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
       .repair = {"healed"}},
      {.name = "primary stopped",
       .inject = [](Patient& p) { p.stop(0); },
       .diagnoses = {"server-stopped 0", "no-writer"},
       .members = {"0 stopped restart", "1 broken *"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
       .repair = {"healed"}},
      {.name = "primary frozen",
       .inject = [](Patient& p) { p.freeze(0); },
       .diagnoses = {"server-frozen 0", "no-writer"},
       .members = {"0 broken restart"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
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
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(1); },
       .diagnoses = {"agent-gone 1", "server-unreachable 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .undo = [](Patient& p) { EXPECT_EQ(p.lab().holdfast({"lab", "up", p.cluster()}).exit_code, 0); },
       .repair = {"repair.needs_operator"}},
      {.name = "page with a wrong checksum",
       .inject = [](Patient& p) { spoil_table(p, 1); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "page of the primary with a wrong checksum",
       .inject = [](Patient& p) { spoil_table(p, 0); },
       .diagnoses = {"page-checksum-failures 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-source-unreachable"},
       .repair = {"repair.target_is_primary"}},
      {.name = "copied by hand, without the folders that were empty",
       .inject =
           [](Patient& p) {
             p.stop(1);
             remove_tree(p.data(1) + "/pg_notify");
             ASSERT_EQ(::chmod(p.data(1).c_str(), 0777), 0);  // and by nobody in particular
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped"},
       .repair = {"healed"}},
      {.name = "data directory gone",
       .inject = [](Patient& p) { p.lab_break("delete-data", 1); },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "pg_control destroyed",
       .inject =
           [](Patient& p) {
             p.kill(1);
             spoil(p.data(1) + "/global/pg_control", 0, 8192);
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1"},
       .members = {"1 broken reseed"},
       .authority = "undeterminable",
       .also = {"server-crashed", "server-stopped", "authority-undeterminable"},
       .repair = {"repair.undeterminable", "-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "pg_control gone",
       .inject =
           [](Patient& p) {
             p.kill(1);
             remove_tree(p.data(1) + "/global/pg_control");
             p.start_in_vain(1);
           },
       .diagnoses = {"data-damaged 1"},
       .members = {"1 broken reseed"},
       .authority = "undeterminable",
       .also = {"server-crashed", "server-stopped", "authority-undeterminable"},
       .repair = {"-i 1: operation.not_accepted", "-i 1 ACCEPT: healed"}},
  };
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

/// The primary writes WAL until its disk takes no more, and dies of it. Its standby is stopped before: it would have
/// received a part of the last record, and only whole ones can be compared.
void fill_with_wal(Patient& p) {
  p.stop(1);
  p.lab_break("fill-disk", 0);
  await(
      "the server dies of its full disk",
      [&] {
        p.try_sql(0, {"SELECT pg_logical_emit_message(true, 'wal', repeat('x', 1000000)) FROM generate_series(1, 20)"},
                  seconds(5));
        return p.agent(0, "status")["server"]["state"].text() == "failed";
      },
      seconds(60));
}

std::vector<Fault> surroundings_faults() {
  return {
      {.name = "network cut",
       .inject = [](Patient& p) { p.lab_break("partition", 1); },
       .diagnoses = {"tcp-unreachable 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-source-unreachable"},
       .undo = [](Patient& p) { p.lab_heal(1); },
       .repair = {"repair.needs_operator"}},
      {.name = "disk of the standby full",
       .inject = [](Patient& p) { p.lab_break("fill-disk", 1); },
       .diagnoses = {"disk-full 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "server-crashed", "replica-source-unreachable"},
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

/// Settings that need a restart.
void restart_with(Patient& p, int i, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) p.sql(i, {"ALTER SYSTEM SET " + setting});
  p.stop(i);
  p.start(i);
}

/// What goes wrong while everything works.
std::vector<Fault> quiet_faults() {
  std::vector<Fault> list = {
      {"quiet: certificate that ends soon",
       [](Patient& p) {
         const std::string data = p.data(0);
         const auto made = run_program({find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                                        "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "5",
                                        "-keyout", data + "/server.key", "-out", data + "/server.crt"});
         ASSERT_EQ(made.exit_code, 0) << made.err;
         struct stat owner{};
         ASSERT_EQ(::stat(data.c_str(), &owner), 0);
         for (const char* file : {"/server.key", "/server.crt"}) {
           ASSERT_EQ(::chmod((data + file).c_str(), 0600), 0);
           ASSERT_EQ(::chown((data + file).c_str(), owner.st_uid, owner.st_gid), 0);
         }
         p.sql(0, {"ALTER SYSTEM SET ssl = on", "SELECT pg_reload_conf()"});
       },
       {"certificate-ending 0"},
       {},
       "provable 0",
       {},
       sql_on(0, {"ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()"}),
       0,
       {"nothing", "-i 0: repair.target_is_primary"}},
      {"quiet: standby without page checksums",
       [](Patient& p) {
         p.stop(1);
         const auto tool = std::filesystem::path(*engine::find_program(cluster::Engine::postgres, "postgres"))
                               .replace_filename("pg_checksums");
         const auto done = run_program({tool.string(), "--disable", "-D", p.data(1)});
         ASSERT_EQ(done.exit_code, 0) << done.err;
         p.start(1);
       },
       {"page-checksums-off 1"},
       {},
       "provable 0",
       {},
       {},
       0,
       {"nothing", "-i 1: nothing"}},
      {"quiet: one server described twice",
       [](Patient& p) {
         const std::string file = p.lab().state_dir() + "/clusters/shop-postgres.yaml";
         std::string text = text_of(file);
         for (const auto& [what, by] :
              {std::pair(fmt::format("port: {}", p.port(1)), fmt::format("port: {}", p.port(0))),
               std::pair(fmt::format("{}/run/.s.PGSQL.{}", p.dir(1), p.port(1)),
                         fmt::format("{}/run/.s.PGSQL.{}", p.dir(0), p.port(0)))}) {
           const size_t at = text.rfind(what);
           ASSERT_NE(at, std::string::npos) << what;
           text.replace(at, what.size(), by);
         }
         rewrite(file, text);
       },
       {"same-server-twice 0 1", "authority-undeterminable"},
       {"1 unknown nothing"},
       "undeterminable",
       {},
       {},
       4,
       {"repair.target_unknown", "-i 1: repair.target_unknown"}},
      {"quiet: prepared transaction left behind",
       [](Patient& p) {
         for (int i : {1, 0}) restart_with(p, i, {"max_prepared_transactions = 5"});
         p.sql(0, {"BEGIN", "CREATE TABLE left_behind (a int)", "PREPARE TRANSACTION 'left'"});
         await(
             "it is old enough",
             [&] {
               return p.sql(0, {"SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '60 s'"}) ==
                      "1";
             },
             seconds(80));
       },
       {"transaction-forgotten 0"},
       {},
       "provable 0",
       {},
       {},
       0,
       {"nothing"}},
      {"quiet: archive_command hangs",
       [](Patient& p) {
         restart_with(p, 0, {"archive_mode = on", "archive_command = 'sleep 120'"});
         p.sql(0, {"CREATE TABLE archived (a int)", "SELECT pg_switch_wal()"});
         await(
             "it has waited for a minute",
             [&] {
               return p.sql(0, {"SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND "
                                "modification < now() - interval '61 s'"}) != "0";
             },
             seconds(90));
       },
       {"archiving-stalled 0"},
       {},
       "provable 0",
       {},
       {},
       0,
       {"nothing"}},
  };
  if (::geteuid() == 0)
    list.push_back({"quiet: lag 0, and nothing arrives",
                    [](Patient& p) { p.lab_break("partition", 1); },
                    {"tcp-unreachable 1", "replica-silent 1"},
                    {"1 broken nothing"},
                    "provable 0",
                    {"replica-source-unreachable", "replica-half-open", "replica-not-receiving"},
                    [](Patient& p) { p.lab_heal(1); },
                    4,
                    {"repair.needs_operator"}});
  return list;
}

std::vector<Fault> faults() {
  std::vector<Fault> all;
  for (const auto& part : {streaming_faults(), server_faults(), history_faults()})
    all.insert(all.end(), part.begin(), part.end());
  if (::geteuid() == 0)
    for (auto& fault : surroundings_faults()) all.push_back(std::move(fault));
  for (auto& fault : quiet_faults()) all.push_back(std::move(fault));
  return all;
}

TEST(TriagePostgres, TellsEveryFault) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient patient(lab, "shop-postgres");
  ASSERT_TRUE(patient.prepare());
  run_faults(patient, faults());
}

}  // namespace
}  // namespace holdfast::test
