// Triage of a MySQL cluster (asynchronous, GTID) under faults.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/programs.h"
#include "tests/integration/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::seconds;

void caught_up(Patient& p) {
  const std::string at = p.sql(0, {"SELECT @@GLOBAL.gtid_executed"});
  p.sql(1, {"SELECT WAIT_FOR_EXECUTED_GTID_SET('" + at + "', 20)"});
}

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

/// What an administrator's slip does: nothing of it goes to the binary log.
std::vector<std::string> silently(std::vector<std::string> statements) {
  statements.insert(statements.begin(), {"SET GLOBAL super_read_only = OFF", "SET sql_log_bin = 0"});
  statements.insert(statements.end(), {"SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"});
  return statements;
}

std::function<void(Patient&)> trip(std::vector<std::string> before, std::vector<std::string> on_replica,
                                   std::vector<std::string> on_primary) {
  return [=](Patient& p) {
    p.sql(0, before);
    caught_up(p);
    p.sql(1, silently(on_replica));
    p.sql(0, on_primary);
  };
}

std::function<void(Patient&)> mend(std::vector<std::string> on_replica, std::vector<std::string> after) {
  return [=](Patient& p) {
    p.sql(1, silently(on_replica));
    p.sql(1, {"STOP REPLICA", "START REPLICA"});
    caught_up(p);
    p.sql(0, after);
  };
}

std::function<void(Patient&)> follow_port(std::function<int(Patient&)> port) {
  return [port](Patient& p) {
    p.sql(1, {"STOP REPLICA", fmt::format("CHANGE REPLICATION SOURCE TO SOURCE_PORT = {}", port(p)), "START REPLICA"});
  };
}

const std::vector<std::string> kTable = {"CREATE TABLE shop.t (a INT PRIMARY KEY, b INT)",
                                         "INSERT INTO shop.t VALUES (1, 1)"};
const std::vector<std::string> kDropTable = {"DROP TABLE shop.t"};
const std::vector<std::string> kOpen = {"STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = OFF",
                                        "SET GLOBAL read_only = OFF"};
const std::vector<std::string> kErrant = {
    "SET GLOBAL super_read_only = OFF", "CREATE TABLE shop.errant (a INT PRIMARY KEY)",
    "INSERT INTO shop.errant VALUES (1), (2)", "SET GLOBAL read_only = ON", "SET GLOBAL super_read_only = ON"};

std::string description(Patient& p) {
  return p.lab().state_dir() + "/clusters/" + p.cluster() + ".yaml";
}

/// Member 1 as the description has it, at the address of member 0.
void describe_twice(Patient& p) {
  std::string text = text_of(description(p));
  auto replace = [&](const std::string& what, const std::string& by) {
    const size_t at = text.rfind(what);
    ASSERT_NE(at, std::string::npos) << what;
    text.replace(at, what.size(), by);
  };
  replace(fmt::format("port: {}", p.port(1)), fmt::format("port: {}", p.port(0)));
  replace(p.dir(1) + "/run/server.sock", p.dir(0) + "/run/server.sock");
  rewrite(description(p), text);
}

