// holdfast restore --over-sql: the databases of a backup come back on clusters for which the configuration names no
// agent, under their replicas' eyes, with the content they had; and whatever fails leaves what was there.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <functional>
#include <optional>

#include "backup/sql_place.h"
#include "engine/programs.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"
#include "sys/process.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

struct Case {
  Engine engine;
  const char* server;
  const char* cluster;
  size_t members;
};

const std::vector<std::string> kMysql = {
    "CREATE DATABASE erp CHARACTER SET latin1 COLLATE latin1_bin",
    "CREATE TABLE erp.orders (id INT PRIMARY KEY, what VARCHAR(40), f FLOAT)",
    ("CREATE TABLE erp.items (id INT PRIMARY KEY, of_order INT, CONSTRAINT of_order FOREIGN KEY (of_order) REFERENCES "
     "orders (id))"),
    "CREATE TABLE erp.audit (id INT PRIMARY KEY AUTO_INCREMENT, o INT)",
    "CREATE TABLE erp.big (id INT PRIMARY KEY, b MEDIUMBLOB)",
    "CREATE TRIGGER erp.g AFTER INSERT ON erp.orders FOR EACH ROW INSERT INTO erp.audit (o) VALUES (NEW.id)",
    "INSERT INTO erp.orders VALUES (1, 'one', 1234.5678), (2, 'two', 0.1), (3, NULL, NULL)",
    "INSERT INTO erp.items VALUES (10, 1), (11, 2)",
    "INSERT INTO erp.big VALUES (1, REPEAT('x', 300000))",
    "CREATE VIEW erp.z AS SELECT id FROM erp.orders",
    "CREATE VIEW erp.a AS SELECT id FROM erp.z",
    "CREATE FUNCTION erp.next(i INT) RETURNS INT DETERMINISTIC RETURN i + 1",
    "CREATE PROCEDURE erp.p() SELECT ';;' AS x",
    "CREATE EVENT erp.e ON SCHEDULE EVERY 1 YEAR STARTS '2035-01-01 00:00:00' DO DELETE FROM erp.audit"};
/// Of databases: in which one the others are run; "CREATE INDEX" takes two seconds.
const std::vector<std::string> kPostgresServer = {"CREATE ROLE app LOGIN PASSWORD 'x'",
                                                  "CREATE ROLE reader",
                                                  "CREATE DATABASE erp OWNER app",
                                                  "COMMENT ON DATABASE erp IS 'of the shop'",
                                                  "ALTER DATABASE erp SET work_mem = '5MB'",
                                                  "ALTER ROLE app IN DATABASE erp SET work_mem = '6MB'",
                                                  "REVOKE CONNECT ON DATABASE erp FROM PUBLIC",
                                                  "GRANT CONNECT ON DATABASE erp TO reader"};
const std::vector<std::string> kPostgres = {
    "SET ROLE app",
    "CREATE TABLE orders (id serial PRIMARY KEY, what text, f real)",
    "CREATE TABLE items (id int PRIMARY KEY, of_order int REFERENCES orders (id))",
    "CREATE TABLE audit (o int)",
    ("CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.audit VALUES (NEW.id); "
     "RETURN NEW; END'"),
    "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note()",
    "INSERT INTO orders (what, f) VALUES ('one', 1234.5678), ('two', 0.1), (NULL, NULL)",
    "INSERT INTO items VALUES (10, 1), (11, 2)",
    "CREATE VIEW z AS SELECT id FROM orders",
    "CREATE FUNCTION slow(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.1); RETURN i; "
    "END'",
    "CREATE TABLE big AS SELECT i AS id FROM generate_series(1, 20) AS i",
    "CREATE INDEX slow_idx ON big (slow(id))",
    "GRANT SELECT ON orders TO reader"};

