// Objects and values that mariadb-dump and mysqldump do not carry, or not exactly: backed up from a replica, restored
// in place, into a directory, and loaded from an export by the plain client, they are what they were.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "engine/programs.h"
#include "sql/mariadb.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

using Shown = std::map<std::string, std::string>;  // by query

const char* const kTables =
    "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN "
    "('zoo','azoo','frozen','zoo.a','Zoo','azoo2') AND "
    "TABLE_TYPE IN ('BASE TABLE','SYSTEM VERSIONED') ORDER BY 1, 2";
// Whatever its value, a column is shown as the bytes the server keeps.
const char* const kColumns =
    "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '%s' AND TABLE_NAME = '%s' "
    "ORDER BY ORDINAL_POSITION";

const std::vector<std::string> kBoth = {
    ("SELECT EVENT_SCHEMA, EVENT_NAME, STATUS, DEFINER, TIME_ZONE, SQL_MODE, INTERVAL_VALUE, INTERVAL_FIELD, STARTS, "
     "ENDS, "
     "EXECUTE_AT, ON_COMPLETION, EVENT_COMMENT, HEX(EVENT_DEFINITION), CREATED FROM information_schema.EVENTS ORDER "
     "BY 1, "
     "2"),
    "SELECT Server_name, Host, Db, Username, Password, Port, Socket, Wrapper, Owner FROM mysql.servers",
    "SELECT * FROM mysql.plugin ORDER BY 1",
    "SELECT * FROM mysql.func",
    ("SELECT ROUTINE_NAME, ROUTINE_TYPE, HEX(ROUTINE_COMMENT), SQL_MODE FROM information_schema.ROUTINES WHERE "
     "ROUTINE_SCHEMA = 'zoo' ORDER BY 1, 2"),
    "SELECT TRIGGER_NAME, ACTION_ORDER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'zoo' ORDER BY 1",
    ("SELECT TRIGGER_SCHEMA, TRIGGER_NAME, HEX(ACTION_STATEMENT), SQL_MODE, DEFINER, DATABASE_COLLATION FROM "
     "information_schema.TRIGGERS "
     "WHERE "
     "TRIGGER_SCHEMA <> 'sys' ORDER BY 1, 2"),
    "SELECT TABLE_SCHEMA, TABLE_NAME, DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'zoo' ORDER BY 1, 2",
    "SELECT variable, value FROM sys.sys_config ORDER BY 1",
    "SELECT INDEX_NAME, COMMENT FROM information_schema.STATISTICS WHERE TABLE_NAME = 'disabled_keys' ORDER BY 1",
    "SELECT i, CAST(f AS DOUBLE), d FROM mysql.own_numbers ORDER BY 1",
};
const std::vector<std::string> kMysql = {
    "SELECT LIBRARY_NAME, LIBRARY_DEFINITION, LANGUAGE, LIBRARY_COMMENT FROM information_schema.LIBRARIES ORDER BY 1",
    "SELECT * FROM mysql.default_roles ORDER BY 1, 2, 3, 4",
    "SELECT * FROM mysql.global_grants WHERE USER LIKE 'odd%' ORDER BY 1, 2, 3",
    "SELECT Host, User, HEX(Password), Password_timestamp FROM mysql.password_history ORDER BY 1, 2, 3",
    ("SELECT Host, Db, User, Table_name, Column_name FROM mysql.columns_priv WHERE Column_name <> 'gone' ORDER BY 1, "
     "2, 3"),
    "SELECT User, Host, plugin, x509_subject FROM mysql.user WHERE User LIKE 'odd%' ORDER BY 1",
    "SELECT User, password_expired, password_lifetime FROM mysql.user WHERE User LIKE 'odd%'",
    "SELECT * FROM information_schema.ST_SPATIAL_REFERENCE_SYSTEMS WHERE SRS_ID = 990001",
    "SELECT NAME, SPACE_TYPE FROM information_schema.INNODB_TABLESPACES WHERE NAME LIKE '%own%' ORDER BY 1",
    "SELECT * FROM information_schema.RESOURCE_GROUPS ORDER BY 1",
    "SELECT component_urn FROM mysql.component ORDER BY 1",
    ("SELECT SCHEMA_NAME, TABLE_NAME, COLUMN_NAME, JSON_REMOVE(HISTOGRAM, '$.\"last-updated\"') FROM "
     "information_schema.COLUMN_STATISTICS ORDER BY 1, 2, 3"),
    "SELECT * FROM information_schema.SCHEMATA_EXTENSIONS WHERE OPTIONS <> ''",
    "SELECT cost_name, cost_value, comment FROM mysql.server_cost WHERE cost_value IS NOT NULL",
    "SELECT engine_name, cost_name, cost_value FROM mysql.engine_cost WHERE cost_value IS NOT NULL",
    ("SELECT i, JSON_TYPE(j), JSON_STORAGE_SIZE(j), JSON_TYPE(JSON_EXTRACT(j, '$.a')), JSON_TYPE(JSON_EXTRACT(j, "
     "'$[1]')) "
     "FROM zoo.json_values ORDER BY 1"),
    "SELECT i, JSON_TYPE(j->'$.a'), j FROM mysql.own_documents",
};
const std::vector<std::string> kMariadb = {
    ("SELECT SCHEMA_NAME, SCHEMA_COMMENT, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME <> "
     "'mysql' ORDER BY BINARY SCHEMA_NAME"),
    "SELECT i, t, row_start, row_end FROM zoo.history FOR SYSTEM_TIME ALL ORDER BY 1, 3",
    "SELECT i, t, row_start, row_end FROM zoo.momentary FOR SYSTEM_TIME ALL WHERE row_start < row_end ORDER BY 3",
    "SELECT * FROM zoo.history_named FOR SYSTEM_TIME ALL ORDER BY 1, 2",
    "SELECT i, f+0, row_start, row_end FROM zoo.float_history FOR SYSTEM_TIME ALL ORDER BY 1, 3",
    ("SELECT NEXT_NOT_CACHED_VALUE, MINIMUM_VALUE, MAXIMUM_VALUE, START_VALUE, INCREMENT, CACHE_SIZE, CYCLE_OPTION "
     "FROM "
     "zoo.zs"),
    "SELECT * FROM zoo.rounds UNION ALL SELECT * FROM zoo.`down'`",
    "SELECT COLUMN_DEFAULT FROM information_schema.COLUMNS WHERE COLUMN_DEFAULT LIKE '%nextval%'",
    ("SELECT db_name, table_name, column_name, min_value, max_value, HEX(histogram) FROM mysql.column_stats ORDER BY "
     "1, 2, "
     "3"),
    ("SELECT ROUTINE_SCHEMA, ROUTINE_NAME, ROUTINE_TYPE, HEX(ROUTINE_DEFINITION) FROM information_schema.ROUTINES "
     "WHERE "
     "ROUTINE_SCHEMA = 'zoo' ORDER BY 1, 2, 3"),
};

