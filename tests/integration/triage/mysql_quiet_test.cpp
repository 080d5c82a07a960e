// Triage of a MySQL cluster: what goes wrong while everything works.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/integration/triage/network.h"
#include "tests/support/program.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

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

/// Of the replica's end of its connection to the primary. Not by information_schema.PROCESSLIST: it fails while a
/// statement with a character beyond utf8mb3 runs.
int replica_port(Patient& p) {
  std::istringstream sessions(p.table(0, "SHOW PROCESSLIST"));
  for (std::string line; std::getline(sessions, line);)
    if (const size_t dump = line.find("\tBinlog Dump"); dump != line.npos)
      return std::stoi(line.substr(line.rfind(':', dump) + 1));
  ADD_FAILURE() << "no replica is connected";
  return 0;
}

/// MySQL's own group instead of a source and its replica, or one of the same name on each.
void form_groups(Patient& p, int groups) {
  idle(p);
  p.sql(1, {"STOP REPLICA", "RESET REPLICA ALL", "SET GLOBAL super_read_only = OFF"});
  const int ports[] = {free_port(), free_port()};
  std::string password = text_of(p.dir(0) + "/../replication.password");
  std::erase(password, '\n');
  for (int i : {0, 1})
    p.sql(i, {"INSTALL PLUGIN group_replication SONAME 'group_replication.so'",
              "SET GLOBAL group_replication_group_name = 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa'",
              fmt::format("SET GLOBAL group_replication_local_address = '127.0.0.1:{}'", ports[i]),
              fmt::format("SET GLOBAL group_replication_group_seeds = '127.0.0.1:{}'", ports[groups == 2 ? i : 0]),
              "SET GLOBAL group_replication_recovery_get_public_key = ON",
              fmt::format("SET GLOBAL group_replication_bootstrap_group = {}", i < groups ? "ON" : "OFF"),
              fmt::format("START GROUP_REPLICATION USER = 'replicator', PASSWORD = '{}'", password)});
}

std::vector<Fault> quiet_faults() {
  std::vector<Fault> list = {
      {.name = "quiet: server_id of the primary",
       .inject =
           [](Patient& p) {
             // Between two transactions: a replica that ignores the rest of one waits 60 s for it before it stops.
             idle(p);
             p.sql(1, {"SET GLOBAL server_id = 1"});
             p.start_writer();
           },
       .diagnoses = {"server-id-duplicate 0 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"-i 0: repair.target_is_primary", "healed"}},
      {.name = "quiet: server_uuid of the primary",
       .inject = take_server_uuid,
       .diagnoses = {"server-id-duplicate 0 1"},
       .members = {"1 broken *"},
       .authority = "provable 0",
       .also = {"replica-not-receiving", "replica-thread-stopped", "replica-source-unreachable"},
       .repair = {"healed"}},
      {.name = "quiet: offline mode",
       .inject = sql_on(1, {"SET GLOBAL offline_mode = ON"}),
       .diagnoses = {"offline-mode 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = sql_on(1, {"SET GLOBAL offline_mode = OFF"}),
       .repair = {"repair.needs_operator"}},
      {.name = "quiet: transactions may come without a GTID",
       .inject = sql_on(0, {"SET GLOBAL gtid_mode = ON_PERMISSIVE"}),
       .diagnoses = {"gtid-mode-off 0", "authority-undeterminable 0"},
       .members = {"0 unknown nothing"},
       .authority = "undeterminable",
       .undo = sql_on(0, {"SET GLOBAL gtid_mode = ON"}),
       .repair = {"repair.target_unknown"}},
      {.name = "quiet: one server described twice",
       .inject = describe_twice,
       .diagnoses = {"same-server-twice 0 1", "authority-undeterminable"},
       .members = {"1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 0: repair.target_is_primary"},
       .one_machine = true},
      {.name = "quiet: a replication group",
       .inject = [](Patient& p) { form_groups(p, 1); },
       .diagnoses = {"group-replication 0 1"},
       .members = {"0 unknown nothing", "1 unknown nothing"},
       .authority = "provable *",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"},
       .one_machine = true},
      {.name = "quiet: two replication groups of one name",
       .inject = [](Patient& p) { form_groups(p, 2); },
       .diagnoses = {"group-replication 0 1", "several-writers 0 1", "authority-undeterminable"},
       .members = {"0 unknown nothing", "1 unknown nothing"},
       .authority = "undeterminable",
       .repair = {"repair.target_unknown", "-i 1: repair.target_unknown"},
       .one_machine = true},
      {.name = "quiet: semi-sync on the primary only, cluster idle",
       .inject =
           [](Patient& p) {
             idle(p);
             p.sql(0, {"INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'",
                       "SET GLOBAL rpl_semi_sync_source_enabled = ON"});
           },
       .diagnoses = {"semi-sync-nobody 0"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL rpl_semi_sync_source_enabled = OFF", "UNINSTALL PLUGIN rpl_semi_sync_source"});
             p.start_writer();
           },
       .exit_code = 0,
       .repair = {"nothing"}},
  };
  if (::geteuid() == 0) {
    const auto held = std::make_shared<std::shared_ptr<void>>();
    list.push_back({.name = "quiet: a replica's connection is lost on its way",
                    .inject = [held](Patient& p) { *held = lose_packets(p, 0, replica_port(p)); },
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

TEST(TriageMysql, TellsQuietFaults) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(),
                "no mysqld of tools/peers");
  run_faults_on("shop-mysql", quiet_faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