class SqlRestore : public testing::TestWithParam<Case> {
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
    for (size_t i = 0; i < GetParam().members; ++i) {
      members_.push_back(lab_->member(fmt::format("{}-{}", GetParam().cluster, i)));
      targets_.push_back(target_of(members_.back()));
    }
    config_ = describe(members_[0]["user"].text(), "passwordFile: " + members_[0]["passwordFile"].text());
    fill();
  }

  bool postgres() const { return GetParam().engine == Engine::postgres; }
  bool galera() const { return GetParam().engine == Engine::galera; }
  bool mysql() const { return GetParam().engine == Engine::mysql; }

  /// The same servers as somebody has them who runs no agent; `only`: of all members.
  std::string describe(const std::string& user, const std::string& password,
                       std::optional<size_t> only = std::nullopt) {
    const std::string file = fmt::format("{}/erp-{}.yaml", lab_->state_dir(), ++described_);
    std::string text = fmt::format(
        "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata: {{name: erp, namespace: prod}}\nspec:\n"
        "  engine: {}\n  provider: external\n  credentials:\n    user: {}\n    {}\n  members:\n",
        cluster::engine_name(GetParam().engine), user, password);
    for (size_t i = 0; i < members_.size(); ++i)
      if (!only || *only == i)
        text += fmt::format("    - {{name: erp-{}, host: 127.0.0.1, port: {}}}\n", i, members_[i]["port"].integer());
    EXPECT_TRUE(sys::publish_file(file, as_bytes(text), 0600));
    return file;
  }

  std::string ok(std::vector<std::string> args) {
    const auto done = lab_->holdfast(args);
    EXPECT_EQ(done.exit_code, 0) << args[0] << ": " << done.out << done.err;
    return done.out;
  }
  std::vector<std::string> command(std::vector<std::string> more, const std::string& config = "") const {
    std::vector<std::string> args = {"restore",    "-c", "erp",      "--config", config.empty() ? config_ : config,
                                     "--over-sql", "-r", repository_};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  /// Its data; with `id` it must be refused or fail like that.
  Value restore(std::vector<std::string> more, int exit_code = 0, const std::string& id = "",
                const std::string& config = "") {
    more.insert(more.end(), {"-o", "json"});
    const auto done = lab_->holdfast(command(std::move(more), config));
    EXPECT_EQ(done.exit_code, exit_code) << done.out << done.err;
    const Value report = codec::parse_value(done.out).value_or(Value());
    if (!id.empty()) {
      error_ = report["errors"].items().empty() ? Value() : report["errors"].items()[0];
      EXPECT_EQ(error_["id"].text(), id) << done.out << done.err;
    }
    return report["data"];
  }
  void backup() { ok({"backup", "-c", "erp", "--config", config_, "-r", repository_, "--verify=checksums"}); }

  std::string ask_in(const std::string& database, const std::string& statement, size_t member = 0) {
    auto target = targets_[member];
    if (postgres()) target.database = database;
    return ask(GetParam().engine, target, statement);
  }
  void run(const std::vector<std::string>& statements, const std::string& database = "postgres") {
    auto target = targets_[0];
    const auto all = [&](auto&& connection) {
      ASSERT_TRUE(connection) << connection.error().to_string();
      for (const auto& statement : statements) {
        const auto done = connection->query(statement, Deadline::in(seconds(60)));
        ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
      }
    };
    if (postgres()) {
      target.database = database;
      all(sql::PostgresConnection::connect(target, Deadline::in(seconds(20))));
    } else {
      all(sql::MariadbConnection::connect(target, Deadline::in(seconds(20))));
    }
  }
  void fill() {
    if (postgres()) {
      run(kPostgresServer);
      run(kPostgres, "erp");
    } else {
      run(kMysql);
    }
  }
  /// Other content than the backup's, with the same things in it.
  void change() {
    run({"DELETE FROM " + std::string(postgres() ? "" : "erp.") + "items WHERE id = 10",
         "UPDATE " + std::string(postgres() ? "" : "erp.") + "orders SET what = 'changed' WHERE id = 2"},
        "erp");
  }

  /// Rows, definitions, and what belongs to the database itself.
  std::string content(size_t member = 0) {
    std::string text;
    const auto add = [&](const std::string& statement) { text += ask_in("erp", statement, member) + "\n"; };
    if (postgres()) {
      for (const char* table : {"orders", "items", "audit", "big"})
        add(fmt::format("SELECT string_agg(t::text, ';' ORDER BY t::text) FROM {} t", table));
      add("SELECT string_agg(pg_get_functiondef(oid) || proowner::regrole, ';' ORDER BY proname) FROM pg_proc WHERE "
          "pronamespace = 'public'::regnamespace");
      add("SELECT string_agg(pg_get_triggerdef(oid), ';' ORDER BY tgname) FROM pg_trigger WHERE NOT tgisinternal");
      add("SELECT string_agg(relname || relowner::regrole || coalesce(relacl::text, ''), ';' ORDER BY relname) FROM "
          "pg_class WHERE relnamespace = 'public'::regnamespace");
      add("SELECT pg_get_viewdef('z'::regclass)");
      add("SELECT datdba::regrole || ' ' || (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(datacl) a) "
          "|| shobj_description(oid, 'pg_database') FROM "
          "pg_database WHERE datname = 'erp'");
      add("SELECT string_agg(setrole || array_to_string(setconfig, ','), ';' ORDER BY setrole) FROM pg_db_role_setting "
          "s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = 'erp'");
      return text;
    }
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', id, what, f) ORDER BY id) FROM erp.orders");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', id, of_order) ORDER BY id) FROM erp.items");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', id, o) ORDER BY id) FROM erp.audit");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', id, SHA2(b, 256)) ORDER BY id) FROM erp.big");
    add("SELECT GROUP_CONCAT(id ORDER BY id) FROM erp.a");
    add("SELECT erp.next(4)");
    add("SELECT CONCAT(DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'erp'");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', TABLE_NAME, VIEW_DEFINITION, DEFINER) ORDER BY 1) FROM "
        "information_schema.VIEWS WHERE TABLE_SCHEMA = 'erp'");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', TRIGGER_NAME, ACTION_STATEMENT, DEFINER, SQL_MODE, CHARACTER_SET_CLIENT) "
        "ORDER BY 1) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'erp'");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', ROUTINE_NAME, ROUTINE_DEFINITION, DEFINER, SQL_MODE, DATABASE_COLLATION) "
        "ORDER BY 1) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'erp'");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', EVENT_NAME, EVENT_DEFINITION, DEFINER) ORDER BY 1) FROM "
        "information_schema.EVENTS WHERE EVENT_SCHEMA = 'erp'");
    add("SELECT GROUP_CONCAT(CONCAT_WS('|', TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME) ORDER BY 1) FROM "
        "information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'erp'");
    return text;
  }
  void expect_on_replicas(const std::string& wanted) {
    for (size_t i = 1; i < members_.size(); ++i) {
      (void)sys::wait_until([&] { return content(i) == wanted; }, Deadline::in(seconds(60)));
      EXPECT_EQ(content(i), wanted) << "member " << i;
    }
  }
  std::string databases() {
    return ask_in("postgres", postgres() ? "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database"
                                         : "SELECT GROUP_CONCAT(SCHEMA_NAME ORDER BY SCHEMA_NAME SEPARATOR ' ') FROM "
                                           "information_schema.SCHEMATA");
  }
  void expect_no_remains() { EXPECT_EQ(databases().find("holdfast"), std::string::npos) << databases(); }
  bool is_there() { return (" " + databases() + " ").find(" erp ") != std::string::npos; }
  void drop() {
    // A member's agent, or a look of a test before, may be in it for a moment.
    run({postgres() ? "DROP DATABASE erp WITH (FORCE)" : "DROP DATABASE erp"});
  }

  /// A statement of the load fails from here on.
  std::vector<std::string> failing() {
    if (postgres()) return {"--statement-limit", "1s"};
    run({"SET GLOBAL max_allowed_packet = 204800"});
    return {};
  }
  void work_again() {
    if (!postgres()) run({"SET GLOBAL max_allowed_packet = 67108864"});
  }

  /// The command in a process of its own, signalled as soon as the load has begun. Its exit code, 128 + signal.
  int signalled(int signal, std::vector<std::string> more) {
    std::vector<std::string> argv = {holdfast_binary()};
    for (const auto& part : command(std::move(more))) argv.push_back(part);
    argv.insert(argv.end(), {"--state-dir", lab_->state_dir()});
    sys::Command started{.argv = argv};
    started.out = sys::Stdio::null();
    started.err = sys::Stdio::null();
    started.die_with_parent = SIGKILL;
    auto process = sys::spawn(started);
    if (!process) return -1;
    // The load of MariaDB and MySQL takes some tenths of a second.
    std::optional<sql::MariadbConnection> watch;
    if (!postgres()) watch.emplace(sql::MariadbConnection::connect(targets_[0], Deadline::in(seconds(20))).value());
    const auto loads = [&] {
      if (postgres())
        return ask_in("postgres",
                      "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'holdfast%' AND query LIKE "
                      "'CREATE INDEX%'") == "1";
      const auto stage = watch->query("SELECT stage FROM holdfast_restore.unfinished", Deadline::in(seconds(20)));
      return stage && stage->text("stage") == "moved";
    };
    const auto end = Deadline::in(seconds(60));
    while (!loads() && !end.passed() && !process->poll()) {
    }
    EXPECT_FALSE(process->poll()) << "it ended before";
    (void)process->signal(signal);
    const auto status = process->wait(Deadline::in(seconds(60)));
    EXPECT_TRUE(status);
    return status && status->signal == 0 ? status->code : 128 + (status ? status->signal : 0);
  }

  std::optional<LabGuard> lab_;
  std::string repository_, config_;
  std::vector<Value> members_;
  std::vector<sql::Target> targets_;
  Value error_;
  int described_ = 0;
};

