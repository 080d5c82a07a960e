// Triage of a PostgreSQL cluster: what goes wrong while everything works.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "engine/observe.h"
#include "engine/programs.h"
#include "tests/integration/triage/network.h"
#include "tests/integration/triage/postgres.h"
#include "tests/support/require.h"

namespace holdfast::test::postgres {
namespace {

using std::chrono::seconds;

/// Settings that need a restart.
void restart_with(Patient& p, int i, const std::vector<std::string>& settings) {
  for (const auto& setting : settings) p.sql(i, {"ALTER SYSTEM SET " + setting});
  p.stop(i);
  p.start(i);
}

std::vector<Fault> quiet_faults() {
  std::vector<Fault> list = {
      {.name = "quiet: certificate that ends soon",
       .inject =
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
       .diagnoses = {"certificate-ending 0"},
       .authority = "provable 0",
       .undo = sql_on(0, {"ALTER SYSTEM RESET ssl", "SELECT pg_reload_conf()"}),
       .exit_code = 0,
       .repair = {"nothing", "-i 0: repair.target_is_primary"}},
      {.name = "quiet: standby without page checksums",
       .inject =
           [](Patient& p) {
             p.stop(1);
             const auto tool = std::filesystem::path(*engine::find_program(cluster::Engine::postgres, "postgres"))
                                   .replace_filename("pg_checksums");
             const auto done = run_program({tool.string(), "--disable", "-D", p.data(1)});
             ASSERT_EQ(done.exit_code, 0) << done.err;
             p.start(1);
           },
       .diagnoses = {"page-checksums-off 1"},
       .authority = "provable 0",
       .exit_code = 0,
       .repair = {"nothing", "-i 1: nothing"}},
      {.name = "quiet: one server described twice",
       .inject =
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
       .diagnoses = {"same-server-twice 0 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"},
       .one_machine = true},
      {.name = "quiet: prepared transaction left behind",
       .inject =
           [](Patient& p) {
             for (int i : {1, 0}) restart_with(p, i, {"max_prepared_transactions = 5"});
             p.sql(0, {"BEGIN", "CREATE TABLE left_behind (a int)", "PREPARE TRANSACTION 'left'"});
             await(
                 "it is old enough",
                 [&] {
                   return p.sql(0,
                                {"SELECT count(*) FROM pg_prepared_xacts WHERE prepared < now() - interval '60 s'"}) ==
                          "1";
                 },
                 seconds(100));
           },
       .diagnoses = {"transaction-forgotten 0"},
       .authority = "provable 0",
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: archive_command keeps nothing",
       .inject =
           [](Patient& p) {
             restart_with(p, 0, {"archive_mode = on", "archive_command = '/bin/true'"});
             p.sql(0, {"CREATE TABLE archived_nowhere (a int)", "SELECT pg_switch_wal()"});
           },
       .diagnoses = {"archive-discarded 0"},
       .authority = "provable 0",
       .exit_code = 0,
       .repair = {"nothing"}},
      {.name = "quiet: archive_command hangs",
       .inject =
           [](Patient& p) {
             restart_with(p, 0, {"archive_mode = on", "archive_command = 'sleep 300'"});
             p.sql(0, {"CREATE TABLE archived (a int)", "SELECT pg_switch_wal()"});
             await(
                 "it has waited for a minute",
                 [&] {
                   return p.sql(0, {"SELECT count(*) FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready' AND "
                                    "modification < now() - interval '61 s'"}) != "0";
                 },
                 seconds(110));
           },
       .diagnoses = {"archiving-stalled 0"},
       .authority = "provable 0",
       .exit_code = 0,
       .repair = {"nothing"}},
  };
  if (::geteuid() == 0) {
    const auto held = std::make_shared<std::shared_ptr<void>>();
    list.push_back({.name = "quiet: a standby's connection is lost on its way",
                    .inject =
                        [held](Patient& p) {
                          *held =
                              lose_packets(p, 0, std::stoi(p.sql(0, {"SELECT client_port FROM pg_stat_replication"})));
                        },
                    .diagnoses = {"replica-silent 1"},
                    .members = {"1 broken resume"},
                    .authority = "provable 0",
                    .repair = {"healed"},
                    .tidy = [held](Patient&) { held->reset(); }});
    list.push_back({.name = "quiet: lag 0, and nothing arrives",
                    .inject = [](Patient& p) { p.lab_break("partition", 1); },
                    .diagnoses = {"tcp-unreachable 1", "replica-silent 1"},
                    .members = {"1 broken nothing"},
                    .authority = "provable 0",
                    .also = {"replica-source-unreachable", "replica-half-open", "replica-not-receiving"},
                    .undo = heal_network,
                    .repair = {"repair.needs_operator"}});
  }
  return list;
}

TEST(TriagePostgres, TellsQuietFaults) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  run_faults_on("shop-postgres", quiet_faults());
}

/// A cluster that was promoted once, asked by an account that may read no file of the server.
TEST(TriagePostgres, ReadsTheHistoryOfATimelineByTheReplicationProtocol) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.prepare());
  p.stop_writer();
  p.sql(0, {"CREATE ROLE watcher LOGIN PASSWORD 'watch' IN ROLE pg_monitor"});
  caught_up(p);
  p.sql(1, {"SELECT pg_promote()"});
  sql::Target target;
  target.host = "127.0.0.1";
  target.port = p.port(1);
  target.user = "watcher";
  target.password = Secret("watch");
  cluster::Member member;
  member.name = MemberName(p.name(1));
  const auto look = [&] {
    return engine::observe(cluster::Engine::postgres, member, target, Deadline::in(seconds(10)), {});
  };
  await("it is on its own timeline", [&] { return look().timeline == 2; }, seconds(30));
  EXPECT_TRUE(look().reachable()) << "what it may not read is unknown, and no trouble of the member";
  EXPECT_EQ(look().history, "");
  p.sql(1, {"ALTER ROLE watcher REPLICATION"});
  EXPECT_TRUE(look().history.starts_with("1\t")) << look().history;
}

}  // namespace
}  // namespace holdfast::test::postgres
