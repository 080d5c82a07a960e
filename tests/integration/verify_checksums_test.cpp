// backup --verify=checksums and restore --verify: the sums are of the dump's own point while rows are written, a dump
// that differs in one digit of one value is found though every table has as many rows as it had, and what was compared
// how is reported.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "engine/programs.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

const std::vector<std::string> kMysql = {
    "CREATE DATABASE sums",
    "CREATE TABLE sums.vals (i INT PRIMARY KEY AUTO_INCREMENT, f FLOAT, d DOUBLE, s VARCHAR(50), j JSON, ts "
    "TIMESTAMP NULL, b BLOB, v INT AS (LENGTH(s)) VIRTUAL)",
    "INSERT INTO sums.vals (f, d, s, j, ts, b) VALUES (1234.5678, 0.1, 'a,b', '{\"a\": 1.10}', '2020-01-01 00:00:00', "
    "X'00FF'), (NULL, NULL, '~', NULL, NULL, NULL), (0.1, 1e308, '', '[]', NULL, '')",
    "CREATE TABLE sums.busy (i INT PRIMARY KEY, n INT)",
    "INSERT INTO sums.busy VALUES (1, 0), (2, 0)",
    "CREATE TABLE sums.`new\nline` (i INT PRIMARY KEY, t TEXT)",
    "INSERT INTO sums.`new\nline` VALUES (1, 'x')"};
const std::vector<std::string> kMariadbOnly = {
    "CREATE TABLE sums.past (i INT PRIMARY KEY, t INT) WITH SYSTEM VERSIONING", "INSERT INTO sums.past VALUES (1, 1)",
    "UPDATE sums.past SET t = 2"};
const std::vector<std::string> kPostgres = {
    "CREATE TABLE vals (i serial PRIMARY KEY, f real, d float8, s text, j jsonb, ts timestamptz, b bytea, x xml, p "
    "point, r numrange)",
    "INSERT INTO vals (f, d, s, j, ts, b, x, p, r) VALUES (1234.5678, 0.1, 'a,b', '{\"a\": 1.10}', now(), '\\x00ff', "
    "'<a/>', '(0.1,2)', '[0.1,2)'), (NULL, NULL, '~', NULL, NULL, NULL, NULL, NULL, NULL), (0.1, 1e308, '', '[]', "
    "'infinity', '', NULL, NULL, 'empty')",
    "CREATE TABLE busy (i int PRIMARY KEY, n int)", "INSERT INTO busy VALUES (1, 0), (2, 0)",
    "CREATE TABLE \"new\nline\" (i int PRIMARY KEY, t text)", "INSERT INTO \"new\nline\" VALUES (1, 'x')",
    // Its columns come back in another order.
    "CREATE TABLE parent (a int, b text)", "CREATE TABLE child (own int, b text, a int)",
    "ALTER TABLE child INHERIT parent", "INSERT INTO child VALUES (1, 'two', 3)",
    "CREATE MATERIALIZED VIEW stale AS SELECT random() AS r", "SELECT lo_from_bytea(4711, '\\x010203')",
    "SELECT lo_put(4711, 5000, '\\x04')", "CREATE TABLE none ()", "INSERT INTO none DEFAULT VALUES"};

struct Case {
  Engine engine;
  const char* server;
  const char* cluster;
};

class VerifyChecksums : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED(std::string(cluster::engine_name(GetParam().engine)),
                  engine::find_program(GetParam().engine, GetParam().server).has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    ok({"lab", "up", GetParam().cluster});
    ok({"repo", "init", "-r", repository_});
    if (postgres()) {
      database_ = "postgres";
      run("CREATE DATABASE shop");
      database_ = "shop";
    }
    for (const auto& statement : postgres() ? kPostgres : kMysql) run(statement);
    if (GetParam().engine == Engine::mariadb || GetParam().engine == Engine::galera)
      for (const auto& statement : kMariadbOnly) run(statement);
    if (GetParam().engine == Engine::mariadb || GetParam().engine == Engine::mysql) {
      run("CREATE TABLE sums.outside (i INT) ENGINE=MyISAM");
      run("INSERT INTO sums.outside VALUES (1)");
    }
  }
  void TearDown() override {
    writing_ = false;
    if (writer_.joinable()) writer_.join();
  }

  bool postgres() const { return GetParam().engine == Engine::postgres; }
  std::string path() const {
    return std::string("/shop/") + GetParam().cluster + (postgres() ? "/pgdumpall.sql" : "/mysqldump.sql");
  }
  std::string table(const std::string& name) const { return (postgres() ? "shop.public." : "sums.") + name; }
  sql::Target primary() {
    auto target = target_of(lab_->member(std::string(GetParam().cluster) + "-0"));
    target.database = database_;
    return target;
  }
  std::string ok(std::vector<std::string> args) {
    const auto done = lab_->holdfast(args);
    EXPECT_EQ(done.exit_code, 0) << args[0] << ": " << done.out << done.err;
    return done.out;
  }
  void run(const std::string& statement) {
    const auto deadline = Deadline::in(seconds(30));
    if (postgres()) {
      auto connection = sql::PostgresConnection::connect(primary(), deadline);
      ASSERT_TRUE(connection) << connection.error().to_string();
      auto done = connection->query(statement, deadline);
      ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
      return;
    }
    auto connection = sql::MariadbConnection::connect(primary(), deadline);
    ASSERT_TRUE(connection) << connection.error().to_string();
    auto done = connection->query(statement, deadline);
    ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
  }
  /// Commits one after the other until the test says so.
  void write() {
    writing_ = true;
    writer_ = std::thread([this, target = primary()] {
      const auto deadline = Deadline::in(seconds(120));
      const std::string statement = postgres() ? "UPDATE busy SET n = n + 1" : "UPDATE sums.busy SET n = n + 1";
      auto mysql = postgres() ? std::nullopt : std::optional(sql::MariadbConnection::connect(target, deadline));
      auto other = postgres() ? std::optional(sql::PostgresConnection::connect(target, deadline)) : std::nullopt;
      while (writing_) {
        const bool done =
            mysql ? (*mysql)->query(statement, deadline).has_value() : (*other)->query(statement, deadline).has_value();
        writes_ += done;
      }
    });
  }
  Value data(const std::string& out) {
    auto value = codec::parse_value(out);
    EXPECT_TRUE(value) << out;
    return value ? (*value)["data"] : Value();
  }
  /// The newest backup with the dump changed by hand, as another cluster's.
  void store_changed(const std::string& from, const std::string& to) {
    std::string dump = ok({"dump", "latest", path(), "-r", repository_});
    const size_t at = dump.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    dump.replace(at, from.size(), to);
    const std::string file = lab_->state_dir() + "/changed" + path().substr(path().rfind('/'));
    fs::create_directories(fs::path(file).parent_path());
    std::ofstream(file) << dump;
    std::ofstream(file + ".json") << ok({"dump", "latest", path() + ".json", "-r", repository_});
    ok({"backup", "--tree", file, "--tree", file + ".json", "-r", repository_, "--tag", "type=backup", "--tag",
        "namespace=shop", "--tag", "cluster=changed", "--tag",
        "engine=" + std::string(cluster::engine_name(GetParam().engine))});
  }
  RunResult restore(const std::string& cluster, const std::string& verify) {
    return lab_->holdfast({"restore", "-c", cluster, "-r", repository_, "--verify", verify, "--into",
                           lab_->state_dir() + "/into" + std::to_string(number_++), "-o", "json"});
  }

  std::optional<LabGuard> lab_;
  std::string repository_, database_;
  std::thread writer_;
  std::atomic<bool> writing_ = false;
  std::atomic<int> writes_ = 0;
  int number_ = 0;
};