TEST_P(SqlRestore, BringsBackAbsentDatabasesAndThoseAcceptedByName) {
  const std::string before = content();
  run({"CREATE DATABASE crm"});
  backup();
  drop();
  const auto created = restore({"--database", "erp"});
  EXPECT_EQ(created["created"].items().at(0).text(), "erp");
  EXPECT_EQ(created["proof"]["verified"].text(), "checksums");
  EXPECT_GE(created["proof"]["tablesByChecksum"].integer(), 4);
  EXPECT_TRUE(created["proof"]["endMarker"].boolean());
  EXPECT_GE(created["proof"]["objects"].integer(), 7);
  EXPECT_NE(codec::to_json(created["notDone"]).find("holdfast compare -c erp"), std::string::npos);
  EXPECT_EQ(content(), before);
  expect_on_replicas(before);
  expect_no_remains();

  change();
  const std::string changed = content();
  ASSERT_NE(changed, before);
  restore({"--database", "erp"}, 3, "restore.replace_database");
  EXPECT_NE(error_["hint"].text().find("--accept=replace-database:erp"), std::string::npos);
  restore({"--database", "erp", "--accept=replace-database"}, 3, "restore.replace_database");
  restore({"--database", "erp", "--accept=replace-database:crm"}, 3, "restore.replace_database");
  restore({"--accept=replace-database:erp"}, 3, "restore.replace_database");
  EXPECT_NE(error_["message"].text().find("crm"), std::string::npos) << error_["message"].text();
  const auto dry = restore({"--database", "erp", "--accept=replace-database:erp", "--dry-run"});
  EXPECT_EQ(dry["replaced"].items().at(0).text(), "erp");
  EXPECT_EQ(content(), changed);

  run({"CREATE DATABASE other"});
  const std::string all = databases();
  const auto replaced = restore({"--database", "erp", "--accept=replace-database:erp"});
  EXPECT_EQ(replaced["replaced"].items().at(0).text(), "erp");
  EXPECT_TRUE(replaced["kept"].items().empty());
  EXPECT_EQ(content(), before);
  expect_on_replicas(before);
  EXPECT_EQ(databases(), all);
}

