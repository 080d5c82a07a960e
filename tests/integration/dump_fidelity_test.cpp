// What comes back is what was there, or was noted at the backup: collections of odd objects, backed up from a replica,
// restored into the cluster and into a folder, and loaded from an export by the server's plain client. Compared by the
// definition of every object, every grant and a checksum of every table.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "engine/dump.h"
#include "engine/programs.h"
#include "engine/stand_alone.h"
#include "sql/mariadb.h"
#include "sys/process.h"
#include "sys/user.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

using Catalogue = std::map<std::string, std::string>;

Deadline soon() {
  return Deadline::in(seconds(60));
}

class Server {
 public:
  static std::optional<Server> at(const sql::Target& target) {
    auto connection = sql::MariadbConnection::connect(target, soon());
    EXPECT_TRUE(connection) << connection.error().to_string();
    if (!connection) return std::nullopt;
    return Server(std::move(*connection));
  }
  void run(const std::string& statement) {
    auto done = connection_.query(statement, soon());
    EXPECT_TRUE(done) << statement.substr(0, 300) << ": " << done.error().to_string();
  }
  /// All columns of all rows, "error CODE" where the server refuses.
  std::string all(const std::string& statement) {
    auto rows = connection_.query(statement, soon());
    if (!rows) return "error " + sql::error_code(rows.error());
    std::string text;
    for (const auto& row : rows->rows)
      for (const auto& value : row) text += value.value_or("NULL") + "|";
    return text;
  }
  sql::Rows rows(const std::string& statement) {
    auto rows = connection_.query(statement, soon());
    EXPECT_TRUE(rows) << statement << ": " << rows.error().to_string();
    return rows ? std::move(*rows) : sql::Rows();
  }

  Catalogue catalogue() {
    const std::string ours = "('mysql','sys','information_schema','performance_schema')";
    Catalogue found;
    run("SET SESSION time_zone = '+00:00'");
    const auto named = [&](const sql::Rows& list, size_t i) {
      return sql::quote_mysql_name(list.text("s", i)) + "." + sql::quote_mysql_name(list.text("n", i));
    };
    auto list = rows(
        "SELECT table_schema AS s, table_name AS n, table_type AS t, UPPER(engine) AS e FROM "
        "information_schema.tables WHERE table_schema NOT IN " +
        ours);
    for (size_t i = 0; i < list.rows.size(); ++i) {
      const std::string name = named(list, i), engine = list.text("e", i);
      found["table " + name] = all("SHOW CREATE TABLE " + name);
      if (list.text("t", i) == "BASE TABLE" && engine != "FEDERATED" && engine != "MRG_MYISAM")
        found["rows " + name] = all("CHECKSUM TABLE " + name + " EXTENDED");
    }
    const std::map<std::string, std::string> kinds = {
        {"TRIGGER",
         "SELECT trigger_schema AS s, trigger_name AS n FROM information_schema.triggers WHERE trigger_schema"},
        {"EVENT", "SELECT event_schema AS s, event_name AS n FROM information_schema.events WHERE event_schema"},
        {"PROCEDURE",
         "SELECT routine_schema AS s, routine_name AS n FROM information_schema.routines WHERE routine_type "
         "= 'PROCEDURE' AND routine_schema"},
        {"FUNCTION",
         "SELECT routine_schema AS s, routine_name AS n FROM information_schema.routines WHERE routine_type = "
         "'FUNCTION' AND routine_schema"}};
    for (const auto& [kind, statement] : kinds) {
      list = rows(statement + " NOT IN " + ours);
      for (size_t i = 0; i < list.rows.size(); ++i) {
        const auto shown = rows("SHOW CREATE " + kind + " " + named(list, i));
        if (shown.empty()) continue;
        std::string text = shown.rows[0][kind == "EVENT" ? 3 : 2].value_or("");
        // Whether an event is enabled is asked of the primary, in a test of its own.
        for (const std::string status : {" DISABLE ON SLAVE ", " DISABLE ON REPLICA "}) {
          const size_t at = kind == "EVENT" ? text.find(status) : std::string::npos;
          if (at != std::string::npos) text.replace(at, status.size(), " ENABLE ");
        }
        found[kind + " " + named(list, i)] = text;
      }
    }
    list = rows("SELECT User AS s, Host AS n FROM mysql.user WHERE User LIKE 'odd%' OR User LIKE 'r_%e'");
    for (size_t i = 0; i < list.rows.size(); ++i) {
      const std::string account = sql::quote_mysql(list.text("s", i)) + "@" + sql::quote_mysql(list.text("n", i));
      const bool role = list.text("n", i).empty();
      if (!role) found["account " + account] = all("SHOW CREATE USER " + account);
      found["grants " + account] = all("SHOW GRANTS FOR " + (role ? sql::quote_mysql(list.text("s", i)) : account));
    }
    return found;
  }