std::string rows_text(const sql::Rows& rows) {
  std::string text;
  for (const auto& row : rows.rows) {
    for (const auto& value : row) text += value.value_or("NULL") + " | ";
    text += "\n";
  }
  return text;
}

class Server {
 public:
  explicit Server(const sql::Target& target) {
    auto connection = sql::MariadbConnection::connect(target, Deadline::in(seconds(30)));
    EXPECT_TRUE(connection) << connection.error().to_string();
    if (connection) connection_.emplace(std::move(*connection));
    run("SET time_zone = '+00:00'");
  }
  std::string run(const std::string& statement) {
    if (!connection_) return "not connected";
    auto rows = connection_->query(statement, Deadline::in(seconds(60)));
    return rows ? rows_text(*rows) : rows.error().to_string();
  }
  sql::Rows rows(const std::string& statement) {
    auto rows = connection_ ? connection_->query(statement, Deadline::in(seconds(60))) : Result<sql::Rows>(sql::Rows{});
    EXPECT_TRUE(rows) << statement << ": " << rows.error().to_string();
    return rows ? std::move(*rows) : sql::Rows{};
  }

  /// Everything there is to compare. Rows of MEMORY tables stay out where a server was not filled with them.
  Shown show(Engine engine) {
    Shown shown;
    for (const auto& query : kBoth) shown[query] = run(query);
    for (const auto& query : engine == Engine::mysql ? kMysql : kMariadb) shown[query] = run(query);
    const auto tables = rows(kTables);
    for (const auto& row : tables.rows) {
      const std::string name = sql::quote_mysql_name(*row[0]) + "." + sql::quote_mysql_name(*row[1]);
      shown["SHOW CREATE TABLE " + name] = run("SHOW CREATE TABLE " + name);
      if (*row[1] == "discarded") continue;  // it has none, and is an empty table when it is restored
      char query[512];
      std::snprintf(query, sizeof query, kColumns, row[0]->c_str(), row[1]->c_str());
      std::string select;
      for (const auto& column : rows(query).rows) {
        if (*row[1] == "history_trx" && *column[0] != "i") continue;  // numbers of transactions of this very server
        const std::string quoted = sql::quote_mysql_name(*column[0]);
        const std::string& type = *column[1];
        select += (select.empty() ? "" : ",") + (type == "float" || type == "double" ? "CAST(" + quoted + " AS DOUBLE)"
                                                 : type == "enum" || type == "set" || type == "bit" ? quoted + "+0"
                                                 : type == "json" || type == "date" || type == "datetime"
                                                     ? quoted
                                                     : "HEX(" + quoted + ")");
      }
      shown["rows of " + name] = run("SELECT " + select + " FROM " + name + " ORDER BY 1");
    }
    return shown;
  }

