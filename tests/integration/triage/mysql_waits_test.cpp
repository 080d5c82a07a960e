// Triage of a MySQL cluster: who holds the lock that an applier waits for, what a running statement hides, and logs
// that are gone from the primary's disk.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <thread>

#include "engine/programs.h"
#include "tests/integration/triage/mysql.h"
#include "tests/support/require.h"

namespace holdfast::test::mysql {
namespace {

using std::chrono::seconds;

/// A session of a person who went home.
struct Forgotten {
  std::shared_ptr<void> session;
  std::string id;
};

/// Holds on the replica what `statements` lock, makes the primary write `then`, and waits until triage names the
/// session: within seconds, long before the lag is told.
void hold_up(Patient& p, Forgotten& held, const std::vector<std::string>& statements, const std::string& then) {
  p.sql(0, {"CREATE TABLE shop.t (a INT PRIMARY KEY, b INT)", "INSERT INTO shop.t VALUES (1, 1)"});
  caught_up(p);
  held.session = p.hold(1, statements);
  held.id = p.sql(1, {"SELECT MAX(ID) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND = "
                      "'Sleep'"});
  p.sql(0, {then});
  await(
      "triage names the session",
      [&] {
        return lacks(words_of(p.triage(), "applier-waits-for-lock"),
                     {"session " + held.id, "KILL " + held.id, "since 20"})
            .empty();
      },
      seconds(8));
}

void let_go(Patient& p, Forgotten& held) {
  held.session.reset();
  p.sql(0, {"DROP TABLE shop.t"});
  caught_up(p);
}

std::function<std::string(Patient&, const Patient::Look&)> names(const std::shared_ptr<Forgotten>& held) {
  return [=](Patient&, const Patient::Look& look) {
    return lacks(words_of(look, "applier-waits-for-lock"), {"session " + held->id + " (", "KILL " + held->id});
  };
}

Fault applier_waits(std::string name, const std::vector<std::string>& statements, const std::string& then) {
  const auto held = std::make_shared<Forgotten>();
  return {.name = std::move(name),
          .inject = [=](Patient& p) { hold_up(p, *held, statements, then); },
          .diagnoses = {"applier-waits-for-lock 1"},
          .members = {"1 broken nothing"},
          .authority = "provable 0",
          .undo = [held](Patient& p) { let_go(p, *held); },
          .repair = {"repair.needs_operator"},
          .check = names(held)};
}

/// The same where the server itself names who holds what, beside another session that could be it.
Fault named_by_performance_schema() {
  const auto held = std::make_shared<Forgotten>();
  const auto other = std::make_shared<std::shared_ptr<void>>();
  return {.name = "waits: the holder is named by performance_schema",
          .inject =
              [=](Patient& p) {
                p.stop(1);
                p.agent(
                    1, "start",
                    codec::Value::object(
                        {{"extraArgs", codec::Value::list_of(std::vector<std::string>{"--performance-schema=ON"})}}));
                caught_up(p);
                hold_up(p, *held, {"BEGIN", "SELECT * FROM shop.t"}, "ALTER TABLE shop.t ADD COLUMN c INT");
                *other = p.hold(1, {"BEGIN", "SELECT * FROM shop.ledger LIMIT 1"});
              },
          .diagnoses = {"applier-waits-for-lock 1"},
          .members = {"1 broken nothing"},
          .authority = "provable 0",
          .undo =
              [=](Patient& p) {
                other->reset();
                let_go(p, *held);
                p.stop(1);
                p.start(1);
              },
          .repair = {"repair.needs_operator"},
          .check =
              [held](Patient& p, const Patient::Look& look) {
                const std::string text = words_of(look, "applier-waits-for-lock");
                return names(held)(p, look) + lacks(text, {"as the server says"}) +
                       (text.find("one of") == std::string::npos ? "" : "it is not sure: " + text);
              }};
}

/// information_schema.INNODB_TRX cannot be read while a statement with a character beyond utf8mb3 runs (error 3854).
Fault prepared_beside_an_emoji() {
  const auto statement = std::make_shared<std::jthread>();
  return {.name = "waits: prepared transaction beside a statement with an emoji",
          .inject =
              [statement](Patient& p) {
                p.sql(0, {"CREATE TABLE shop.left_behind (a INT PRIMARY KEY)", "XA START 'left'",
                          "INSERT INTO shop.left_behind VALUES (1)", "XA END 'left'", "XA PREPARE 'left'"});
                *statement = std::jthread([&p] {
                  p.try_sql(0,
                            {"SET NAMES utf8mb4", "BEGIN", "SELECT COUNT(*) FROM shop.ledger",
                             "SELECT SLEEP(150), '\xF0\x9F\x98\x80'"},
                            seconds(200));
                });
                await(
                    "INNODB_TRX cannot be read",
                    [&] {
                      return p.try_sql(0, {"SELECT COUNT(*) FROM information_schema.INNODB_TRX"}, seconds(5))
                                 .find("Cannot convert") != std::string::npos;
                    },
                    seconds(20));
                std::this_thread::sleep_for(seconds(60));  // until a prepared one counts as forgotten
              },
          .diagnoses = {"transaction-forgotten 0"},
          .authority = "provable 0",
          .undo =
              [statement](Patient& p) {
                p.sql(0, {"XA ROLLBACK 'left'"});
                std::istringstream sessions(p.table(0, "SHOW FULL PROCESSLIST"));
                for (std::string line; std::getline(sessions, line);)
                  if (line.find("SLEEP(150)") != line.npos)
                    p.try_sql(0, {"KILL " + line.substr(0, line.find('\t'))}, seconds(5));
                *statement = {};
                p.sql(0, {"DROP TABLE shop.left_behind"});
              },
          .exit_code = 0,
          .repair = {"nothing"}};
}

/// The files of the primary's binary log but the newest, which its index goes on to list.
void remove_binlogs(Patient& p) {
  p.sql(1, {"STOP REPLICA IO_THREAD"});
  p.sql(0, {"CREATE TABLE shop.p (a INT)", "FLUSH BINARY LOGS", "INSERT INTO shop.p VALUES (1)", "FLUSH BINARY LOGS"});
  const std::string newest = p.field(0, "SHOW BINARY LOG STATUS", "File");
  for (const auto& entry : std::filesystem::directory_iterator(p.data(0))) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with("binlog.0") && file < newest) std::filesystem::remove(entry.path());
  }
  p.sql(1, {"START REPLICA"});
}