TEST_P(VerifyChecksums, FindWhatTheNumberOfRowsDoesNot) {
  // Without them there is nothing to compare.
  ok({"backup", "-c", GetParam().cluster, "-r", repository_});
  const auto refused = restore(GetParam().cluster, "checksums");
  EXPECT_EQ(refused.exit_code, 3) << refused.out;
  EXPECT_NE(refused.out.find("restore.no_checksums"), std::string::npos) << refused.out;
  EXPECT_NE(restore(GetParam().cluster, "files").out.find("restore.verify"), std::string::npos);
  const auto of_files =
      lab_->holdfast({"backup", "--tree", lab_->state_dir(), "--verify=rows", "-r", repository_, "-o", "json"});
  EXPECT_EQ(of_files.exit_code, 2);
  EXPECT_NE(of_files.out.find("backup.verify"), std::string::npos) << of_files.out;

  write();
  const Value report =
      data(ok({"backup", "-c", GetParam().cluster, "-r", repository_, "-i", "0", "--verify=checksums", "-o", "json"}));
  writing_ = false;
  writer_.join();
  EXPECT_GT(writes_, 1) << "rows changed while it was dumped";
  EXPECT_GE(report["checksums"]["tables"].integer(), 3);

  const auto whole = lab_->holdfast(
      {"restore", "-c", GetParam().cluster, "-r", repository_, "--into", lab_->state_dir() + "/whole", "-o", "json"});
  ASSERT_EQ(whole.exit_code, 0) << whole.out << whole.err;
  const Value proof = data(whole.out)["proof"];
  EXPECT_EQ(proof["verified"].text(), "checksums") << "the backup has them, so they are compared";
  EXPECT_EQ(proof["tablesByChecksum"].integer(), report["checksums"]["tables"].integer());
  std::string others;
  for (const char* list : {"onlyCounted", "notCompared"})
    for (const auto& entry : proof[list].items()) others += entry["table"].text() + ": " + entry["why"].text() + "\n";
  EXPECT_EQ(others.find(table("vals")), std::string::npos) << others;
  EXPECT_EQ(others.find(table("busy")), std::string::npos) << others;
  EXPECT_EQ(others.find(table("past")), std::string::npos) << others;
  if (postgres()) {
    EXPECT_NE(others.find(table("stale")), std::string::npos) << others;
  }
  if (GetParam().engine == Engine::mysql || GetParam().engine == Engine::mariadb) {
    EXPECT_NE(others.find("sums.outside: MyISAM"), std::string::npos) << others;
  }

  store_changed("1234.5677", "1234.5675");
  const auto found = restore("changed", "checksums");
  EXPECT_EQ(found.exit_code, 10) << found.out << found.err;
  EXPECT_NE(found.out.find("restore.checksums_differ"), std::string::npos) << found.out;
  EXPECT_NE(found.out.find(table("vals") + ": 3 rows"), std::string::npos) << found.out;
  const auto counted = restore("changed", "rows");
  EXPECT_EQ(counted.exit_code, 0) << counted.out << counted.err;
  EXPECT_EQ(data(counted.out)["proof"]["verified"].text(), "rows");
}

INSTANTIATE_TEST_SUITE_P(Engines, VerifyChecksums,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb"},
                                         Case{Engine::galera, "mariadbd", "shop-galera"},
                                         Case{Engine::mysql, "mysqld", "shop-mysql"},
                                         Case{Engine::postgres, "postgres", "shop-postgres"}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

}  // namespace
}  // namespace holdfast::test