/// What goes wrong while everything works.
std::vector<Fault> quiet_faults() {
  std::vector<Fault> list = {
      {"quiet: server_id of the primary",
       sql_on(1, {"SET GLOBAL server_id = 1"}),
       {"server-id-duplicate 0 1"},
       {"1 broken nothing"},
       "provable 0",
       {}},
      {"quiet: server_uuid of the primary",
       [](Patient& p) {
         p.stop(1);
         rewrite(p.data(1) + "/auto.cnf", text_of(p.data(0) + "/auto.cnf"));
         p.start(1);
       },
       {"server-id-duplicate 0 1"},
       {"1 broken *"},
       "provable 0",
       {"replica-not-receiving", "replica-thread-stopped", "replica-source-unreachable"}},
      {"quiet: offline mode",
       sql_on(1, {"SET GLOBAL offline_mode = ON"}),
       {"offline-mode 1"},
       {"1 broken nothing"},
       "provable 0",
       {},
       sql_on(1, {"SET GLOBAL offline_mode = OFF"})},
      {"quiet: transactions may come without a GTID",
       sql_on(0, {"SET GLOBAL gtid_mode = ON_PERMISSIVE"}),
       {"gtid-mode-off 0", "authority-undeterminable"},
       {},
       "undeterminable",
       {},
       sql_on(0, {"SET GLOBAL gtid_mode = ON"})},
      {"quiet: one server described twice",
       describe_twice,
       {"same-server-twice 0 1", "authority-undeterminable"},
       {"1 unknown nothing"},
       "undeterminable"},
      {"quiet: semi-sync on the primary only, cluster idle",
       [](Patient& p) {
         p.stop_writer();
         caught_up(p);
         p.sql(0, {"INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
                   "SET GLOBAL rpl_semi_sync_source_enabled = ON"});
       },
       {"semi-sync-nobody 0"},
       {},
       "provable 0",
       {},
       [](Patient& p) {
         p.sql(0, {"SET GLOBAL rpl_semi_sync_source_enabled = OFF", "UNINSTALL PLUGIN rpl_semi_sync_source"});
         p.start_writer();
       },
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
      {"applier stopped",
       sql_on(1, {"STOP REPLICA SQL_THREAD"}),
       {"replica-thread-stopped 1"},
       {"1 stopped resume"},
       "provable 0",
       {},
       sql_on(1, {"START REPLICA"})},
      {"receiver stopped",
       sql_on(1, {"STOP REPLICA IO_THREAD"}),
       {"replica-thread-stopped 1"},
       {"1 stopped resume"},
       "provable 0",
       {},
       sql_on(1, {"START REPLICA"})},
      {"both threads stopped",
       sql_on(1, {"STOP REPLICA"}),
       {"replica-thread-stopped 1"},
       {"1 stopped resume"},
       "provable 0",
       {},
       sql_on(1, {"START REPLICA"})},
      {"1062, a row that is there already",
       trip(kTable, {"INSERT INTO shop.t VALUES (7, 0)"}, {"INSERT INTO shop.t VALUES (7, 1)"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend({"DELETE FROM shop.t WHERE a = 7"}, kDropTable)},
      {"1032, a row that is missing",
       trip(kTable, {"DELETE FROM shop.t WHERE a = 1"}, {"UPDATE shop.t SET b = 2 WHERE a = 1"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend({"INSERT INTO shop.t VALUES (1, 1)"}, kDropTable)},
      {"1146, a table that is missing",
       trip(kTable, {"DROP TABLE shop.t"}, {"INSERT INTO shop.t VALUES (8, 8)"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend(kTable, kDropTable)},
      {"1396, an account that is there already",
       trip({"SELECT 1"}, {"CREATE USER odd@localhost"}, {"CREATE USER odd@localhost"}),
       {"replica-apply-error 1"},
       {"1 broken rebuild"},
       "provable 0",
       {},
       mend({"DROP USER odd@localhost"}, {"DROP USER odd@localhost"})},
      {"replica writable",
       sql_on(1, {"SET GLOBAL super_read_only = OFF"}),
       {"replica-writable 1"},
       {"1 broken resume"},
       "provable 0",
       {},
       sql_on(1, {"SET GLOBAL super_read_only = ON"})},
      {"replica filters",
       sql_on(1, {"STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = (shop.x)", "START REPLICA"}),
       {"replica-filters 1"},
       {"1 broken nothing"},
       "provable 0",
       {},
       sql_on(1, {"STOP REPLICA", "CHANGE REPLICATION FILTER REPLICATE_IGNORE_TABLE = ()", "START REPLICA"})},
      {"replication password wrong",
       sql_on(1, {"STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD = 'wrong'", "START REPLICA"}),
       {"replica-access-denied 1"},
       {"1 broken resume"},
       "provable 0"},
      {"follows itself",
       follow_port([](Patient& p) { return p.port(1); }),
       {"replica-wrong-source 1"},
       {"1 broken *"},
       "provable 0",
       {"replica-not-receiving", "replica-access-denied", "replica-source-unreachable"},
       follow_port([](Patient& p) { return p.port(0); })},
      {"follows a stranger",
       follow_port([](Patient&) { return 9; }),
       {"replica-wrong-source 1"},
       {"1 broken resume"},
       "provable 0",
       {"replica-source-unreachable"},
       follow_port([](Patient& p) { return p.port(0); })},
      {"primary read-only",
       sql_on(0, {"SET GLOBAL super_read_only = ON"}),
       {"primary-read-only 0", "no-writer"},
       {"0 broken nothing"},
       "provable 0",
       {},
       sql_on(0, {"SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF"})},
      {"replica killed",
       [](Patient& p) { p.kill(1); },
       {"server-crashed 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.start(1); }},
      {"replica stopped",
       [](Patient& p) { p.stop(1); },
       {"server-stopped 1"},
       {"1 stopped restart"},
       "provable 0",
       {},
       [](Patient& p) { p.start(1); }},
      {"replica frozen",
       [](Patient& p) { p.freeze(1); },
       {"server-frozen 1"},
       {"1 broken restart"},
       "provable 0",
       {},
       [](Patient& p) { p.thaw(1); }},
      {"primary frozen",
       [](Patient& p) { p.freeze(0); },
       {"server-frozen 0", "no-writer"},
       {"0 broken restart"},
       "provable 0",
       {"replica-source-unreachable"},
       [](Patient& p) { p.thaw(0); }},
      {"agent killed",
       [](Patient& p) { p.kill_agent(1); },
       {"agent-gone 1", "server-unreachable 1"},
       {"1 stopped restart"},
       "provable 0"},
      {"replica detached",
       sql_on(1, {"STOP REPLICA", "RESET REPLICA ALL"}),
       {"replica-detached 1"},
       {"1 broken resume"},
       "provable 0"},
      {"purged binary log",
       [](Patient& p) {
         p.sql(1, {"STOP REPLICA"});
         p.sql(0,
               {"CREATE TABLE shop.p (a INT)", "FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"});
         p.sql(1, {"START REPLICA"});
       },
       {"replica-log-purged 1"},
       {"1 stale rebuild"},
       "provable 0"},
      {"errant transactions, cluster idle",
       [](Patient& p) {
         p.stop_writer();
         caught_up(p);
         p.sql(1, kErrant);
       },
       {"errant-transactions 1"},
       {"1 diverged rebuild"},
       "leader_not_primary 1"},
      {"errant transactions under load",
       [](Patient& p) {
         p.sql(1, {"STOP REPLICA"});
         p.sql(1, kErrant);
         p.sql(0, {"CREATE TABLE shop.ahead (a INT)"});
       },
       {"errant-transactions 1", "histories-diverged", "replica-thread-stopped 1"},
       {"1 diverged rebuild"},
       "diverged"},
      {"data directory gone",
       [](Patient& p) { p.lab_break("delete-data", 1); },
       {"data-missing 1"},
       {"1 empty rebuild"},
       "provable 0"},
      {"system tablespace overwritten",
       [](Patient& p) {
         p.kill(1);
         spoil(p.data(1) + "/ibdata1", 0, 1 << 20);
         p.start_in_vain(1);
       },
       {"data-damaged 1"},
       {"1 broken rebuild"},
       "provable 0",
       {"server-crashed", "server-stopped"}},
      {"dictionary overwritten",
       [](Patient& p) {
         p.stop(1);
         spoil(p.data(1) + "/mysql.ibd", 0, 4 << 20);
         p.start_in_vain(1);
       },
       {"data-damaged 1"},
       {"1 broken rebuild"},
       "provable 0",
       {"server-crashed", "server-stopped"}},
      {"primary killed",
       [](Patient& p) { p.kill(0); },
       {"server-crashed 0", "no-writer", "replica-source-unreachable 1"},
       {"0 stopped restart", "1 broken nothing"},
       "provable 0",
       {},
       [](Patient& p) { p.start(0); }},
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
      {"second writer that has written",
       [](Patient& p) {
         p.sql(1, kOpen);
         p.sql(1, {"CREATE TABLE shop.second (a INT PRIMARY KEY)"});
         p.sql(0, {"CREATE TABLE shop.first (a INT PRIMARY KEY)"});
       },
       {"several-writers 0 1", "histories-diverged"},
       {"0 diverged nothing", "1 diverged nothing"},
       "diverged",
       {"replica-detached", "errant-transactions"}},
      {"second writer that has not written",
       sql_on(1, kOpen),
       {"several-writers 0 1", "replica-detached 1"},
       {"1 broken resume"},
       "provable 0"},
      {"old primary with a tail, down",
       [](Patient& p) {
         p.stop_writer();
         caught_up(p);
         p.sql(1, {"STOP REPLICA"});
         p.sql(0, {"CREATE TABLE shop.tail (a INT)"});
         p.kill(0);
         p.sql(1, kOpen);
         p.agent(1, "configure", codec::Value::object({{"role", "primary"}, {"upstream", ""}}));
         p.sql(1, {"CREATE TABLE shop.newer (a INT)"});
       },
       {"errant-transactions 0", "histories-diverged", "server-crashed 0"},
       {"0 diverged rebuild"},
       "diverged",
       {},
       [](Patient& p) {
         p.agent(1, "configure", codec::Value::object({{"role", "replica"}, {"upstream", p.name(0)}}));
         p.restore();
       }},
  };
  if (::geteuid() == 0) {
    list.push_back({"network cut",
                    [](Patient& p) { p.lab_break("partition", 1); },
                    {"tcp-unreachable 1"},
                    {"1 broken nothing"},
                    "provable 0",
                    {"replica-source-unreachable", "replica-half-open"},
                    [](Patient& p) { p.lab_heal(1); }});
  }
  for (auto& fault : quiet_faults()) list.push_back(std::move(fault));
  return list;
}

TEST(TriageMysql, TellsEveryFault) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  LabGuard lab;
  Patient patient(lab, "shop-mysql");
  ASSERT_TRUE(patient.prepare());
  run_faults(patient, faults());
}

}  // namespace
}  // namespace holdfast::test
