// Triage of a Galera cluster under faults.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "agent/config.h"
#include "engine/programs.h"
#include "sql/mariadb.h"
#include "tests/integration/triage/faults.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using std::chrono::seconds;

std::function<void(Patient&)> sql_on(int i, std::vector<std::string> statements) {
  return [i, statements](Patient& p) { p.sql(i, statements); };
}

void replace_line(const std::string& path, const std::string& key, const std::string& line) {
  const std::string text = text_of(path);
  const size_t at = text.find(key), end = text.find('\n', at);
  ASSERT_NE(at, std::string::npos) << path << " has no " << key;
  rewrite(path, text.substr(0, at) + line + text.substr(end));
}

std::string grastate(Patient& p, int i) {
  return p.data(i) + "/grastate.dat";
}

/// The others give a dead node up sooner than after 15 s; a server that was started anew has forgotten it.
void be_quick(Patient& p) {
  for (int i = 0; i < p.size(); ++i)
    p.sql(i, {"SET GLOBAL wsrep_provider_options = 'evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S'"});
}

std::string status(Patient& p, int i, const std::string& variable) {
  return p.try_sql(
      i, {"SELECT variable_value FROM information_schema.global_status WHERE variable_name = '" + variable + "'"},
      seconds(2));
}

void await_status(Patient& p, int i, const std::string& variable, const std::string& value) {
  await(
      fmt::format("{} of {} is {}", variable, p.name(i), value), [&] { return status(p, i, variable) == value; },
      seconds(30));
}

/// Nobody hears it and it hears nobody, while its clients and we reach it; no root needed. `take_back` is not enough to
/// be in the component again: that is for the cluster to decide.
void isolate(Patient& p, int i, bool on = true) {
  p.sql(i, {fmt::format("SET GLOBAL wsrep_provider_options = 'gmcast.isolate={}'", on ? 1 : 0)});
}

/// All that the member's server has said since it was last started.
std::string last_run(Patient& p, int i) {
  const std::string log = text_of(p.dir(i) + "/log/server.log");
  const auto at = log.rfind("Starting MariaDB");
  return at == std::string::npos ? log : log.substr(at);
}

/// Repaired by what it missed alone: its data was not copied again.
std::function<void(Patient&)> joined_by_ist(int i) {
  return [i](Patient& p) {
    const std::string log = last_run(p, i);
    EXPECT_NE(log.find("IST received:"), std::string::npos) << "no IST: " << log.substr(0, 3000);
    EXPECT_EQ(log.find("rsync SST completed on joiner"), std::string::npos) << "its data was copied whole";
  };
}

/// Stops all, so that the last one has more than the others.
void stop_all_the_last_ahead(Patient& p) {
  for (int i : {0, 1}) p.stop(i);
  await(
      "it serves alone",
      [&] { return p.try_sql(2, {"CREATE TABLE shop.last (a INT PRIMARY KEY)"}, seconds(5)).empty(); }, seconds(20));
  p.stop(2);
}

void drop_last(Patient& p) {
  p.sql(0, {"DROP TABLE shop.last"});
}

/// Its directory as a disk that is gone leaves it: a name that leads nowhere.
void hide_data(Patient& p, int i) {
  std::filesystem::rename(p.data(i), p.data(i) + ".hidden");
  std::filesystem::create_symlink("data", p.data(i));
}

void show_data(Patient& p, int i) {
  std::filesystem::remove(p.data(i));
  std::filesystem::rename(p.data(i) + ".hidden", p.data(i));
}

void make_foreign(Patient& p, int i) {
  replace_line(grastate(p, i), "uuid:", "uuid:    11111111-2222-3333-4444-555555555555");
}

void forget_history(Patient& p, int i) {
  replace_line(grastate(p, i), "uuid:", "uuid:    00000000-0000-0000-0000-000000000000");
  replace_line(grastate(p, i), "seqno:", "seqno:   -1");
}

void vote_out(Patient& p, int i) {
  p.sql(0, {"CREATE OR REPLACE TABLE shop.t (a INT PRIMARY KEY)", "INSERT INTO shop.t VALUES (1)"});
  await("it has the row", [&] { return p.try_sql(i, {"SELECT a FROM shop.t"}, seconds(2)) == "1"; }, seconds(10));
  p.sql(i, {"SET SESSION wsrep_on = OFF", "INSERT INTO shop.t VALUES (2)"});
  p.sql(0, {"INSERT INTO shop.t VALUES (2)"});
}

