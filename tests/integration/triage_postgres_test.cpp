// Triage of a PostgreSQL cluster (streaming, slots) under faults.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "engine/programs.h"
#include "tests/integration/faults.h"
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

void role(Patient& p, const char* role) {
  p.agent(1, "configure", Value::object({{"role", role}, {"upstream", role[0] == 'p' ? "" : p.name(0)}}));
}

/// A table of the standby, spoilt on disk while it is down.
void spoil_table(Patient& p) {
  p.sql(0, {"CREATE TABLE IF NOT EXISTS spoilt AS SELECT g, repeat('x', 500) FROM generate_series(1, 2000) g",
            "CHECKPOINT"});
  caught_up(p);
  p.sql(1, {"CHECKPOINT"});
  const std::string file = p.sql(1, {"SELECT pg_relation_filepath('spoilt')"});
  p.stop(1);
  spoil(p.data(1) + "/" + file, 8192 * 3 + 64, 4096);
  p.start(1);
  p.try_sql(1, {"SELECT count(*) FROM spoilt"}, seconds(10));
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
       0},
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
       0},
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
       "undeterminable"},
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
       0},
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
       0},
  };
  if (::geteuid() == 0)
    list.push_back({"quiet: lag 0, and nothing arrives",
                    [](Patient& p) { p.lab_break("partition", 1); },
                    {"tcp-unreachable 1", "replica-silent 1"},
                    {"1 broken nothing"},
                    "provable 0",
                    {"replica-source-unreachable", "replica-half-open", "replica-not-receiving"},
                    [](Patient& p) { p.lab_heal(1); }});
  return list;
}