std::vector<Fault> faults() {
  return {
      applier_waits("waits: applier behind an open transaction", {"BEGIN", "SELECT * FROM shop.t"},
                    "ALTER TABLE shop.t ADD COLUMN c INT"),
      applier_waits("waits: applier behind a locked row", {"BEGIN", "SELECT * FROM shop.t FOR SHARE"},
                    "UPDATE shop.t SET b = 5"),
      named_by_performance_schema(),
      prepared_beside_an_emoji(),
      {.name = "waits: a transaction passed over by an empty one",
       .inject =
           [](Patient& p) {
             idle(p);
             p.sql(0, {"CREATE TABLE shop.skipped (a INT PRIMARY KEY)"});
             caught_up(p);
             p.sql(1, {"STOP REPLICA"});
             const auto executed = [&] { return p.sql(0, {"SELECT @@GLOBAL.gtid_executed"}); };
             const std::string before = executed();
             p.sql(0, {"INSERT INTO shop.skipped VALUES (1)"});
             const std::string gtid = p.sql(0, {"SELECT GTID_SUBTRACT('" + executed() + "', '" + before + "')"});
             p.sql(0, {"INSERT INTO shop.skipped VALUES (2)"});
             p.sql(1,
                   {"SET GTID_NEXT = '" + gtid + "'", "BEGIN", "COMMIT", "SET GTID_NEXT = AUTOMATIC", "START REPLICA"});
             caught_up(p);
             EXPECT_EQ(p.sql(1, {"SELECT COUNT(*) FROM shop.skipped"}), "1") << "the row is missing";
           },
       .diagnoses = {"transactions-passed-over 1"},
       .members = {"1 broken rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy = sql_on(0, {"DROP TABLE shop.skipped"}),
       .check =
           [](Patient&, const Patient::Look& look) {
             return lacks(words_of(look, "transactions-passed-over"), {"1 transaction", "shop.skipped", "compare"});
           }},
      {.name = "waits: the primary in offline mode",
       .inject =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL offline_mode = ON"});
             p.sql(1, {"STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"});
           },
       .diagnoses = {"offline-mode 0", "replica-source-unreachable 1"},
       .members = {"0 broken nothing", "1 broken nothing"},
       .authority = "provable 0",
       .undo =
           [](Patient& p) {
             p.sql(0, {"SET GLOBAL offline_mode = OFF"});
             p.sql(1, {"STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"});
           },
       .check =
           [](Patient&, const Patient::Look& look) {
             return lacks(words_of(look, "replica-source-unreachable"),
                          {"in offline mode", "SET GLOBAL offline_mode=OFF"});
           }},
      {.name = "waits: binary logs removed from the primary's disk",
       .inject = remove_binlogs,
       .diagnoses = {"replica-log-purged 1", "logs-missing 0"},
       .members = {"1 stale rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy =
           [](Patient& p) {
             p.sql(0, {"DROP TABLE shop.p", "FLUSH BINARY LOGS", "DO SLEEP(1)", "PURGE BINARY LOGS BEFORE NOW()"});
             EXPECT_EQ(words_of(p.triage(), "logs-missing"), "");
           },
       .check =
           [](Patient&, const Patient::Look& look) {
             return lacks(words_of(look, "logs-missing"), {"binlog.000001", "PURGE BINARY LOGS"});
           }},
  };
}

TEST(TriageMysql, TellsWhoHoldsLocks) {
  HOLDFAST_NEED("mysql", engine::find_program(cluster::Engine::mysql, "mysqld").has_value(), "no mysqld");
  run_faults_on("shop-mysql", faults());
}

}  // namespace
}  // namespace holdfast::test::mysql