/// A session that stays open, as a forgotten one does.
struct Session {
  std::optional<sql::MariadbConnection> connection;
};
std::shared_ptr<Session> lock_tables(Patient& p, int i) {
  const auto config = agent::read_config(p.dir(i));
  EXPECT_TRUE(config);
  sql::Target target;
  target.socket = config->server_socket();
  target.user = config->admin_user;
  target.password = Secret(agent::read_password(config->admin_password_file).value_or(""));
  auto session = std::make_shared<Session>();
  auto connection = sql::MariadbConnection::connect(target, Deadline::in(seconds(5)));
  EXPECT_TRUE(connection);
  EXPECT_TRUE(connection->query("FLUSH TABLES WITH READ LOCK", Deadline::in(seconds(10))));
  session->connection.emplace(std::move(*connection));
  return session;
}

/// Member `i` asks for a state transfer, and the program that should receive it stops at once.
void hang_in_transfer(Patient& p, int i) {
  p.stop(i);
  forget_history(p, i);
  p.start_unheard(i, {"--wsrep-sst-donor=" + p.name(1)});
  const std::string mark = p.data(i) + "/rsync_sst.conf";
  await(
      "the receiver runs, and hangs",
      [&] {
        std::error_code error;
        for (const auto& process : std::filesystem::directory_iterator("/proc", error)) {
          const auto line = sys::read_file(process.path().string() + "/cmdline");
          if (!line || as_text(line->span()).find(mark) == std::string_view::npos) continue;
          return ::kill(std::atoi(process.path().filename().c_str()), SIGSTOP) == 0;
        }
        return false;
      },
      seconds(30));
}

/// What goes wrong while everything works.
std::vector<Fault> quiet_faults() {
  return {
      {"quiet: goes on alone when the network breaks",
       sql_on(1, {"SET GLOBAL wsrep_provider_options = 'pc.ignore_sb=true'"}),
       {"galera-unsafe-options 1"},
       {},
       "provable *",
       {},
       sql_on(1, {"SET GLOBAL wsrep_provider_options = 'pc.ignore_sb=false'"}),
       0,
       {"nothing"}},
      {"quiet: a node without a vote",
       sql_on(2, {"SET GLOBAL wsrep_provider_options = 'pc.weight=0'"}),
       {"galera-unsafe-options 2"},
       {},
       "provable *",
       {},
       sql_on(2, {"SET GLOBAL wsrep_provider_options = 'pc.weight=1'"}),
       0,
       {"nothing"}},
      {"quiet: node of an older release",
       [](Patient& p) {
         p.stop(2);
         p.agent(2, "start",
                 codec::Value::object(
                     {{"extraArgs", codec::Value::list_of(std::vector<std::string>{"--version=10.6.12-MariaDB"})}}));
       },
       {"version-skew 2"},
       {},
       "provable *",
       {},
       [](Patient& p) {
         p.stop(2);
         p.start(2);
       },
       0,
       {"nothing"}},
  };
}