 private:
  explicit Server(sql::MariadbConnection connection) : connection_(std::move(connection)) {}
  sql::MariadbConnection connection_;
};

void expect_equal(const Catalogue& found, const Catalogue& expected, const std::string& where) {
  for (const auto& [name, text] : expected) {
    const auto at = found.find(name);
    if (at == found.end()) {
      ADD_FAILURE() << where << ": " << name << " is missing";
    } else {
      EXPECT_EQ(at->second, text) << where << ": " << name;
    }
  }
  for (const auto& [name, text] : found) EXPECT_TRUE(expected.contains(name)) << where << ": " << name << " is new";
}

/// A server of the test's own on a data directory.
class OwnServer {
 public:
  OwnServer(const std::string& command, sql::Target target) : target_(std::move(target)) {
    sys::Command start;
    start.argv = {"/bin/sh", "-c", "exec " + command};
    start.out = start.err = sys::Stdio::null();
    start.new_session = true;
    start.die_with_parent = SIGKILL;
    auto process = sys::spawn(start);
    EXPECT_TRUE(process) << process.error().to_string();
    if (!process) return;
    process_.emplace(std::move(*process));
    const auto up = sys::wait_until(
        [&] { return sql::MariadbConnection::connect(target_, Deadline::in(seconds(5))).has_value(); }, soon());
    EXPECT_TRUE(up && *up) << command;
  }
  ~OwnServer() {
    if (process_) (void)process_->signal_group(SIGKILL);
  }
  const sql::Target& target() const { return target_; }

 private:
  sql::Target target_;
  std::optional<sys::Process> process_;
};