 private:
  std::optional<sql::MariadbConnection> connection_;
};

void expect_equal(const Shown& was, const Shown& is, const std::string& where) {
  for (const auto& [query, text] : was) {
    const auto found = is.find(query);
    EXPECT_EQ(found == is.end() ? "missing" : found->second, text) << where << ": " << query;
  }
}

/// A server of our own on a data directory, ended with the object.
class OwnServer {
 public:
  OwnServer(Engine engine, const std::string& data, const std::string& folder) {
    socket_ = folder + "/own.sock";
    sys::Command command;
    const auto program = engine::find_program(engine, engine == Engine::mysql ? "mysqld" : "mariadbd");
    command.argv = {*program,
                    "--no-defaults",
                    "--datadir=" + data,
                    "--socket=" + socket_,
                    "--skip-networking",
                    "--pid-file=" + folder + "/own.pid",
                    "--log-error=" + folder + "/own.log",
                    "--innodb-flush-log-at-trx-commit=0",
                    "--event-scheduler=OFF",
                    "--skip-log-bin",
                    "--character-set-server=utf8mb4"};
    if (engine == Engine::mysql) command.argv.push_back("--mysqlx=OFF");
    if (::geteuid() == 0) command.argv.push_back("--user=root");
    command.die_with_parent = SIGKILL;
    command.out = command.err = sys::Stdio::null();
    auto process = sys::spawn(command);
    EXPECT_TRUE(process) << process.error().to_string();
    if (process) process_.emplace(std::move(*process));
  }
  ~OwnServer() {
    if (!process_) return;
    (void)process_->kill();
    (void)process_->wait(Deadline::in(seconds(20)), {});
  }
  sql::Target target(const std::string& user, const std::string& password) {
    sql::Target target;
    target.socket = socket_;
    target.user = user;
    target.password = Secret(password);
    const auto up =
        sys::wait_until([&] { return sql::MariadbConnection::connect(target, Deadline::in(seconds(2))).has_value(); },
                        Deadline::in(seconds(60)));
    EXPECT_TRUE(up && *up) << "the server on the restored directory does not answer";
    return target;
  }
  const std::string& socket() const { return socket_; }

 private:
  std::string socket_;
  std::optional<sys::Process> process_;
};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

class FidelityObjects : public testing::TestWithParam<Engine> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED(std::string(cluster::engine_name(GetParam())),
                  engine::find_program(GetParam(), mysql() ? "mysqld" : "mariadbd").has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    const auto up = lab_->holdfast({"lab", "up", cluster()});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    const auto init = lab_->holdfast({"repo", "init", "-r", repository_});
    ASSERT_EQ(init.exit_code, 0) << init.err;
  }
  bool mysql() const { return GetParam() == Engine::mysql; }
  std::string cluster() const { return mysql() ? "shop-mysql" : "shop-mariadb"; }
  sql::Target member(size_t i) { return target_of(lab_->member(cluster() + "-" + std::to_string(i))); }

  /// Statements from a file by the engine's plain client.
  RunResult load(const sql::Target& target, const std::string& file, bool options_of_an_export = false) {
    const std::string client = *engine::find_program(GetParam(), mysql() ? "mysql" : "mariadb");
    const std::string options = lab_->state_dir() + "/client.cnf";
    std::ofstream(options) << "[client]\nuser=" << target.user << "\npassword=" << target.password.reveal() << "\n"
                           << (target.socket.empty()
                                   ? "protocol=tcp\nhost=" + target.host + "\nport=" + std::to_string(target.port)
                                   : "socket=" + target.socket)
                           << "\n";
    return run_program({"/bin/sh", "-c",
                        client + " --defaults-file=" + options + " --default-character-set=utf8mb4" +
                            (options_of_an_export ? " --binary-mode" : "") + " < " + file});
  }

  std::optional<LabGuard> lab_;
  std::string repository_;
};