TEST_P(SqlRestore, AFailureLeavesWhatWasThere) {
  backup();
  change();
  const std::string changed = content();
  auto flags = failing();
  flags.insert(flags.end(), {"--database", "erp"});
  auto accepting = flags;
  accepting.push_back("--accept=replace-database:erp");
  const auto failed = lab_->holdfast(command(accepting));
  EXPECT_EQ(failed.exit_code, 8) << failed.out << failed.err;
  EXPECT_NE(failed.err.find("what was there is back"), std::string::npos) << failed.err;
  EXPECT_EQ(content(), changed);
  expect_on_replicas(changed);
  expect_no_remains();
  run({postgres() ? "INSERT INTO orders (what) VALUES ('new')" : "INSERT INTO erp.orders VALUES (4, 'new', 0)"}, "erp");
  EXPECT_EQ(ask_in("erp", postgres() ? "SELECT max(o) FROM audit" : "SELECT MAX(o) FROM erp.audit"), "4")
      << "its trigger is there";

  drop();
  const auto absent = lab_->holdfast(command(flags));
  EXPECT_EQ(absent.exit_code, 8) << absent.out << absent.err;
  EXPECT_FALSE(is_there()) << databases();
  expect_no_remains();
  work_again();
}

/// As many rows as the backup has, and one other value: the proof is made while the old content is there.
TEST_P(SqlRestore, ADifferentValueIsFoundAndLeavesWhatWasThere) {
  backup();
  const std::string path = std::string("/prod/erp/") + (postgres() ? "pgdumpall.sql" : "mysqldump.sql"),
                    file = lab_->state_dir() + "/changed" + path.substr(path.rfind('/'));
  std::string dump = ok({"dump", "latest", path, "-r", repository_});
  const std::string from = postgres() ? "10\t1\n" : "(10,1)", to = postgres() ? "10\t2\n" : "(10,2)";
  const size_t at = dump.find(from);
  ASSERT_NE(at, std::string::npos) << dump;
  dump.replace(at, from.size(), to);
  std::filesystem::create_directories(std::filesystem::path(file).parent_path());
  ASSERT_TRUE(sys::publish_file(file, as_bytes(dump), 0600));
  const std::string sidecar = ok({"dump", "latest", path + ".json", "-r", repository_});
  ASSERT_TRUE(sys::publish_file(file + ".json", as_bytes(sidecar), 0600));
  ok({"backup", "--tree", file, "--tree", file + ".json", "-r", repository_, "--tag", "type=backup", "--tag",
      "namespace=prod", "--tag", "cluster=erp", "--tag",
      "engine=" + std::string(cluster::engine_name(GetParam().engine))});
  change();
  const std::string changed = content();
  restore({"--database", "erp", "--accept=replace-database:erp"}, 10, "restore.checksums_differ");
  EXPECT_NE(error_["message"].text().find("erp."), std::string::npos) << error_["message"].text();
  EXPECT_EQ(error_["message"].text().find("holdfast_restore"), std::string::npos) << error_["message"].text();
  EXPECT_EQ(content(), changed);
  expect_no_remains();
}