/// A server with nothing in it but a root without a password.
std::unique_ptr<OwnServer> empty_server(Engine engine, const std::string& dir, const std::string& args) {
  fs::create_directories(dir);
  const auto user = ::geteuid() == 0 ? std::string(" --user=mysql") : std::string();
  if (!user.empty()) {
    EXPECT_EQ(run_program({"/bin/chown", "mysql", dir}).exit_code, 0);
  }
  const bool mysql = engine == Engine::mysql;
  const std::string program = *engine::find_program(engine, mysql ? "mysqld" : "mariadbd");
  const std::string common =
      fmt::format(" --no-defaults --datadir={0}/data --log-error={0}/log --pid-file={0}/pid{1} ", dir, user);
  const auto made =
      run_program({"/bin/sh", "-c",
                   mysql ? program + common + "--initialize-insecure"
                         : fmt::format("mariadb-install-db --no-defaults --datadir={}/data{} --skip-test-db "
                                       "--auth-root-authentication-method=normal",
                                       dir, user)},
                  {.limit = seconds(180)});
  EXPECT_EQ(made.exit_code, 0) << made.out << made.err;
  sql::Target root;
  root.socket = dir + "/data/s.sock";
  root.user = "root";
  return std::make_unique<OwnServer>(
      program + common + args + " --skip-networking --socket=" + root.socket + (mysql ? " --mysqlx=OFF" : ""), root);
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// One for both: names, literals, bodies and sizes a scanner or a packet may stumble over.
const std::vector<std::string> kCommon = {
    "CREATE DATABASE `odd.one two`",
    "USE `odd.one two`",
    "CREATE TABLE `t VALUES` (`i VALUES (1),(2)` int PRIMARY KEY, `c;'` varchar(200) COMMENT 'it''s; \\\\')",
    "INSERT INTO `t VALUES` VALUES (1, '\\'; INSERT INTO `u` VALUES (1);\\n-- Dump completed\\n'), (2, '\\\\'), (3, "
    "');')",
    "CREATE TABLE `new\n-- Dump completed\nline` (i int PRIMARY KEY)",
    "INSERT INTO `new\n-- Dump completed\nline` VALUES (1),(2)",
    "CREATE TABLE `x\nSET GLOBAL gtid_slave_pos='9-9-9';\ny` (i int PRIMARY KEY)",
    "CREATE TABLE plain (i int PRIMARY KEY, b longblob)",
    "INSERT INTO plain SELECT 1, REPEAT(UNHEX('00275C0A3B60FF2D2D20'), 4000000)",
    "CREATE TABLE `back\\\\slash` (i int PRIMARY KEY)",
    "INSERT INTO `back\\\\slash` VALUES (7)",
    "CREATE TABLE m1 (i int) ENGINE=MyISAM",
    "CREATE TABLE m2 (i int) ENGINE=MyISAM",
    "CREATE TABLE m3 (i int) ENGINE=MyISAM",
    "INSERT INTO m1 VALUES (1),(2)",
    "CREATE TABLE merged (i int) ENGINE=MERGE UNION=(m1,m2)",
    "CREATE TABLE merged_broken (i int) ENGINE=MERGE UNION=(m3)",
    "DROP TABLE m3",
    "CREATE TABLE gone (i int)",
    "CREATE VIEW `view; VALUES` AS SELECT 1 AS a, ';' AS b, '\\n-- Dump completed\\n' AS c",
    "CREATE VIEW invalid AS SELECT i FROM gone",
    "CREATE VIEW invalid_too AS SELECT i FROM invalid",
    "DROP TABLE gone",
    "CREATE PROCEDURE p1()\nBEGIN\n-- a comment; it's one\n/* Mike's ;; too */\nINSERT INTO plain VALUES (1, "
    "NULL);\nSELECT '\nDELIMITER ;\nUSE `mysql`;\n';\nSELECT '\n-- Dump completed\n';\n# the end '\nEND",
    "CREATE FUNCTION f1(`INSERT INTO `` VALUES (1)` int) RETURNS int DETERMINISTIC RETURN 5--3",
    "CREATE TRIGGER tr BEFORE INSERT ON `t VALUES` FOR EACH ROW BEGIN\n/* it's */\nSET @a = '\nINSERT INTO `u` VALUES "
    "(1);\nCREATE TABLE `no` (i int);\n';\nEND",
    "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'",
    "CREATE PROCEDURE p2() SELECT 'a\\', ';'",
    "CREATE EVENT `ev \\` ON SCHEDULE EVERY 1 DAY STARTS '2031-01-01 00:00:00' COMMENT 'c\\d''\\' DO SELECT '\\'",
    "SET SESSION sql_mode = 'ANSI_QUOTES'",
    "CREATE EVENT \"ev'\" ON SCHEDULE EVERY 1 DAY STARTS '2031-01-01 00:00:00' DO SELECT \"a\"\"\" FROM m1",
    "SET SESSION sql_mode = DEFAULT",
    "CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2031-01-01 00:00:00' DO BEGIN SELECT '\nDELIMITER ;\n'; END",
    "CREATE USER 'odd''user'@'%' IDENTIFIED BY 'abc'",
    "CREATE USER `odd DEFAULT ROLE x`@`10.%` IDENTIFIED BY 'x\\\\y'",
    "CREATE ROLE `role`",
    "GRANT SELECT ON `odd.one two`.* TO `role`",
    "GRANT `role` TO 'odd''user'@'%'",
    "GRANT SELECT (`c;'`), INSERT ON `odd.one two`.`t VALUES` TO 'odd''user'@'%'",
    "GRANT EXECUTE ON PROCEDURE `odd.one two`.p1 TO 'odd''user'@'%' WITH GRANT OPTION",
};

class DumpFidelity : public testing::Test {
 protected:
  void begin(Engine engine, const char* cluster, const char* server) {
    engine_ = engine;
    cluster_ = cluster;
    HOLDFAST_NEED(std::string(cluster::engine_name(engine)), engine::find_program(engine, server).has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    ok({"lab", "up", cluster_});
    ok({"repo", "init", "-r", repository_});
    auto primary = Server::at(target_of(member(0)));
    ASSERT_TRUE(primary);
    for (const auto& statement : kCommon) primary->run(statement);
    std::string columns;
    for (int i = 0; i < 200; ++i) columns += fmt::format("{}`{:=>50}`", i ? ", " : "", i);
    std::string types = columns, values = "0";
    for (size_t at = types.find("`,"); at != std::string::npos; at = types.find("`,", at + 6))
      types.insert(at + 1, " int");
    for (int i = 1; i < 200; ++i) values += fmt::format(", {}", i);
    // A generated column makes the dump name all the others.
    primary->run("CREATE TABLE wide (" + types + " int, g int AS (1) STORED)");
    primary->run("INSERT INTO wide (" + columns + ") VALUES (" + values + "), (" + values + ")");
  }

  Value member(int i) { return lab_->member(fmt::format("{}-{}", cluster_, i)); }
  std::string ok(std::vector<std::string> args) {
    const auto done = lab_->holdfast(args);
    EXPECT_EQ(done.exit_code, 0) << args[0] << ": " << done.out << done.err;
    return done.out;
  }

  Value backup() {
    const std::string last = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'wide'";
    const auto arrived = sys::wait_until(
        [&] {
          auto replica = Server::at(target_of(member(1)));
          return replica && replica->all(last) == "1|";
        },
        Deadline::in(seconds(60)));
    EXPECT_TRUE(arrived && *arrived);
    const auto data = codec::parse_value(ok({"backup", "-c", cluster_, "-r", repository_, "-o", "json"}));
    EXPECT_TRUE(data);
    return data ? (*data)["data"] : Value();
  }

  Catalogue of(const sql::Target& target) {
    auto server = Server::at(target);
    return server ? server->catalogue() : Catalogue();
  }

  /// Starts a server on what `restore --into` made.
  Catalogue of_folder(const std::string& into) {
    sql::Target target;
    target.socket = into + "/data/copy.sock";
    target.user = "holdfast";
    target.password = Secret(first_line(into + "/admin.password"));
    OwnServer server(engine::stand_alone_command(engine_, into + "/data"), target);
    return of(server.target());
  }

  /// Loads the export with the plain client into an empty server, as its root.
  Catalogue of_export(const std::string& file) {
    const auto server = empty_server(engine_, lab_->state_dir() + "/plain", "--max-allowed-packet=1G");
    const bool mysql = engine_ == Engine::mysql;
    const auto loaded = run_program({"/bin/sh", "-c",
                                     fmt::format("{} --no-defaults --max-allowed-packet=1G {} -u root -S {} < {}",
                                                 *engine::find_program(engine_, mysql ? "mysql" : "mariadb"),
                                                 mysql ? "" : "--comments", server->target().socket, file)},
                                    {.limit = seconds(180)});
    EXPECT_EQ(loaded.exit_code, 0) << loaded.err.substr(loaded.err.size() - std::min<size_t>(loaded.err.size(), 500));
    return of(server->target());
  }

  /// Backed up, restored everywhere, compared. `told` takes out what the notes announce, while the cluster runs
  /// (true) and where it is stopped.
  void round_trip(const std::vector<std::string>& notes, const std::function<void(Catalogue&, bool)>& told) {
    const Value report = backup();
    EXPECT_NE(report["member"].text(), cluster_ + std::string("-0"));
    std::string ids;
    for (const auto& note : report["notes"].items()) ids += note["id"].text() + " " + note["object"].text() + "\n";
    for (const auto& note : notes) EXPECT_NE(ids.find(note), std::string::npos) << note << " in\n" << ids;
    const Catalogue before = of(target_of(member(0)));
    EXPECT_GT(before.size(), 30u);
    Catalogue expected = before;
    told(expected, true);

    const std::string into = lab_->state_dir() + "/into";
    ok({"restore", "-c", cluster_, "-r", repository_, "--into", into});
    expect_equal(of_folder(into), expected, "into a folder");
    const std::string file = lab_->state_dir() + "/export.sql";
    ok({"export", "-c", cluster_, "-r", repository_, "-o", file});
    expect_equal(of_export(file), expected, "export");

    auto primary = Server::at(target_of(member(0)));
    ASSERT_TRUE(primary);
    primary->run("DROP DATABASE `odd.one two`");
    primary.reset();
    const auto restored =
        codec::parse_value(ok({"restore", "-c", cluster_, "-r", repository_, "--accept=replace-data", "-o", "json"}));
    ASSERT_TRUE(restored);
    told(expected, false);
    expect_equal(of(target_of(member(0))), expected, "primary");
    expect_equal(of(target_of(member(1))), expected, "replica");
  }

  Engine engine_ = Engine::mariadb;
  const char* cluster_ = "";
  std::optional<LabGuard> lab_;
  std::string repository_;
};

void forget(Catalogue& catalogue, const std::string& part) {
  std::erase_if(catalogue, [&](const auto& entry) { return entry.first.find(part) != std::string::npos; });
}

TEST_F(DumpFidelity, MariaDB) {
  begin(Engine::mariadb, "shop-mariadb", "mariadbd");
  if (HasFatalFailure() || IsSkipped()) return;
  const Value first = member(0);
  for (int i = 0; i < 3; ++i) {
    auto server = Server::at(target_of(member(i)));
    ASSERT_TRUE(server);
    for (const char* library : {"ha_blackhole", "ha_federatedx"})
      server->run(fmt::format("INSTALL SONAME '{}'", library));
  }
  auto primary = Server::at(target_of(first));
  ASSERT_TRUE(primary);
  primary->run("USE `odd.one two`");
  primary->run("CREATE TABLE hole (i int) ENGINE=BLACKHOLE");
  primary->run("CREATE SEQUENCE sq START WITH 5");
  const auto remote = target_of(first);
  primary->run(fmt::format("CREATE TABLE far (i int) ENGINE=FEDERATED CONNECTION='mysql://{}:{}@127.0.0.1:{}/mysql/db'",
                           remote.user, remote.password.reveal(), remote.port));
  primary.reset();
  round_trip({"view.invalid `odd.one two`.`invalid`", "view.invalid `odd.one two`.`invalid_too`",
              "merge.unreadable `odd.one two`.`merged_broken`", "federated.reached `odd.one two`.`far`"},
             [](Catalogue& expected, bool runs) {
               forget(expected, "`invalid");
               forget(expected, "`merged_broken`");
               if (!runs) forget(expected, "`far`");
             });
}

TEST_F(DumpFidelity, MySQL) {
  begin(Engine::mysql, "shop-mysql", "mysqld");
  if (HasFatalFailure() || IsSkipped()) return;
  auto primary = Server::at(target_of(member(0)));
  ASSERT_TRUE(primary);
  primary->run("CREATE TABLE `odd.one two`.hole (i int) ENGINE=BLACKHOLE");
  primary->run("SET DEFAULT ROLE `role` TO 'odd''user'@'%'");
  primary->run("ALTER USER 'odd''user'@'%' ATTRIBUTE '{\"note\": \"it''s; DEFAULT ROLE\"}'");
  primary->run("ALTER USER 'odd''user'@'%' IDENTIFIED BY 'new' RETAIN CURRENT PASSWORD");
  primary->run("GRANT BACKUP_ADMIN ON *.* TO `role`");
  primary->run("GRANT CREATE ON `odd.one two`.`never there` TO 'odd''user'@'%'");
  primary.reset();
  round_trip({"view.invalid `odd.one two`.`invalid`", "view.invalid `odd.one two`.`invalid_too`",
              "merge.unreadable `odd.one two`.`merged_broken`", "grant.without_object `odd'user`@`%`"},
             [](Catalogue& expected, bool runs) {
               if (!runs) return;
               forget(expected, "`invalid");
               forget(expected, "`merged_broken`");
               auto& grants = expected.at("grants " + sql::quote_mysql("odd'user") + "@'%'");
               const std::string stale = "GRANT CREATE ON `odd.one two`.`never there` TO `odd'user`@`%`|";
               ASSERT_NE(grants.find(stale), std::string::npos) << grants;
               grants.erase(grants.find(stale), stale.size());
             });
}

TEST(DumpPositionMariadb, OfAReplicaThatDoesNotLogWhatItReplicates) {
  HOLDFAST_NEED("mariadb", engine::find_program(Engine::mariadb, "mariadbd").has_value(),
                "its server is not installed");
  const auto dir = sys::TempDir::create("replica");
  ASSERT_TRUE(dir);
  fs::permissions(dir->path(), fs::perms(0755));
  const auto own = empty_server(Engine::mariadb, dir->path() + "/server", "--log-bin=binlog --skip-log-slave-updates");
  auto server = Server::at(own->target());
  ASSERT_TRUE(server);
  // Where it stands as a replica, which its own binary log does not know.
  server->run("SET GLOBAL gtid_slave_pos = '0-77-1234'");
  engine::DumpRequest request;
  request.member = "replica";
  request.is_replica = true;
  request.target = own->target();
  auto dump = engine::open_dump(request, {});
  ASSERT_TRUE(dump) << dump.error().to_string();
  std::vector<uint8_t> bytes(1 << 16);
  for (auto got = (*dump)->read(bytes);; got = (*dump)->read(bytes)) {
    ASSERT_TRUE(got) << got.error().to_string();
    if (*got == 0) break;
  }
  EXPECT_EQ((*dump)->info().position, "0-77-1234");
  EXPECT_EQ((*dump)->info().position_to, "0-77-1234");
}

}  // namespace
}  // namespace holdfast::test
