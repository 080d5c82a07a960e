// holdfast compare: members that hold the same rows are equal while they are written to, a row that differs at equal
// positions is found by its key, and triage shows both.
#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <future>

#include "engine/pages/postgres.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "tests/integration/repair_world.h"
#include "tests/support/member_sql.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

class Compare : public testing::TestWithParam<Engine> {
 protected:
  static std::string cluster_of(Engine engine) { return "shop-" + std::string(cluster::engine_name(engine)); }

  void SetUp() override {
    const char* program = GetParam() == Engine::postgres ? "postgres"
                          : GetParam() == Engine::mysql  ? "mysqld"
                                                         : "mariadbd";
    HOLDFAST_NEED(std::string(cluster::engine_name(GetParam())), engine::find_program(GetParam(), program).has_value(),
                  std::string("no ") + program);
    ASSERT_NO_FATAL_FAILURE(world_.up());
  }

  /// Statements of one session.
  void session(int i, const std::vector<std::string>& statements) {
    const auto deadline = Deadline::in(seconds(30));
    auto connection = sql::MariadbConnection::connect(target_of(world_.member(i)), deadline);
    ASSERT_TRUE(connection) << connection.error().to_string();
    for (const auto& statement : statements) {
      const auto done = connection->query(statement, deadline);
      EXPECT_TRUE(done) << statement << ": " << done.error().to_string();
    }
  }

  void expect_equal(const std::vector<std::string>& args = {}) {
    const auto done = world_.run("compare", args);
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    const Value data = RepairWorld::data(done);
    EXPECT_TRUE(data["equal"].boolean()) << done.out;
    EXPECT_GT(data["tables"].integer(), 8) << done.out;
    EXPECT_GT(data["rows"].integer(), 1000) << done.out;
  }
  void expect_triage(int code, bool differs) {
    Value data;
    // A writer that has just ended leaves its replicas a moment behind.
    EXPECT_TRUE(*sys::wait_until(
        [&] {
          const auto seen = world_.run("triage");
          data = RepairWorld::data(seen);
          return seen.exit_code == code;
        },
        Deadline::in(seconds(20))))
        << codec::to_json(data["diagnoses"]);
    EXPECT_EQ(data["compared"]["equal"].boolean(differs), !differs) << codec::to_json(data["compared"]);
    bool found = false;
    for (const Value& d : data["diagnoses"].items()) found = found || d["id"].text() == "contents-differ";
    EXPECT_EQ(found, differs) << codec::to_json(data["diagnoses"]);
  }
  /// Exactly these keys of one table of one member.
  void expect_differs(int member, const std::string& table, const std::string& keys) {
    const auto done = world_.run("compare", {"--range-rows", "500"});
    EXPECT_EQ(done.exit_code, 10) << done.out << done.err;
    const Value data = RepairWorld::data(done);
    ASSERT_EQ(data["differences"].items().size(), 1u) << done.out;
    const Value& found = data["differences"].items()[0];
    EXPECT_EQ(found["member"].text(), world_.name(member)) << done.out;
    EXPECT_EQ(found["table"].text(), table) << done.out;
    std::string seen;
    for (const Value& key : found["keys"].items()) seen += (seen.empty() ? "" : "; ") + key.text();
    EXPECT_EQ(seen, keys) << done.out;
  }

  /// Tables whose values print with fewer digits than they have, whose keys have several columns of odd types, and one
  /// without a key.
  void make_odd_tables() {
    const auto ask = [&](const std::string& statement) {
      EXPECT_EQ(world_.ask(0, statement, database_), "") << statement;
    };
    if (GetParam() == Engine::postgres) {
      ask("CREATE TABLE odd_keys (a text, b char(3), c timestamptz, v real, PRIMARY KEY (a, b, c))");
      ask("INSERT INTO odd_keys SELECT E'k''\\\\' || i % 7, 'b' || i % 3, now() + i * interval '1 s', i / 3.0 "
          "FROM generate_series(1, 2100) i");
      ask("CREATE TABLE no_key (v real, w bytea)");
      ask("INSERT INTO no_key SELECT 16777217, 'x' FROM generate_series(1, 10)");
      return;
    }
    ask("CREATE TABLE shop.odd_keys (a VARCHAR(20), b BINARY(3), c DATETIME(6), v FLOAT, w TEXT, PRIMARY KEY (a, b, "
        "c))");
    for (int i = 0; i < 4; ++i)
      ask(
          fmt::format("INSERT INTO shop.odd_keys SELECT CONCAT('k''\\\\', id % 7, '{}'), CONCAT('b', id % 3), "
                      "'2026-01-01' + INTERVAL id SECOND, id / 3, REPEAT('ä', id % 20) FROM shop.customers ORDER BY id "
                      "LIMIT 600",
                      i));
    ask("CREATE TABLE shop.no_key (v FLOAT)");
    ask("INSERT INTO shop.no_key VALUES (16777216), (16777216)");
  }