TEST_P(SqlRestore, AnInterruptLeavesWhatWasThere) {
  backup();
  change();
  const std::string changed = content();
  EXPECT_EQ(signalled(SIGINT, {"--database", "erp", "--accept=replace-database:erp"}), 130);
  EXPECT_EQ(content(), changed);
  expect_no_remains();
}

TEST_P(SqlRestore, WhatAKilledOneLeftIsKnownAndUndone) {
  const std::string before = content();
  backup();
  change();
  const std::string changed = content();
  EXPECT_EQ(signalled(SIGKILL, {"--database", "erp", "--accept=replace-database:erp"}), 128 + SIGKILL);
  EXPECT_NE(databases().find("holdfast_restore"), std::string::npos);
  // The server may still be busy with the statement of the connection that is gone.
  const auto others = [&] {
    return ask_in("postgres", postgres()
                                  ? "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'holdfast%'"
                                  : "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = 'erp'") == "0";
  };
  (void)sys::wait_until(others, Deadline::in(seconds(30)));
  restore({"--database", "erp", "--accept=replace-database:erp"}, 3, "restore.unfinished");
  EXPECT_NE(error_["hint"].text().find("--accept=undo-restore"), std::string::npos);
  restore({"--database", "erp", "--accept=undo-restore", "--dry-run"}, 3, "restore.unfinished");
  restore({"--database", "erp", "--accept=undo-restore"}, 3, "restore.replace_database");
  EXPECT_EQ(content(), changed) << "the old content is back";
  expect_no_remains();
  restore({"--database", "erp", "--accept=replace-database:erp"});
  EXPECT_EQ(content(), before);
  expect_on_replicas(before);
}