std::vector<std::string> on_each_server(bool mysql) {
  if (!mysql)
    return {"INSTALL SONAME 'ha_archive'", "SET GLOBAL innodb_strict_mode = OFF", "SET GLOBAL time_zone = '+05:00'",
            "STOP SLAVE", "START SLAVE"};
  return {"SET GLOBAL mandatory_roles = 'must_have'",
          "SET GLOBAL innodb_strict_mode = OFF",
          "SET GLOBAL time_zone = '+05:00'",
          "SET GLOBAL show_gipk_in_create_table_and_information_schema = OFF",
          "SET GLOBAL super_read_only = OFF",
          "INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'",
          "INSTALL PLUGIN rewriter SONAME 'rewriter.so'",
          "INSTALL PLUGIN simple_parser SONAME 'mypluglib.so'",
          "INSTALL COMPONENT 'file://component_query_attributes'",
          "SET GLOBAL super_read_only = ON",
          "STOP REPLICA",
          "START REPLICA"};
}

TEST_P(FidelityObjects, ComeBackAsTheyWere) {
  const std::string zoo = std::string(HOLDFAST_SOURCE_DIR) + "/tests/integration/fidelity/" +
                          std::string(cluster::engine_name(GetParam())) + ".sql";
  // A role that is an account's because it is everybody's; libraries; what is taken: on each server by its own
  // statement.
  for (const auto& statement : on_each_server(mysql())) Server(member(1)).run(statement);
  const auto loaded = load(member(0), zoo);
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  Server(member(0)).run("CREATE DATABASE marker");
  ASSERT_TRUE(*sys::wait_until(
      [&] { return Server(member(1)).run("SHOW DATABASES LIKE 'marker'").find("marker") != std::string::npos; },
      Deadline::in(seconds(60))))
      << Server(member(1)).run(mysql() ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS");
  // On each by itself: what both servers write into their logs of such a comment is not what was said.
  for (const size_t i : {0, 1}) {
    Server server(member(i));
    server.run("SET SESSION sql_log_bin = 0");
    server.run(mysql() ? "SET GLOBAL super_read_only = OFF" : "SET GLOBAL read_only = OFF");
    server.run("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'");
    server.run("CREATE PROCEDURE zoo.plain_backslash() COMMENT 'C:\\new ''dir' SELECT 'a\\b'");
    server.run(i == 0 ? "SELECT 1" : mysql() ? "SET GLOBAL super_read_only = ON" : "SET GLOBAL read_only = ON");
  }
  const Shown was = Server(member(0)).show(GetParam());
  EXPECT_NE(was.at(kBoth[4]).find("433A5C6E6577"), std::string::npos) << was.at(kBoth[4]);
  ASSERT_NE(was.at(kBoth[0]).find("ENABLED"), std::string::npos) << was.at(kBoth[0]);

  if (mysql())
    Server(member(0)).run("SELECT asynchronous_connection_failover_add_source('feed', '127.0.0.1', 1, '', 50)");
  // With it every session, the dump program's as well, gets so many rows of a table and no error.
  Server(member(1)).run("SET GLOBAL sql_select_limit = 3");
  const auto limited = lab_->holdfast({"backup", "-c", cluster(), "-r", repository_, "-i", "1", "-o", "json"});
  EXPECT_EQ(limited.exit_code, 3) << limited.out << limited.err;
  EXPECT_NE(limited.out.find("engine.select_limit"), std::string::npos) << limited.out;
  Server(member(1)).run("SET GLOBAL sql_select_limit = 18446744073709551615");

  if (mysql()) Server(member(1)).run("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = ON");
  const auto backup = lab_->holdfast({"backup", "-c", cluster(), "-r", repository_, "-i", "1", "-o", "json"});
  ASSERT_EQ(backup.exit_code, 0) << backup.out << backup.err;
  if (mysql()) {
    // Each session that reads a table has set first that the server's limit of time is not for it.
    EXPECT_EQ(Server(member(1)).run("SELECT COUNT(DISTINCT thread_id) > 1 FROM mysql.general_log WHERE argument LIKE "
                                    "'SELECT /*!40001 SQL_NO_CACHE%' OR argument LIKE 'SELECT%FROM `zoo`.`numbers`'"),
              "1 | \n");
    EXPECT_EQ(Server(member(1)).run("SELECT argument FROM mysql.general_log WHERE (argument LIKE 'SELECT /*!40001 "
                                    "SQL_NO_CACHE%' OR argument LIKE 'SELECT%FROM `zoo`.`numbers`') AND thread_id NOT "
                                    "IN (SELECT thread_id FROM mysql.general_log WHERE argument LIKE "
                                    "'SET SESSION max_execution_time = 0%') LIMIT 1"),
              "");
    Server(member(1)).run("SET GLOBAL general_log = OFF");
  }
  const Value report = codec::parse_value(backup.out).value()["data"];
  EXPECT_NE(report["member"].text(), cluster() + "-0");
  EXPECT_TRUE(report["positionExact"].boolean());
  EXPECT_NE(backup.out.find("text.charset"), std::string::npos) << "of zoo.in_sjis";
  EXPECT_NE(backup.out.find("table.discarded"), std::string::npos) << "of zoo.discarded";
  if (mysql()) {
    EXPECT_NE(was.at(kMysql[1]).find("must_have"), std::string::npos) << was.at(kMysql[1]);
    EXPECT_NE(backup.out.find("replication.other_sources"), std::string::npos) << "channel feed's are lost";
  } else {
    EXPECT_NE(backup.out.find("zoo.history_trx"), std::string::npos) << "its history is lost";
    EXPECT_NE(backup.out.find("schema.sys"), std::string::npos) << "sys.own is lost";
    // 11 and later keep no history of a row that lasted for no time.
    const auto momentary =
        Server(member(0)).run("SELECT COUNT(*) FROM zoo.momentary FOR SYSTEM_TIME ALL WHERE row_start >= row_end");
    EXPECT_EQ(backup.out.find("history.rows") != std::string::npos, momentary != "0 | \n") << momentary;
    EXPECT_NE(backup.out.find("enum.members"), std::string::npos) << "of zoo.byte_members";
    EXPECT_NE(backup.out.find("column.auto_increment"), std::string::npos) << "of told.numbered";
  }

  Server(member(0)).run("DROP DATABASE marker");
  const auto restored =
      lab_->holdfast({"restore", "-c", cluster(), "-r", repository_, "--accept=replace-data", "-o", "json"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  expect_equal(was, Server(member(0)).show(GetParam()), "restored in place");
  const auto healthy = sys::wait_until(
      [&] { return lab_->holdfast({"get", "status", "-c", cluster()}).exit_code == 0; }, Deadline::in(seconds(20)));
  EXPECT_TRUE(healthy && *healthy) << lab_->holdfast({"get", "status", "-c", cluster()}).out;
  EXPECT_EQ(Server(member(1)).run("SELECT * FROM zoo.memory_rows ORDER BY 1"),
            Server(member(0)).run("SELECT * FROM zoo.memory_rows ORDER BY 1"));

  const std::string into = lab_->state_dir() + "/fresh";
  const auto fresh = lab_->holdfast({"restore", "-c", cluster(), "-r", repository_, "--into", into, "-o", "json"});
  ASSERT_EQ(fresh.exit_code, 0) << fresh.out << fresh.err;
  {
    OwnServer server(GetParam(), into + "/data", into);
    const auto target = server.target(member(0).user, contents(into + "/admin.password"));
    const auto memory = load(target, into + "/memory-tables.sql");
    EXPECT_EQ(memory.exit_code, 0) << memory.err;
    expect_equal(was, Server(target).show(GetParam()), "restored into a directory");
  }

  const std::string file = lab_->state_dir() + "/dump.sql", plain = lab_->state_dir() + "/plain";
  const auto exported = lab_->holdfast({"export", "-c", cluster(), "-r", repository_, "-o", file});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  fs::create_directory(plain);
  const auto initialised =
      mysql() ? run_program({*engine::find_program(Engine::mysql, "mysqld"), "--no-defaults", "--initialize-insecure",
                             "--datadir=" + plain + "/data", "--user=root"})
              : run_program({"mariadb-install-db", "--no-defaults", "--datadir=" + plain + "/data", "--user=root",
                             "--auth-root-authentication-method=normal", "--skip-test-db"});
  ASSERT_EQ(initialised.exit_code, 0) << initialised.out << initialised.err;
  OwnServer server(GetParam(), plain + "/data", plain);
  const auto target = server.target("root", "");
  Server before(target);  // its session outlives the accounts of the dump
  const auto by_client = load(target, file, true);
  EXPECT_EQ(by_client.exit_code, 0) << by_client.err;
  expect_equal(was, before.show(GetParam()), "loaded by the plain client");
}

INSTANTIATE_TEST_SUITE_P(Engines, FidelityObjects, testing::Values(Engine::mariadb, Engine::mysql),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param)); });

}  // namespace
}  // namespace holdfast::test