  RepairWorld world_{GetParam(), cluster_of(GetParam())};
  const std::string database_ = GetParam() == Engine::postgres ? "shop" : "";
};

class CompareMysqlFamily : public Compare {};

TEST_P(CompareMysqlFamily, FindsTheRowsThatDiffer) {
  make_odd_tables();
  world_.start_writer();
  expect_equal();
  world_.stop_writer();
  expect_triage(0, false);

  // A row changed, one missing and one too many, of which no position knows.
  const auto change = [&](std::vector<std::string> statements) {
    const bool mysql = GetParam() == Engine::mysql;
    statements.insert(statements.begin(), GetParam() == Engine::galera ? "SET wsrep_on = OFF" : "SET sql_log_bin = 0");
    if (mysql) statements.insert(statements.begin(), "SET GLOBAL super_read_only = 0");
    if (mysql) statements.push_back("SET GLOBAL super_read_only = 1");
    session(1, statements);
  };
  change({"CREATE TABLE crm.kept SELECT * FROM crm.documents WHERE id IN (1, 2)",
          "UPDATE crm.documents SET title = CONCAT(title, '!') WHERE id = 1", "DELETE FROM crm.documents WHERE id = 2",
          "INSERT INTO crm.documents (id, title, body) VALUES (3000000, 'x', 'y')"});
  const auto table = RepairWorld::data(world_.run("compare"));
  ASSERT_EQ(table["differences"].items().size(), 2u) << codec::to_json(table);
  EXPECT_EQ(table["differences"].items()[0]["what"].text(), "table is on this member alone") << codec::to_json(table);
  change({"REPLACE INTO crm.documents SELECT * FROM crm.kept WHERE id = 2", "DROP TABLE crm.kept",
          "DELETE FROM crm.documents WHERE id = 2"});
  expect_differs(1, "crm.documents", "1; 2; 3000000");
  expect_triage(4, true);

  // A FLOAT whose last digit differs, in a table without a key: two equal rows must not hide each other.
  session(0, {"CREATE TABLE crm.kept SELECT * FROM crm.documents WHERE id IN (1, 2)"});
  change({"UPDATE shop.no_key SET v = 16777218"});
  const auto done = RepairWorld::data(world_.run("compare"));
  ASSERT_EQ(done["differences"].items().size(), 2u) << codec::to_json(done);
  EXPECT_EQ(done["differences"].items()[1]["table"].text(), "shop.no_key") << codec::to_json(done);

  change({"UPDATE shop.no_key SET v = 16777216", "DELETE FROM crm.documents WHERE id IN (1, 2, 3000000)",
          "INSERT INTO crm.documents SELECT * FROM crm.kept"});
  expect_equal({"--range-rows", "300", "--resume", "--rows-per-second", "1000000"});
  expect_triage(0, false);
}

INSTANTIATE_TEST_SUITE_P(Engines, CompareMysqlFamily, testing::Values(Engine::mariadb, Engine::mysql, Engine::galera),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param)); });

class ComparePostgres : public Compare {
 protected:
  /// Changes a byte of a row in the stopped standby's file, with the page's checksum made right: what a storage does
  /// that returns an older sector of an older write.
  void change_title_of(int id) {
    const std::string where =
        world_.ask(0, fmt::format("SELECT ctid::text FROM crm.documents WHERE id = {}", id), "shop");
    const std::string title = world_.ask(0, fmt::format("SELECT title FROM crm.documents WHERE id = {}", id), "shop");
    const std::string path = world_.member(1)["dataDir"].text() + "/" +
                             world_.ask(0, "SELECT pg_relation_filepath('crm.documents')", "shop");
    const auto block = static_cast<uint32_t>(std::stoul(where.substr(1)));
    ASSERT_FALSE(title.empty());
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file) << path;
    std::string page(8192, '\0');
    file.seekg(static_cast<std::streamoff>(block) * 8192).read(page.data(), 8192);
    const size_t at = page.find(title);
    ASSERT_NE(at, std::string::npos) << title;
    page[at] = static_cast<char>(page[at] ^ 1);
    const uint16_t sum = engine::pages::postgres_checksum(as_bytes(page), block);
    std::memcpy(page.data() + 8, &sum, 2);
    file.seekp(static_cast<std::streamoff>(block) * 8192).write(page.data(), 8192);
    ASSERT_TRUE(file.flush());
  }
};