TEST_P(SqlRestore, WhatItCannotDoIsRefusedBeforeAnythingIsChanged) {
  backup();
  const std::string before = content();
  const std::vector<std::string> flags = {"--database", "erp", "--accept=replace-database:erp"};
  {
    auto target = targets_[0];
    target.database = "erp";
    std::optional<sql::PostgresConnection> one;
    std::optional<sql::MariadbConnection> other;
    if (postgres())
      one.emplace(sql::PostgresConnection::connect(target, Deadline::in(seconds(20))).value());
    else
      other.emplace(sql::MariadbConnection::connect(target, Deadline::in(seconds(20))).value());
    restore(flags, 3, "restore.database_in_use");
  }
  restore({"--database", "nothing"}, 3, "restore.no_databases");
  restore({"--database", postgres() ? "postgres" : "mysql"}, 3, "restore.no_databases");
  if (!galera()) {
    restore(flags, 6, "restore.no_primary",
            describe(members_[0]["user"].text(), "passwordFile: " + members_[0]["passwordFile"].text(), 1));
    // As long as another one holds the lock.
    if (postgres()) {
      auto holder = sql::PostgresConnection::connect(targets_[0], Deadline::in(seconds(20))).value();
      ASSERT_TRUE(holder.query("SELECT pg_advisory_lock(7525352722054311796)", Deadline::in(seconds(20))));
      restore(flags, 7, "restore.in_progress");
    } else {
      auto holder = sql::MariadbConnection::connect(targets_[0], Deadline::in(seconds(20))).value();
      ASSERT_TRUE(holder.query("SELECT GET_LOCK('holdfast_restore', 1)", Deadline::in(seconds(20))));
      restore(flags, 7, "restore.in_progress");
    }
  }
  if (!postgres()) {
    run({"CREATE DATABASE other", "CREATE TABLE other.t (o INT, FOREIGN KEY (o) REFERENCES erp.orders (id))"});
    restore(flags, 3, "restore.database_in_use");
    EXPECT_NE(error_["message"].text().find("other.t"), std::string::npos);
    run({"DROP DATABASE other", "CREATE DATABASE holdfast_restore_7", "CREATE TABLE holdfast_restore_7.t (i INT)"});
    auto undo = flags;
    undo.push_back("--accept=undo-restore");
    restore(flags, 3, "restore.unfinished");
    restore(undo, 9, "restore.not_undone");
    run({"DROP DATABASE holdfast_restore_7"});
  }

  for (const auto& more :
       std::vector<std::vector<std::string>>{{"--into", lab_->state_dir() + "/x"}, {"--server-settings"}})
    restore(more, 2, "cli.conflict");
  const auto by_agents =
      lab_->holdfast({"restore", "-c", GetParam().cluster, "--over-sql", "-r", repository_, "-o", "json"});
  EXPECT_EQ(by_agents.exit_code, 3) << by_agents.err;
  EXPECT_NE(by_agents.out.find("\"restore.over_sql\""), std::string::npos) << by_agents.out;
  const auto without = lab_->holdfast({"restore", "-c", "erp", "--config", config_, "-r", repository_});
  EXPECT_EQ(without.exit_code, 3) << without.err;
  EXPECT_NE(without.err.find("--over-sql"), std::string::npos) << without.err;
  const auto alone = lab_->holdfast({"restore", "-c", "erp", "--database", "erp", "-r", repository_});
  EXPECT_EQ(alone.exit_code, 2) << alone.err;
  EXPECT_EQ(content(), before);
  expect_no_remains();
}

