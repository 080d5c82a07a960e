// Triage of a MariaDB cluster: who holds the lock that an applier or a write waits for, and logs that are gone from the
// primary's disk.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "engine/programs.h"
#include "tests/integration/triage/mariadb.h"
#include "tests/support/require.h"

namespace holdfast::test::mariadb {
namespace {

using std::chrono::seconds;

/// A session of a person who went home.
struct Forgotten {
  std::shared_ptr<void> session;
  std::string id;
};

std::string newest_session(Patient& p, int i) {
  return p.sql(i, {"SELECT MAX(ID) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND COMMAND = "
                   "'Sleep'"});
}

/// Holds on replica 1 what `statements` lock, makes the primary write `then`, and waits until triage names the session:
/// within seconds, long before the lag is told.
std::function<void(Patient&)> hold_up(const std::shared_ptr<Forgotten>& held, std::vector<std::string> statements,
                                      std::vector<std::string> then) {
  return [=](Patient& p) {
    p.sql(0, kTable);
    caught_up(p, 1);
    held->session = p.hold(1, statements);
    held->id = newest_session(p, 1);
    p.sql(0, then);
    await(
        "triage names the session",
        [&] {
          const auto look = p.triage();
          return lacks(words_of(look, "applier-waits-for-lock"),
                       {"session " + held->id, "KILL " + held->id, "since 20"})
              .empty();
        },
        seconds(6));
  };
}

std::function<std::string(Patient&, const Patient::Look&)> names(const std::shared_ptr<Forgotten>& held,
                                                                 const std::string& diagnosis) {
  return [=](Patient&, const Patient::Look& look) {
    return lacks(words_of(look, diagnosis), {"session " + held->id + " (", "KILL " + held->id});
  };
}

std::function<void(Patient&)> end(const std::shared_ptr<Forgotten>& held) {
  return [=](Patient& p) {
    held->session.reset();
    p.sql(0, kDropTable);
    caught_up(p, 1);
  };
}

/// The files of the primary's binary log but the newest, which its index goes on to list.
void remove_binlogs(Patient& p) {
  p.sql(1, {"STOP SLAVE IO_THREAD"});
  p.sql(0, {"CREATE TABLE shop.p (a INT)", "FLUSH BINARY LOGS", "INSERT INTO shop.p VALUES (1)", "FLUSH BINARY LOGS"});
  const std::string newest =
      p.sql(0, {"SELECT SUBSTRING_INDEX(VARIABLE_VALUE, '/', -1) FROM information_schema.GLOBAL_STATUS WHERE "
                "VARIABLE_NAME = 'BINLOG_SNAPSHOT_FILE'"});
  caught_up(p, 2);
  await(
      "the other replica reads the newest",
      [&] { return p.field(2, "SHOW ALL SLAVES STATUS", "Master_Log_File") >= newest; }, seconds(30));
  for (const auto& entry : std::filesystem::directory_iterator(p.data(0))) {
    const std::string file = entry.path().filename().string();
    if (file.starts_with("binlog.0") && file < newest) std::filesystem::remove(entry.path());
  }
  p.sql(1, {"START SLAVE"});
}

std::vector<Fault> faults() {
  const auto held = std::make_shared<Forgotten>();
  return {
      {.name = "waits: applier behind an open transaction",
       .inject = hold_up(held, {"BEGIN", "SELECT * FROM shop.t"}, {"ALTER TABLE shop.t ADD COLUMN c INT"}),
       .diagnoses = {"applier-waits-for-lock 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = end(held),
       .repair = {"repair.needs_operator"},
       .check = names(held, "applier-waits-for-lock")},
      {.name = "waits: applier behind a locked table",
       .inject = hold_up(held, {"LOCK TABLES shop.t READ"}, {"INSERT INTO shop.t VALUES (2, 2)"}),
       .diagnoses = {"applier-waits-for-lock 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = end(held),
       .repair = {"repair.needs_operator"},
       .check = names(held, "applier-waits-for-lock")},
      {.name = "waits: applier behind a locked row",
       .inject = hold_up(held, {"BEGIN", "SELECT * FROM shop.t FOR UPDATE"}, {"UPDATE shop.t SET b = 5"}),
       .diagnoses = {"applier-waits-for-lock 1"},
       .members = {"1 broken nothing"},
       .authority = "provable 0",
       .undo = end(held),
       .repair = {"repair.needs_operator"},
       .check = names(held, "applier-waits-for-lock")},
      {.name = "waits: writes of the primary behind FLUSH TABLES WITH READ LOCK",
       .inject =
           [held](Patient& p) {
             held->session = p.hold(0, {"FLUSH TABLES WITH READ LOCK"});
             held->id = newest_session(p, 0);
           },
       .diagnoses = {"writes-locked 0"},
       .members = {"0 broken nothing"},
       .authority = "provable 0",
       .undo = [held](Patient&) { held->session.reset(); },
       .repair = {"repair.target_is_primary"},
       .check =
           [held](Patient& p, const Patient::Look& look) {
             return names(held, "writes-locked")(p, look) + lacks(look.data["sentence"].text(), {"writes wait"});
           }},
      {.name = "waits: a transaction passed over by the skip counter",
       .inject =
           [](Patient& p) {
             end_writing(p);
             p.sql(0, {"CREATE TABLE shop.skipped (a INT PRIMARY KEY)"});
             caught_up(p, 1);
             p.sql(1, {"STOP SLAVE"});
             p.sql(0, {"INSERT INTO shop.skipped VALUES (1)", "INSERT INTO shop.skipped VALUES (2)"});
             p.sql(1, {"SET GLOBAL sql_slave_skip_counter = 1", "START SLAVE"});
             caught_up(p, 1);
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
      {.name = "waits: binary logs removed from the primary's disk",
       .inject = remove_binlogs,
       .diagnoses = {"replica-log-purged 1", "logs-missing 0"},
       .members = {"1 stale rebuild"},
       .authority = "provable 0",
       .repair = {"healed"},
       .tidy =
           [](Patient& p) {
             p.sql(0, {"DROP TABLE shop.p", "FLUSH BINARY LOGS"});
             await(
                 "the index is right again",
                 [&] {
                   p.sql(0, {"PURGE BINARY LOGS BEFORE NOW()"});
                   return words_of(p.triage(), "logs-missing").empty();
                 },
                 seconds(30));
           },
       .check =
           [](Patient&, const Patient::Look& look) {
             return lacks(words_of(look, "logs-missing"),
                          {"binlog.000001", "Failed to open log", "PURGE BINARY LOGS"}) +
                    lacks(words_of(look, "replica-log-purged"), {"binlog.000001", "holdfast repair"});
           }},
  };
}

TEST(TriageMariadb, TellsWhoHoldsLocks) {
  HOLDFAST_NEED("mariadb", engine::find_program(cluster::Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  run_faults_on("shop-mariadb", faults());
}

}  // namespace
}  // namespace holdfast::test::mariadb