TEST_P(ComparePostgres, FindsTheRowsThatDiffer) {
  make_odd_tables();
  world_.start_writer();
  expect_equal();
  world_.stop_writer();
  expect_triage(0, false);

  EXPECT_EQ(world_.ask(0, "CHECKPOINT"), "");
  ASSERT_TRUE(*sys::wait_until(
      [&] {
        return world_.ask(1, "SELECT pg_last_wal_replay_lsn() >= redo_lsn FROM pg_control_checkpoint()") == "t" &&
               world_.ask(1, "CHECKPOINT").empty();
      },
      Deadline::in(seconds(30))));
  world_.agent_stop(1);
  change_title_of(1);
  world_.agent(1, "start");
  ASSERT_TRUE(
      *sys::wait_until([&] { return world_.ask(1, "SELECT pg_is_in_recovery()") == "t"; }, Deadline::in(seconds(30))));
  expect_differs(1, "shop.crm.documents", "1");
  expect_triage(4, true);

  // Written anew through the log, it is equal again.
  EXPECT_EQ(world_.ask(0, "CREATE TABLE crm.all_of_it AS SELECT * FROM crm.documents", "shop"), "");
  EXPECT_EQ(world_.ask(0, "TRUNCATE crm.documents", "shop"), "");
  EXPECT_EQ(world_.ask(0, "INSERT INTO crm.documents SELECT * FROM crm.all_of_it", "shop"), "");
  expect_equal();
  expect_triage(0, false);
}

// A commit that waits for a standby's answer is logged, sent and replayed before the primary itself shows it: at equal
// positions the standby has a row more, and lost nothing.
TEST_P(ComparePostgres, ACommitThatWaitsForAStandbyIsNoDifference) {
  EXPECT_EQ(world_.ask(0, "CREATE TABLE held (a int PRIMARY KEY)", "shop"), "");
  EXPECT_EQ(world_.ask(0, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"), "");
  EXPECT_EQ(world_.ask(0, "SELECT pg_reload_conf()"), "t");
  ASSERT_TRUE(*sys::wait_until([&] { return world_.ask(0, "SHOW synchronous_standby_names") == "nobody"; },
                               Deadline::in(seconds(20))));
  auto commit = std::async(std::launch::async, [&] { return world_.ask(0, "INSERT INTO held VALUES (1)", "shop"); });
  ASSERT_TRUE(*sys::wait_until([&] { return world_.ask(1, "SELECT count(*) FROM held", "shop") == "1"; },
                               Deadline::in(seconds(20))));
  EXPECT_EQ(world_.ask(0, "SELECT count(*) FROM held", "shop"), "0");
  const auto apart = world_.run("compare", {"--meet-timeout", "3"});
  RepairWorld::expect_refused(apart, "compare.no_common_point", 6);
  EXPECT_NE(apart.out.find("which the reference does not show yet"), std::string::npos) << apart.out;

  EXPECT_EQ(world_.ask(0, "ALTER SYSTEM RESET synchronous_standby_names"), "");
  EXPECT_EQ(world_.ask(0, "SELECT pg_reload_conf()"), "t");
  EXPECT_EQ(commit.get(), "");
  expect_equal();
}

// A transaction that is still open is no reason to wait for.
TEST_P(ComparePostgres, AnOpenTransactionDoesNotHinder) {
  EXPECT_EQ(world_.ask(0, "CREATE TABLE held (a int PRIMARY KEY)", "shop"), "");
  auto target = target_of(world_.member(0));
  target.database = "shop";
  auto open = sql::PostgresConnection::connect(target, Deadline::in(seconds(20)));
  ASSERT_TRUE(open) << open.error().to_string();
  ASSERT_TRUE(open->query("BEGIN; INSERT INTO held VALUES (1); SAVEPOINT s; INSERT INTO held VALUES (2)",
                          Deadline::in(seconds(20))));
  world_.start_writer();
  expect_equal();
  world_.stop_writer();
  expect_equal();
}

INSTANTIATE_TEST_SUITE_P(Engines, ComparePostgres, testing::Values(Engine::postgres),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param)); });

TEST(CompareRefuses, AMemberItDoesNotHaveAndAClusterOfOne) {
  HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(), "no postgres");
  RepairWorld world(Engine::postgres, "shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up());
  RepairWorld::expect_refused(world.run("compare", {"-i", "7"}), "compare.no_member", 2);
  RepairWorld::expect_refused(world.run("compare", {"--range-rows", "0"}), "compare.flag", 2);
  world.agent_stop(1);
  RepairWorld::expect_refused(world.run("compare"), "compare.one_member", 6);
  // A member that stays where it is never meets the others.
  world.agent(1, "start");
  ASSERT_TRUE(*sys::wait_until([&] { return world.ask(1, "SELECT pg_wal_replay_pause()").empty(); },
                               Deadline::in(seconds(30))));
  EXPECT_EQ(world.ask(0, "CREATE TABLE t (a int)"), "");
  const auto apart = world.run("compare", {"--meet-timeout", "2"});
  RepairWorld::expect_refused(apart, "compare.no_common_point", 6);
  // Nothing is left of it but what was recorded before: nothing.
  EXPECT_TRUE(RepairWorld::data(world.run("triage"))["compared"].is_null());
}

}  // namespace
}  // namespace holdfast::test