std::vector<Fault> faults() {
  const auto held = std::make_shared<std::shared_ptr<Session>>();
  const auto pid = std::make_shared<int64_t>();
  std::vector<Fault> list = {
      {.name = "desynced by hand",
       .inject = sql_on(1, {"SET GLOBAL wsrep_desync = ON"}),
       .diagnoses = {"galera-not-synced 1"},
       .members = {"1 catching_up resume"},
       .authority = "provable *",
       .repair = {"healed"}},
      {.name = "queries rejected by hand",
       .inject = sql_on(1, {"SET GLOBAL wsrep_reject_queries = ALL"}),
       .diagnoses = {"galera-not-ready 1"},
       .members = {"1 broken resume"},
       .authority = "provable *",
       .also = {"access-denied"},
       .repair = {"healed"}},
      {.name = "a donor for ever: a forgotten lock",
       .inject = [held](Patient& p) { *held = lock_tables(p, 1); },
       .diagnoses = {"galera-not-synced 1"},
       .members = {"1 catching_up nothing"},
       .authority = "provable *",
       .repair = {"repair.needs_operator", "-i 1: healed"},
       .tidy = [held](Patient&) { held->reset(); }},
      {.name = "wsrep_on off",
       .inject = sql_on(1, {"SET GLOBAL wsrep_on = OFF"}),
       .diagnoses = {"galera-replication-off 1"},
       .members = {"1 broken rebuild"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"operation.not_accepted", "-i 1 ACCEPT: healed"}},
      {.name = "one stopped",
       .inject = [](Patient& p) { p.stop(2); },
       .diagnoses = {"server-stopped 2"},
       .members = {"2 stopped restart"},
       .authority = "provable *",
       .repair = {"healed"},
       .tidy = joined_by_ist(2)},
      {.name = "one killed",
       .inject = [](Patient& p) { p.kill(2); },
       .diagnoses = {"server-crashed 2", "authority-undeterminable"},
       .members = {"2 stopped restart"},
       .authority = "undeterminable",
       .repair = {"healed"},
       .tidy = joined_by_ist(2)},
      {.name = "agent killed",
       .inject = [](Patient& p) { p.kill_agent(2); },
       .diagnoses = {"agent-gone 2", "server-unreachable 2"},
       .members = {"2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"repair.needs_operator"}},
      {.name = "one left out by its own network",
       .inject =
           [](Patient& p) {
             be_quick(p);
             isolate(p, 2);
             await_status(p, 2, "wsrep_cluster_status", "non-Primary");
           },
       .diagnoses = {"galera-non-primary 2"},
       .members = {"2 broken restart"},
       .authority = "provable *",
       .repair = {"bootstrap: bootstrap.has_primary", "healed"},
       .tidy = joined_by_ist(2)},
      {.name = "one with the zero uuid",
       .inject =
           [](Patient& p) {
             p.stop(2);
             forget_history(p, 2);
           },
       .diagnoses = {"galera-state-lost 2", "authority-undeterminable"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"server-stopped"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "one whose state transfer was cut off",
       .inject =
           [](Patient& p) {
             p.stop(2);
             replace_line(grastate(p, 2), "seqno:", "seqno:   -1");
             ASSERT_TRUE(sys::publish_file(p.data(2) + "/sst_in_progress", {}, 0644));
           },
       .diagnoses = {"galera-aborted-transfer 2"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"server-stopped", "authority-undeterminable"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "a joiner to which nothing comes",
       .inject =
           [](Patient& p) {
             hang_in_transfer(p, 2);
             await(
                 "it is told",
                 [&] {
                   const auto text = p.triage().text;
                   EXPECT_EQ(text.find("galera-aborted-transfer"), std::string::npos) << "its transfer goes on";
                   return text.find("galera-transfer-stuck") != std::string::npos;
                 },
                 seconds(40));
           },
       .diagnoses = {"galera-transfer-stuck 2", "authority-undeterminable"},
       .members = {"1 * *", "2 broken rebuild"},  // the donor may have sent its last byte just before
       .authority = "undeterminable",
       .also = {"galera-not-synced"},
       .repair = {"repair.needs_operator", "-i 2 ACCEPT: healed"}},
      {.name = "one with no data",
       .inject = [](Patient& p) { p.lab_break("delete-data", 2); },
       .diagnoses = {"data-missing 2"},
       .members = {"2 empty rebuild"},
       .authority = "provable *",
       .repair = {"healed"}},
      {.name = "one of another history, none recorded",
       .inject =
           [](Patient& p) {
             p.stop(2);
             make_foreign(p, 2);
           },
       .diagnoses = {"foreign-history 2", "authority-undeterminable"},
       .members = {"2 foreign nothing"},
       .authority = "undeterminable",
       .also = {"server-stopped"},
       .repair = {"repair.needs_operator", "-i 2: operation.not_accepted", "-i 2 ACCEPT: healed"}},
      {.name = "one so far behind that no cache helps",
       .inject =
           [](Patient& p) {
             p.stop(2);
             p.sql(0, {"CREATE TABLE shop.big (a INT PRIMARY KEY, b LONGBLOB)"});
             for (int i = 0; i < 12; ++i)
               p.sql(0, {fmt::format("INSERT INTO shop.big SELECT {}, REPEAT('x', 4000000)", i)});
           },
       .diagnoses = {"galera-behind-caches 2"},
       .members = {"2 stale rebuild"},
       .authority = "provable *",
       .also = {"server-stopped"},
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.big"})},
      {.name = "inconsistent node, voted out",
       .inject = [](Patient& p) { vote_out(p, 2); },
       .diagnoses = {"galera-inconsistent 2"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "server-crashed"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "inconsistent node, voted out, then killed",
       .inject =
           [](Patient& p) {
             vote_out(p, 2);
             await(
                 "it is out", [&] { return status(p, 2, "wsrep_local_state_comment").starts_with("Inconsistent"); },
                 seconds(20));
             p.kill(2);
           },
       .diagnoses = {"galera-state-lost 2"},
       .members = {"2 broken rebuild"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "server-crashed"},
       .repair = {"operation.not_accepted", "ACCEPT: healed"}},
      {.name = "two primary components, the network is fine",
       .inject =
           [](Patient& p) {
             be_quick(p);
             isolate(p, 2);
             await_status(p, 2, "wsrep_cluster_status", "non-Primary");
             p.sql(2, {"SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"});
             await_status(p, 2, "wsrep_ready", "ON");
             p.sql(2, {"CREATE TABLE shop.on_the_other_side (a INT PRIMARY KEY)"});
           },
       .diagnoses = {"galera-two-components 0 1 2"},
       .members = {"0 broken nothing", "1 broken nothing", "2 broken nothing"},
       .authority = "diverged",
       .also = {"histories-diverged", "galera-size-mismatch"},
       .repair = {"repair.split_brain", "bootstrap: bootstrap.split_brain", "-i 0: repair.split_brain",
                  "-i 2: operation.not_accepted", "-i 2 ACCEPT: healed"}},
      {.name = "two killed, the third in the minority",
       .inject =
           [](Patient& p) {
             be_quick(p);
             for (int i : {1, 2}) p.kill(i);
           },
       .diagnoses = {"server-crashed 1 2", "galera-non-primary 0", "galera-no-primary-component 0 1 2"},
       .members = {"0 broken restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable"},
       .repair = {"repair.no_donor", "-i 0: repair.no_donor", "bootstrap --dry-run: bootstrap.not_recovered",
                  "bootstrap: healed"}},
      {.name = "all run, none in a component",
       .inject =
           [pid](Patient& p) {
             be_quick(p);
             isolate(p, 2);
             await_status(p, 2, "wsrep_cluster_status", "non-Primary");
             await_status(p, 0, "wsrep_cluster_size", "2");
             isolate(p, 1);
             await_status(p, 0, "wsrep_cluster_status", "non-Primary");
             // What was left of the last component is one of two: it does not get a majority from the third.
             isolate(p, 2, false);
             await_status(p, 0, "wsrep_cluster_size", "2");
             *pid = p.agent(0, "status")["server"]["pid"].integer();
           },
       .diagnoses = {"galera-non-primary 0 1 2", "galera-no-primary-component 0 1 2"},
       .members = {"0 broken restart", "1 broken restart", "2 broken restart"},
       .authority = "provable *",
       .repair = {"repair.no_donor", "bootstrap: healed"},
       .tidy =
           [pid](Patient& p) {
             // Told to, not started: it ran all the time.
             EXPECT_EQ(p.agent(0, "status")["server"]["pid"].integer(), *pid);
           }},
      {.name = "all killed",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.kill(i);
           },
       .diagnoses = {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .repair = {"repair.no_donor", "bootstrap --dry-run: bootstrap.not_recovered", "bootstrap: healed"}},
      {.name = "all stopped, the last one is ahead",
       .inject = stop_all_the_last_ahead,
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 2",
       .repair = {"repair.no_donor", "bootstrap: healed"},
       .tidy = drop_last},
      {.name = "all stopped, the wrong one marked to bootstrap",
       .inject =
           [](Patient& p) {
             stop_all_the_last_ahead(p);
             replace_line(grastate(p, 0), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
             replace_line(grastate(p, 2), "safe_to_bootstrap:", "safe_to_bootstrap: 0");
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-bootstrap-flag 0"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable 2",
       .repair = {"bootstrap: healed"},
       .tidy = drop_last},
      {.name = "all stopped, two marked to bootstrap",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.stop(i);
             for (int i : {0, 2}) replace_line(grastate(p, i), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-bootstrap-flag 0 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "provable *",
       .repair = {"bootstrap: healed"}},
      {.name = "all killed, one with the zero uuid, marked to bootstrap",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.kill(i);
             forget_history(p, 1);
             replace_line(grastate(p, 1), "safe_to_bootstrap:", "safe_to_bootstrap: 1");
           },
       .diagnoses = {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable",
                     "galera-state-lost 1", "galera-bootstrap-flag 1"},
       .members = {"0 stopped restart", "1 broken rebuild", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"errant-transactions"},  // once the positions are recovered: one may be a transaction ahead
       .repair = {"bootstrap: bootstrap.zero_uuid", "bootstrap ACCEPT: healed"}},
      {.name = "all stopped, one in the middle of a state transfer",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.stop(i);
             ASSERT_TRUE(sys::publish_file(p.data(0) + "/sst_in_progress", {}, 0644));
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2", "galera-aborted-transfer 0"},
       .members = {"0 broken rebuild", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "errant-transactions"},
       .repair = {"bootstrap: bootstrap.aborted_transfer", "bootstrap ACCEPT: healed"}},
      {.name = "all stopped, one of another history and ahead",
       .inject =
           [](Patient& p) {
             for (int i : {0, 1, 2}) p.stop(i);
             make_foreign(p, 2);
             replace_line(grastate(p, 2), "seqno:", "seqno:   99999999");
           },
       .diagnoses = {"server-stopped 0 1 2", "galera-no-primary-component 0 1 2"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .also = {"authority-undeterminable", "errant-transactions"},
       .repair = {"bootstrap: bootstrap.foreign", "bootstrap ACCEPT: healed"}},
      {.name = "all killed, the directory of one unreadable",
       .inject =
           [](Patient& p) {
             for (int i : {2, 1, 0}) p.kill(i);
             hide_data(p, 2);
           },
       .diagnoses = {"server-crashed 0 1 2", "galera-no-primary-component 0 1 2", "authority-undeterminable"},
       .members = {"0 stopped restart", "1 stopped restart", "2 stopped restart"},
       .authority = "undeterminable",
       .undo =
           [](Patient& p) {
             // Two serve; the third was left as it was, and is a part of their history once it can be read.
             EXPECT_TRUE(p.acknowledged_rows_missing(0).empty());
             show_data(p, 2);
             const auto repaired = p.lab().holdfast({"repair", "-c", p.cluster(), "-i", "2", "-r", p.repository()});
             EXPECT_EQ(repaired.exit_code, 0) << repaired.out << repaired.err;
             EXPECT_TRUE(p.acknowledged_rows_missing(2).empty());
           },
       .repair = {"bootstrap: bootstrap.unread", "bootstrap ACCEPT: partial"}},
  };
  if (::geteuid() == 0) {
    list.push_back({.name = "one cut off",
                    .inject =
                        [](Patient& p) {
                          be_quick(p);
                          p.lab_break("partition", 2);
                        },
                    .diagnoses = {"tcp-unreachable 2", "galera-non-primary 2"},
                    .members = {"2 broken restart"},
                    .authority = "provable *",
                    .undo = [](Patient& p) { p.lab_heal(2); },
                    .repair = {"repair.needs_operator", "bootstrap: bootstrap.has_primary"}});
    list.push_back(
        {.name = "two primary components",
         .inject =
             [](Patient& p) {
               p.lab_break("partition", 2);
               await_status(p, 2, "wsrep_cluster_status", "non-Primary");
               p.sql(2, {"SET GLOBAL wsrep_provider_options = 'pc.bootstrap=YES'"});
             },
         .diagnoses = {"galera-two-components 0 1 2", "tcp-unreachable 2"},
         .members = {"0 broken nothing", "1 broken nothing", "2 broken nothing"},
         .authority = "diverged",
         .also = {"histories-diverged", "galera-size-mismatch"},
         .undo =
             [](Patient& p) {
               p.kill(2);
               p.lab_heal(2);
               p.restore();
             },
         .repair = {"repair.split_brain", "bootstrap: bootstrap.split_brain", "-i 2: repair.needs_operator"}});
  }
  for (auto& fault : quiet_faults()) list.push_back(std::move(fault));
  return list;
}

TEST(TriageGalera, TellsEveryFault) {
  HOLDFAST_NEED("galera", engine::find_program(cluster::Engine::galera, "mariadbd").has_value(), "no mariadbd");
  LabGuard lab;
  Patient patient(lab, "shop-galera");
  ASSERT_TRUE(patient.prepare());
  run_faults(patient, faults());
}

}  // namespace
}  // namespace holdfast::test