std::vector<Fault> faults() {
  std::vector<Fault> list = {
      {"replay paused",
       sql_on(1, {"SELECT pg_wal_replay_pause()"}),
       {"replica-thread-stopped 1"},
       {"1 stopped resume"},
       "provable 0",
       {},
       sql_on(1, {"SELECT pg_wal_replay_resume()"})},
      {"sessions of the primary read-only",
       sql_on(0, {"ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"}),
       {"sessions-read-only 0"},
       {"0 broken nothing"},
       "provable 0",
       {},
       sql_on(0, {"SET transaction_read_only = off", "SET default_transaction_read_only = off",
                  "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()"})},
      {"synchronous standby that is not there",
       sql_on(0, {"ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"}),
       {"synchronous-standby-missing 0", "commits-stuck 0"},
       {"0 broken nothing"},
       "provable 0",
       {},
       sql_on(0, {"ALTER SYSTEM RESET synchronous_standby_names", "SELECT pg_reload_conf()"})},
      {"standby follows a stranger",
       sql_on(1, {"ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=9 "
                  "user=replicator connect_timeout=2'",
                  "SELECT pg_reload_conf()"}),
       {"replica-wrong-source 1"},
       {"1 broken *"},
       "provable 0",
       {"replica-source-unreachable", "replica-not-receiving"},
       sql_on(1, {"ALTER SYSTEM RESET primary_conninfo", "SELECT pg_reload_conf()"})},
      {"replication password wrong",
       [](Patient& p) {
         p.sql(0, {"ALTER ROLE replicator PASSWORD 'another'"});
         p.stop(1);
         p.start(1);
       },
       {"replica-access-denied 1"},
       {"1 broken resume"},
       "provable 0"},
      {"standby killed",
       [](Patient& p) { p.kill(1); },
       {"server-crashed 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.start(1); }},
      {"standby stopped",
       [](Patient& p) { p.stop(1); },
       {"server-stopped 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.start(1); }},
      {"standby frozen",
       [](Patient& p) { p.freeze(1); },
       {"server-frozen 1"},
       {"1 broken restart"},
       "provable 0",
       {},
       [](Patient& p) { p.thaw(1); }},
      {"primary killed",
       [](Patient& p) { p.kill(0); },
       {"server-crashed 0", "no-writer"},
       {"0 stopped restart", "1 broken *"},
       "provable 0",
       {"replica-source-unreachable", "replica-not-receiving"},
       [](Patient& p) { p.start(0); }},
      {"primary stopped",
       [](Patient& p) { p.stop(0); },
       {"server-stopped 0", "no-writer"},
       {"0 stopped restart", "1 broken *"},
       "provable 0",
       {"replica-source-unreachable", "replica-not-receiving"},
       [](Patient& p) { p.start(0); }},
      {"primary frozen",
       [](Patient& p) { p.freeze(0); },
       {"server-frozen 0", "no-writer"},
       {"0 broken restart"},
       "provable 0",
       {"replica-source-unreachable", "replica-not-receiving"},
       [](Patient& p) { p.thaw(0); }},
      {"both killed",
       [](Patient& p) {
         for (int i : {1, 0}) p.kill(i);
       },
       {"server-crashed 0 1", "no-writer"},
       {"0 stopped restart", "1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) {
         for (int i : {0, 1}) p.start(i);
       }},
      {"agent killed",
       [](Patient& p) { p.kill_agent(1); },
       {"agent-gone 1", "server-unreachable 1"},
       {"1 stopped restart"},
       "provable 0"},
      {"slot dropped while the standby was down",
       [](Patient& p) {
         p.stop(1);
         await(
             "the slot is free", [&] { return p.sql(0, {"SELECT active FROM pg_replication_slots"}) == "f"; },
             seconds(20));
         p.sql(0, {fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot)});
         p.start(1);
       },
       {"replica-slot-missing 1"},
       {"1 broken resume"},
       "provable 0",
       {"replica-not-receiving"},
       sql_on(0, {fmt::format("SELECT pg_create_physical_replication_slot('{}', true)", kSlot)})},
      {"slot lost",
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
       {"replica-slot-lost 1"},
       {"1 stale reseed"},
       "provable 0",
       {"replica-log-purged", "replica-not-receiving"}},
      {"WAL the standby needs removed",
       [](Patient& p) {
         p.sql(0, {"ALTER SYSTEM SET wal_keep_size = 0", "SELECT pg_reload_conf()"});
         p.stop(1);
         await(
             "the slot is free", [&] { return p.sql(0, {"SELECT active FROM pg_replication_slots"}) == "f"; },
             seconds(20));
         p.sql(0, {fmt::format("SELECT pg_drop_replication_slot('{}')", kSlot)});
         churn(p, 6);
         churn(p, 2);
         p.sql(0, {fmt::format("SELECT pg_create_physical_replication_slot('{}', true)", kSlot)});
         p.start(1);
       },
       {"replica-log-purged 1"},
       {"1 stale reseed"},
       "provable 0",
       {"replica-not-receiving"}},
      {"page with a wrong checksum", spoil_table, {"page-checksum-failures 1"}, {"1 broken reseed"}, "provable 0"},
      {"archive_command fails",
       [](Patient& p) {
         p.sql(0, {"ALTER SYSTEM SET archive_mode = on"});
         p.sql(0, {"ALTER SYSTEM SET archive_command = 'false'"});
         p.stop(0);
         p.start(0);
         p.sql(0, {"CREATE TABLE archived (a int)", "SELECT pg_switch_wal()"});
       },
       {"archiving-fails 0"},
       {"0 broken nothing"},
       "provable 0",
       {"replica-not-receiving", "replica-source-unreachable"}},
      {"data directory gone",
       [](Patient& p) { p.lab_break("delete-data", 1); },
       {"data-missing 1"},
       {"1 empty reseed"},
       "provable 0"},
      {"pg_control destroyed",
       [](Patient& p) {
         p.kill(1);
         spoil(p.data(1) + "/global/pg_control", 0, 8192);
         p.start_in_vain(1);
       },
       {"data-damaged 1"},
       {"1 broken reseed"},
       "undeterminable",
       {"server-crashed", "server-stopped", "authority-undeterminable"}},
      {"pg_control gone",
       [](Patient& p) {
         p.kill(1);
         remove_tree(p.data(1) + "/global/pg_control");
         p.start_in_vain(1);
       },
       {"data-damaged 1"},
       {"1 broken reseed"},
       "undeterminable",
       {"server-crashed", "server-stopped", "authority-undeterminable"}},
      {"standby promoted by hand",
       [](Patient& p) {
         promote(p);
         p.sql(1, {"CREATE TABLE second (a int)"});
         p.sql(0, {"CREATE TABLE first (a int)"});
       },
       {"several-writers 0 1", "histories-diverged"},
       {"0 diverged nothing", "1 diverged nothing"},
       "diverged",
       {"replica-detached", "errant-transactions"}},
      {"old primary down, nothing of its own",
       [](Patient& p) {
         p.stop_writer();
         p.stop(0);
         promote(p);
         role(p, "primary");
         p.sql(1, {"CREATE TABLE newer (a int)"});
       },
       {"server-stopped 0", "timeline-behind 0"},
       {"0 stale rewind"},
       "provable 1",
       {},
       [](Patient& p) {
         role(p, "replica");
         p.restore();
       }},
      {"old primary down, with a tail",
       [](Patient& p) {
         p.stop_writer();
         caught_up(p);
         p.stop(1);
         p.sql(0, {"CREATE TABLE tail (a int)"});
         p.kill(0);
         p.start(1);
         promote(p);
         role(p, "primary");
         p.sql(1, {"CREATE TABLE newer (a int)"});
       },
       {"server-crashed 0", "errant-transactions 0", "histories-diverged"},
       {"0 diverged rewind"},
       "diverged",
       {},
       [](Patient& p) {
         role(p, "replica");
         p.restore();
       }},
      {"standby.signal removed",
       [](Patient& p) {
         p.stop(1);
         role(p, "primary");  // its agent would put the file back
         remove_tree(p.data(1) + "/standby.signal");
         p.start(1);
         p.sql(1, {"CREATE TABLE second (a int)"});
         p.sql(0, {"CREATE TABLE first (a int)"});
       },
       {"several-writers 0 1", "authority-undeterminable"},
       {"0 unknown nothing", "1 unknown nothing"},
       "undeterminable",
       {},
       [](Patient& p) {
         role(p, "replica");
         p.restore();
       }},
      {"another system's data, no lineage recorded",
       [](Patient& p) {
         p.stop(1);
         p.agent(1, "set_aside");
         p.agent(1, "initialise", Value::object({{"from", "empty"}}));
         p.start(1);
       },
       {"foreign-history 1", "authority-undeterminable"},
       {"1 foreign nothing"},
       "undeterminable",
       {"replica-not-receiving"}},
      {"another system's data, lineage recorded",
       [](Patient& p) {
         const std::string system = p.sql(0, {"SELECT system_identifier FROM pg_control_system()"});
         const std::string file = p.lab().state_dir() + "/clusters/shop-postgres.yaml", text = text_of(file);
         rewrite(file, text + fmt::format("  lineage: \"{}\"\n", system));
         p.stop(1);
         p.agent(1, "set_aside");
         p.agent(1, "initialise", Value::object({{"from", "empty"}}));
         p.start(1);
       },
       {"foreign-history 1"},
       {"1 foreign rebuild"},
       "provable 0",
       {"replica-not-receiving"}},
  };
  if (::geteuid() == 0) {
    list.push_back({"network cut",
                    [](Patient& p) { p.lab_break("partition", 1); },
                    {"tcp-unreachable 1"},
                    {"1 broken nothing"},
                    "provable 0",
                    {"replica-not-receiving", "replica-source-unreachable"},
                    [](Patient& p) { p.lab_heal(1); }});
    list.push_back({"disk of the standby full",
                    [](Patient& p) { p.lab_break("fill-disk", 1); },
                    {"disk-full 1"},
                    {"1 broken *"},
                    "provable 0",
                    {"replica-not-receiving", "server-crashed", "replica-source-unreachable"},
                    [](Patient& p) { p.lab_heal(1); }});
  }
  for (auto& fault : quiet_faults()) list.push_back(std::move(fault));
  return list;
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
