// Triage of a PostgreSQL cluster: servers that are down or frozen, and damaged data.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "engine/programs.h"
#include "tests/integration/triage/postgres.h"
#include "tests/support/require.h"

namespace holdfast::test::postgres {
namespace {

using std::chrono::seconds;

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
  const std::string read = p.try_sql(i, {"SELECT count(*) FROM spoilt"}, seconds(30));
  EXPECT_NE(read.find("invalid page"), std::string::npos) << read;
}

/// The file, on member `i`, of a table that nothing is written to any more: the log would bring its pages back.
std::string table_at_rest(Patient& p, int i = 1) {
  p.sql(0, {"CREATE TABLE IF NOT EXISTS cut AS SELECT g, repeat('x', 500) FROM generate_series(1, 2000) g",
            "VACUUM FREEZE cut", "CHECKPOINT"});
  caught_up(p);
  p.sql(1, {"CHECKPOINT"});
  return p.data(i) + "/" + p.sql(i, {"SELECT pg_relation_filepath('cut')"});
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
       .inject = freeze(1),
       .diagnoses = {"server-frozen 1"},
       .members = {"1 broken resume"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = is_same_process(1)},
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
       .inject = freeze(0),
       .diagnoses = {"server-frozen 0", "no-writer"},
       .members = {"0 broken resume"},
       .authority = "provable 0",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
       .repair = {"healed"},
       .tidy = is_same_process(0)},
      {.name = "both killed",
       .inject =
           [](Patient& p) {
             for (int i : {1, 0}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1", "no-writer"},
       .members = {"0 stopped restart", "1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed"}},
      started_by_hand(1, "provable 0"),
      {.name = "no data, and the replication account may not connect to database postgres",
       .inject =
           [](Patient& p) {
             p.sql(0, {"REVOKE CONNECT ON DATABASE postgres FROM PUBLIC"});
             p.stop(1);
             remove_tree(p.data(1));
           },
       .diagnoses = {"data-missing 1"},
       .members = {"1 empty reseed"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"GRANT CONNECT ON DATABASE postgres TO PUBLIC"})},
      {.name = "postgresql.auto.conf damaged",
       .inject =
           [](Patient& p) {
             p.stop(1);
             const std::string file = p.data(1) + "/postgresql.auto.conf";
             copy_tree(file, p.dir(1) + "/auto.conf.kept");
             rewrite(file, text_of(file) + "work_mem = 4 MB and more\n");
             p.start_in_vain(1);
           },
       .diagnoses = {"config-refused 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .also = {"server-crashed", "server-stopped"},
       .undo =
           [](Patient& p) {
             rewrite(p.data(1) + "/postgresql.auto.conf", text_of(p.dir(1) + "/auto.conf.kept"));
             remove_tree(p.dir(1) + "/auto.conf.kept");
             p.start(1);
           },
       .repair = {"operation.failed_undone"}},
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(1); },
       .diagnoses = {"agent-gone 1", "server-unreachable 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .undo = [](Patient& p) { EXPECT_EQ(p.lab().holdfast({"lab", "up", p.cluster()}).exit_code, 0); },
       .repair = {"repair.needs_operator"},
       .one_machine = true},
      {.name = "page with a wrong checksum",
       .inject = [](Patient& p) { spoil_table(p, 1); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "pages of a table overwritten, the server down",
       .inject =
           [](Patient& p) {
             p.sql(0, {"CHECKPOINT"});
             caught_up(p);
             p.sql(1, {"CHECKPOINT"});  // else recovery may write the pages anew
             p.lab_break("corrupt-pages", 1);
           },
       .diagnoses = {"server-stopped 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "a table's file cut in half, the server killed",
       .inject =
           [](Patient& p) {
             const std::string file = table_at_rest(p);
             p.kill(1);
             ASSERT_EQ(::truncate(file.c_str(), 8192 * 10), 0);
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "a table's file cut in half while the server runs",
       .inject = [](Patient& p) { ASSERT_EQ(::truncate(table_at_rest(p).c_str(), 8192 * 10), 0); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "a table's file cut in half, the server killed, and written behind the cut",
       .inject =
           [](Patient& p) {
             const std::string file = table_at_rest(p);
             p.kill(1);
             ASSERT_EQ(::truncate(file.c_str(), 8192 * 10), 0);
             p.sql(0, {"INSERT INTO cut SELECT g, repeat('y', 500) FROM generate_series(1, 2000) g"});
           },
       .diagnoses = {"server-crashed 1"},
       .members = {"1 stopped restart"},
       .authority = "provable 0",
       .repair = {"healed by 2 plans"}},
      {.name = "pages of a table made empty, the server down",
       .inject =
           [](Patient& p) {
             const std::string file = table_at_rest(p);
             p.stop(1);
             spoil(file, 8192 * 20, 8192 * 30, '\0');
             p.start(1);
           },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "a table's file removed while the server runs",
       .inject = [](Patient& p) { ASSERT_EQ(::unlink(table_at_rest(p).c_str()), 0); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "a table's file of the primary cut in half",
       .inject = [](Patient& p) { ASSERT_EQ(::truncate(table_at_rest(p, 0).c_str(), 8192 * 10), 0); },
       .diagnoses = {"page-checksum-failures 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .repair = {"repair.target_is_primary"}},
      {.name = "pages of the primary made empty",
       .inject =
           [](Patient& p) {
             const std::string file = table_at_rest(p, 0);
             p.stop(0);
             spoil(file, 8192 * 20, 8192 * 30, '\0');
             p.start(0);
           },
       .diagnoses = {"page-checksum-failures 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-source-unreachable"},
       .repair = {"repair.target_is_primary"}},
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
      {.name = "parts: pg_xact gone, and not started since",
       .inject =
           [](Patient& p) {
             p.stop(1);
             remove_tree(p.data(1) + "/pg_xact");
           },
       .diagnoses = {"data-damaged 1", "server-stopped 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "parts: pg_wal removed while the server runs",
       .inject = [](Patient& p) { remove_tree(p.data(1) + "/pg_wal"); },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "server-crashed", "data-damaged", "authority-undeterminable"},
       .repair = {"healed"}},
      {.name = "parts: the folder of a database removed while the server runs",
       .inject =
           [](Patient& p) {
             remove_tree(p.data(1) + "/base/" + p.sql(1, {"SELECT oid FROM pg_database WHERE datname = 'template1'"}));
           },
       .diagnoses = {"page-checksum-failures 1"},
       .members = {"1 broken reseed"},
       .authority = "provable 0",
       .repair = {"healed"}},
      {.name = "parts: global/ of the primary gone",
       .inject =
           [](Patient& p) {
             p.stop(0);
             remove_tree(p.data(0) + "/global");
           },
       .diagnoses = {"data-damaged 0", "server-stopped 0", "no-writer", "authority-undeterminable"},
       .members = {"0 broken reseed", "1 broken *"},
       .authority = "undeterminable",
       .also = {"replica-source-unreachable", "replica-not-receiving"},
       .repair = {"repair.undeterminable", "-i 0: repair.undeterminable"}},
      {.name = "parts: global/ of the primary gone while it runs",
       .inject = [](Patient& p) { remove_tree(p.data(0) + "/global"); },
       .diagnoses = {"data-damaged 0", "no-writer", "authority-undeterminable"},
       .members = {"0 broken reseed", "1 * *"},
       .authority = "undeterminable",
       .also = {"replica-source-unreachable", "replica-not-receiving", "server-crashed"},
       .repair = {"repair.undeterminable"}},
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

/// Nobody but root makes a file immutable.
Fault immutable_file() {
  return {.name = "a file of its own is immutable",
          .inject =
              [](Patient& p) {
                p.stop(1);
                const auto made = run_program({find_program("chattr"), "+i", p.data(1) + "/global/pg_control"});
                EXPECT_EQ(made.exit_code, 0) << made.err;
                p.start_in_vain(1);
              },
          .diagnoses = {},
          .members = {"1 stopped restart"},
          .authority = "provable 0",
          .also = {"server-crashed", "server-stopped"},
          .undo =
              [](Patient& p) {
                EXPECT_EQ(run_program({find_program("chattr"), "-i", p.data(1) + "/global/pg_control"}).exit_code, 0);
                p.start(1);
              },
          .repair = {"operation.failed_undone"},
          .check =
              [](Patient&, const Patient::Look& look) {
                return lacks(words_of(look, "server-crashed") + words_of(look, "server-stopped"),
                             {"immutable", "chattr -i", "pg_control"});
              }};
}

TEST(TriagePostgres, TellsFaultsOfServers) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  auto faults = server_faults();
  if (::geteuid() == 0) faults.push_back(immutable_file());
  run_faults_on("shop-postgres", faults);
}

/// What the standby lacks can be told once it has replayed what its primary has. A machine under load needs more than a
/// moment for that, and triage must not call it healthy meanwhile.
TEST(TriagePostgres, TellsOfARemovedFileWhileReplayIsSlow) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.prepare());
  ASSERT_EQ(::unlink(table_at_rest(p).c_str()), 0);
  await("it is reported", [&] { return !words_of(p.triage(), "page-checksum-failures").empty(); }, seconds(30));
  const auto replay =
      static_cast<pid_t>(std::stoi(p.sql(1, {"SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'"})));
  ASSERT_GT(replay, 1);
  ASSERT_EQ(::kill(replay, SIGSTOP), 0);
  const std::jthread busy([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    EXPECT_EQ(::kill(replay, SIGCONT), 0);
  });
  const auto look = lab.holdfast({"triage", "-c", "shop-postgres"});
  EXPECT_EQ(look.exit_code, 4);
  EXPECT_NE(look.out.find("page-checksum-failures"), std::string::npos) << look.out << look.err;
}

TEST(TriagePostgres, TellsOfATableFileThatIsGoneFromThePrimary) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.prepare());
  const std::filesystem::path file = table_at_rest(p, 0);
  // Left over from a crash, on the standby alone; and tables that come and go.
  const std::filesystem::path at_standby = p.data(1) + "/" + p.sql(1, {"SELECT pg_relation_filepath('cut')"});
  std::filesystem::copy_file(at_standby, at_standby.parent_path() / "999999");
  for (int i = 0; i < 10; ++i) {
    p.sql(0, {fmt::format("CREATE TABLE passing_{} AS SELECT g, repeat('z', 900) FROM generate_series(1, 3000) g", i),
              i > 0 ? fmt::format("DROP TABLE passing_{}", i - 1) : "SELECT 1", "CREATE DATABASE going",
              "DROP DATABASE going"});
    const auto look = lab.holdfast({"triage", "-c", "shop-postgres"});
    EXPECT_EQ(look.out.find("page-checksum-failures"), std::string::npos) << look.out;
  }
  std::filesystem::remove(file);
  await(
      "it is reported",
      [&] { return words_of(p.triage(), "page-checksum-failures").find("shop-postgres-0") != std::string::npos; },
      seconds(30));
}

/// A primary that idles keeps what it logs without a commit for many seconds, so
/// that no standby gets level with it meanwhile.
TEST(TriagePostgres, TellsOfACutFileWhileThePrimaryHoldsLogBack) {
  HOLDFAST_NEED("postgres", engine::find_program(cluster::Engine::postgres, "postgres").has_value(), "no postgres");
  LabGuard lab;
  Patient p(lab, "shop-postgres");
  ASSERT_TRUE(p.prepare());
  ASSERT_EQ(::truncate(table_at_rest(p, 0).c_str(), 8192 * 10), 0);
  await("it is reported", [&] { return !words_of(p.triage(), "page-checksum-failures").empty(); }, seconds(30));
  // Nobody commits any more, and whether its log writer wakes up for what is not committed is chance: it sleeps here.
  p.stop_writer();
  std::vector<pid_t> writers;
  for (const std::string type : {"walwriter", "background writer", "autovacuum launcher"})
    writers.push_back(static_cast<pid_t>(
        std::stoi(p.sql(0, {"SELECT pid FROM pg_stat_activity WHERE backend_type = '" + type + "'"}))));
  const auto signal_all = [&](int number) {
    for (const pid_t pid : writers) EXPECT_EQ(::kill(pid, number), 0);
  };
  const std::string is_held_back = "SELECT pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()";
  signal_all(SIGSTOP);
  p.sql(0, {"SELECT pg_logical_emit_message(false, 'held', 'back')"});
  EXPECT_EQ(p.sql(0, {is_held_back}), "t");
  const auto look = lab.holdfast({"triage", "-c", "shop-postgres"});
  EXPECT_EQ(p.sql(0, {is_held_back}), "t");
  signal_all(SIGCONT);
  EXPECT_EQ(look.exit_code, 4);
  EXPECT_NE(look.out.find("page-checksum-failures"), std::string::npos) << look.out << look.err;
}

}  // namespace
}  // namespace holdfast::test::postgres