TEST_P(SqlRestore, AnAccountWithTheRightsItTakesIsEnough) {
  if (!postgres())
    run({"CREATE USER gone@'%' IDENTIFIED BY 'x'", "CREATE DEFINER=gone@'%' VIEW erp.of_gone AS SELECT 1 AS x"});
  const std::string before = content();
  backup();
  drop();
  ::setenv("ERP_PASSWORD", "x", 1);
  const std::string config = describe("keeper", "passwordEnv: ERP_PASSWORD");
  const std::vector<std::string> flags = {"--database", "erp"};
  if (postgres()) {
    run({"CREATE ROLE keeper LOGIN PASSWORD 'x'", "GRANT pg_monitor TO keeper", "DROP ROLE reader"});
    restore(flags, 3, "restore.missing_roles", config);
    EXPECT_NE(error_["hint"].text().find("CREATE ROLE \"reader\";"), std::string::npos) << error_["hint"].text();
    run({"CREATE ROLE reader"});
    restore(flags, 3, "restore.missing_rights", config);
    EXPECT_NE(error_["hint"].text().find(
                  "ALTER ROLE keeper CREATEDB; GRANT \"app\" TO keeper; ALTER ROLE keeper CREATEROLE;"),
              std::string::npos)
        << error_["hint"].text();
    run({"ALTER ROLE keeper CREATEDB CREATEROLE", "GRANT app TO keeper WITH ADMIN OPTION"});
  } else {
    run({"CREATE USER keeper@'%' IDENTIFIED BY 'x'",
         mysql() ? "GRANT REPLICATION CLIENT ON *.* TO keeper@'%'" : "GRANT REPLICA MONITOR ON *.* TO keeper@'%'",
         "GRANT SELECT ON mysql.* TO keeper@'%'", "DROP USER gone@'%'"});
    restore(flags, 3, "restore.missing_roles", config);
    EXPECT_NE(error_["hint"].text().find("CREATE USER `gone`@`%`;"), std::string::npos) << error_["hint"].text();
    run({"CREATE USER gone@'%' IDENTIFIED BY 'x'"});
    restore(flags, 3, "restore.missing_rights", config);
    const std::string hint = error_["hint"].text();
    EXPECT_NE(hint.find("ON `erp`.* TO `keeper`@`%`;"), std::string::npos) << hint;
    EXPECT_NE(hint.find("ON `holdfast\\_restore%`.* TO `keeper`@`%`;"), std::string::npos) << hint;
    // As the hint says it.
    const std::string statements = hint.substr(hint.find(": ") + 2);
    for (size_t at = 0; at < statements.size();) {
      const size_t end = statements.find(';', at);
      run({statements.substr(at, end - at)});
      at = std::min(statements.find_first_not_of(' ', end + 1), statements.size());
    }
  }
  EXPECT_FALSE(is_there());
  restore(flags, 0, "", config);
  EXPECT_EQ(content(), before);
  expect_on_replicas(before);
  change();
  if (mysql()) run({"GRANT SHOW_ROUTINE ON *.* TO keeper@'%'"});
  restore({"--database", "erp", "--accept=replace-database:erp"}, 0, "", config);
  EXPECT_EQ(content(), before);
  ::unsetenv("ERP_PASSWORD");
  expect_no_remains();
}

/// What is in the way since it was looked at is never overwritten.
TEST_P(SqlRestore, ADatabaseThatAppearsMeanwhileIsLeftAlone) {
  const auto opened =
      postgres() ? backup::open_postgres_place(targets_[0], {}) : backup::open_mysql_place(targets_[0], {});
  ASSERT_TRUE(opened) << opened.error().to_string();
  auto& place = **opened;
  ASSERT_TRUE(place.look());
  backup::DumpedDatabase database;
  database.name = "late";
  database.create = postgres() ? "CREATE DATABASE late" : "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `late`";
  backup::PlaceRequest request;
  request.databases = {&database};
  const auto make = [&] {
    run({"CREATE DATABASE late"});
    run({postgres() ? "CREATE TABLE theirs (i int)" : "CREATE TABLE late.theirs (i INT)"}, "late");
  };
  if (!postgres()) make();
  auto appeared = place.prepare(request);
  if (postgres()) {
    ASSERT_TRUE(appeared) << appeared.error().to_string();
    make();
    auto published = place.publish();
    ASSERT_FALSE(published);
    appeared = fail(std::move(published).error());
  }
  ASSERT_FALSE(appeared);
  EXPECT_EQ(appeared.error().id, "restore.database_appeared");
  EXPECT_TRUE(place.undo());
  EXPECT_EQ(ask_in("late", postgres() ? "SELECT count(*) FROM theirs" : "SELECT COUNT(*) FROM late.theirs"), "0");
  expect_no_remains();
}

const auto engine_of = [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); };
INSTANTIATE_TEST_SUITE_P(Engines, SqlRestore,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb", 2},
                                         Case{Engine::galera, "mariadbd", "shop-galera", 2},
                                         Case{Engine::mysql, "mysqld", "shop-mysql", 2},
                                         Case{Engine::postgres, "postgres", "shop-postgres", 2}),
                         engine_of);

}  // namespace
}  // namespace holdfast::test
