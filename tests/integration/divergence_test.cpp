// What only one member has: counted exactly, told apart, exported, and replayed into a fresh server. And where crashed
// Galera members stand.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "engine/programs.h"
#include "lab/content.h"
#include "provider/folder_server.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

namespace fs = std::filesystem;
using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

bool have(Engine engine, const char* program) {
  return engine::find_program(engine, program).has_value();
}

std::string ask(Engine engine, const sql::Target& target, const std::string& statement) {
  const Deadline deadline = Deadline::in(seconds(20));
  Result<sql::Rows> rows = fail(ErrorClass::bug, "", "");
  if (engine == Engine::postgres) {
    auto connection = sql::PostgresConnection::connect(target, deadline);
    rows = connection ? connection->query(statement, deadline) : Result<sql::Rows>(fail(connection.error()));
  } else {
    auto connection = sql::MariadbConnection::connect(target, deadline);
    rows = connection ? connection->query(statement, deadline) : Result<sql::Rows>(fail(connection.error()));
  }
  EXPECT_TRUE(rows) << statement << ": " << rows.error().to_string();
  return rows && !rows->empty() ? rows->rows[0][0].value_or("NULL") : "";
}

Value report(LabGuard& lab, const std::string& cluster, std::vector<std::string> more, int exit_code) {
  std::vector<std::string> args = {"triage", "-c", cluster, "-o", "json"};
  args.insert(args.end(), more.begin(), more.end());
  const auto run = lab.holdfast(args);
  EXPECT_EQ(run.exit_code, exit_code) << run.out << run.err;
  auto value = codec::parse_value(run.out);
  return value ? (*value)["data"] : Value();
}

Value member_of(const Value& data, const std::string& name) {
  for (const auto& m : data["members"].items())
    if (m["name"].text() == name) return m;
  return {};
}

unsigned mode_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

std::string read_text(const std::string& path) {
  auto text = sys::read_file(path);
  EXPECT_TRUE(text) << path;
  return text ? std::string(as_text(text->span())) : "";
}

struct Family {
  Engine engine;
  const char* server;
  const char* client;
  std::string cluster;
  const char* open_it;  ///< statement that lets a replica be written to
};

class FamilyDivergence : public testing::TestWithParam<Family> {};

TEST_P(FamilyDivergence, ExportedTransactionsReplayedElsewhereGiveTheSameRows) {
  const Family& p = GetParam();
  HOLDFAST_NEED(std::string(cluster::engine_name(p.engine)), have(p.engine, p.server) && have(p.engine, p.client),
                "its server and client are not installed");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", p.cluster}).exit_code, 0);
  const auto primary = target_of(lab.member(p.cluster + "-0")), replica = target_of(lab.member(p.cluster + "-1"));
  const std::string out = lab.state_dir() + "/diverged";

  // Nothing diverged: says so, writes nothing.
  Value data = report(lab, p.cluster, {"--export-divergence", out}, 0);
  EXPECT_TRUE(data["export"]["members"].items().empty());
  EXPECT_FALSE(fs::exists(out));

  ask(p.engine, primary, "CREATE DATABASE shop");
  ask(p.engine, primary, "CREATE TABLE shop.orders (a INT PRIMARY KEY, b LONGBLOB, c TIMESTAMP(6) NULL)");
  for (int i = 0; i < 5; ++i)
    ask(p.engine, primary, "INSERT INTO shop.orders VALUES (" + std::to_string(i) + ",'x',NULL)");
  ASSERT_TRUE(*sys::wait_until(
      [&] {
        return ask(p.engine, replica, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema='shop'") ==
                   "1" &&
               ask(p.engine, replica, "SELECT COUNT(*) FROM shop.orders") == "5";
      },
      Deadline::in(seconds(20))));
  ask(p.engine, replica, p.open_it);
  ask(p.engine, replica, "SET GLOBAL read_only=0");
  const std::vector<std::string> errant = {
      "CREATE DATABASE only_here",
      "CREATE TABLE only_here.t (a INT PRIMARY KEY, b LONGBLOB, c TIMESTAMP(6) NULL)",
      "INSERT INTO only_here.t VALUES (1, 'quote'' ; /*!*/ \\n# at 4\\n', '2026-01-02 03:04:05.678901'), (2, "
      "x'00ff80', NULL)",
      "INSERT INTO only_here.t VALUES (3, REPEAT('y', 300000), NULL)",
      "FLUSH BINARY LOGS",
      "UPDATE only_here.t SET b = 'changed' WHERE a = 2",
      "CREATE TABLE only_here.heartbeat (id INT PRIMARY KEY, ts DATETIME(6))",
      "REPLACE INTO only_here.heartbeat VALUES (1, NOW(6))",
      "REPLACE INTO only_here.heartbeat VALUES (1, NOW(6))",
      "CREATE USER 'only_here'@'%' IDENTIFIED BY 'secret'",
      "DELETE FROM only_here.t WHERE a = 3",
  };
  for (const auto& statement : errant) ask(p.engine, replica, statement);

  data = report(lab, p.cluster, {}, 4);
  const Value diverged = member_of(data, p.cluster + "-1");
  EXPECT_EQ(diverged["verdict"].text(), "diverged");
  const Value& found = diverged["errant"];
  EXPECT_TRUE(found["exact"].boolean()) << codec::to_json(found, 2);
  EXPECT_TRUE(found["unseen"].is_null()) << codec::to_json(found, 2);
  EXPECT_EQ(found["count"].integer(), 10) << codec::to_json(found, 2);
  EXPECT_EQ(found["classes"]["user_data"].integer(), 4);
  EXPECT_EQ(found["classes"]["ddl"].integer(), 3);
  EXPECT_EQ(found["classes"]["account"].integer(), 1);
  EXPECT_EQ(found["classes"]["heartbeat"].integer(), 2);
  EXPECT_EQ(found["classes"]["unknown"].integer(), 0);
  EXPECT_EQ(codec::to_json(found["tables"]), R"(["only_here.heartbeat","only_here.t"])");
  EXPECT_EQ(found["against"].text(), p.cluster + "-0");
  const auto human = lab.holdfast({"triage", "-c", p.cluster});
  EXPECT_NE(human.out.find("4  user data: only_here.t"), std::string::npos) << human.out;
  EXPECT_EQ(human.out.find("secret"), std::string::npos);

  data = report(lab, p.cluster, {"--export-divergence", out}, 4);
  ASSERT_EQ(data["export"]["members"].items().size(), 1u);
  EXPECT_EQ(mode_of(out), 0700u);
  for (const auto& entry : fs::directory_iterator(out)) EXPECT_EQ(mode_of(entry.path()), 0600u) << entry.path();
  const auto list = codec::parse_value(read_text(out + "/" + p.cluster + "-1.json"));
  ASSERT_TRUE(list);
  ASSERT_EQ((*list)["transactions"].items().size(), 10u);
  for (const auto& t : (*list)["transactions"].items()) {
    EXPECT_FALSE(t["gtid"].text().empty());
    EXPECT_GT(t["size"].integer(), 0);
    EXPECT_GE(fs::file_size(t["file"].text()), t["end"].unsigned_integer());
  }
  // Whoever exports again gets no mixture.
  const auto again = lab.holdfast({"triage", "-c", p.cluster, "--export-divergence", out});
  EXPECT_EQ(again.exit_code, 3) << again.err;
  for (const auto& entry : fs::directory_iterator(lab.state_dir()))
    EXPECT_EQ(entry.path().filename().string().find(".partial"), std::string::npos) << entry.path();

  // A server of its own that never saw this cluster.
  const std::string folder = lab.state_dir() + "/fresh";
  auto fresh = provider::control_folder(folder, p.engine, "fresh", {});
  ASSERT_TRUE(fresh) << fresh.error().to_string();
  const Deadline deadline = Deadline::in(seconds(120));
  auto made = (*fresh)->initialise_empty(deadline);
  ASSERT_TRUE(made) << made.error().to_string();
  auto started = (*fresh)->start({.isolated = true}, deadline);
  ASSERT_TRUE(started) << started.error().to_string();
  const sql::Target target = (*fresh)->setup().socket;
  const std::string sql_file = read_text(out + "/" + p.cluster + "-1.sql");
  EXPECT_NE(sql_file.find("### INSERT INTO `only_here`.`t`"), std::string::npos);
  EXPECT_EQ(sql_file.find("`shop`"), std::string::npos) << "only what is errant";
  EXPECT_EQ(sql_file.find("@@session.gtid_seq_no="), std::string::npos) << "MariaDB's get new ones";
  const std::string options_file = folder + "/client.cnf";
  ASSERT_TRUE(sys::publish_file(
      options_file,
      as_bytes("[client]\nuser=" + target.user + "\npassword=\"" + std::string(target.password.reveal()) + "\"\n"),
      0600));
  RunOptions feed;
  feed.input = sql_file;
  const auto replayed = run_program({*engine::find_program(p.engine, p.client), "--defaults-file=" + options_file,
                                     "--binary-mode", "-S", target.socket},
                                    feed);
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  const std::string rows =
      "SELECT GROUP_CONCAT(CONCAT_WS('|', a, HEX(b), c) ORDER BY a SEPARATOR ';') FROM only_here.t";
  EXPECT_EQ(ask(p.engine, target, rows), ask(p.engine, replica, rows));
  EXPECT_EQ(ask(p.engine, target, "SELECT ts FROM only_here.heartbeat"),
            ask(p.engine, replica, "SELECT ts FROM only_here.heartbeat"));
  EXPECT_EQ(ask(p.engine, target, "SELECT COUNT(*) FROM mysql.user WHERE user='only_here'"), "1");
  if (p.engine == Engine::mariadb) {
    EXPECT_EQ(ask(p.engine, target, "SELECT @@gtid_binlog_state").find("-2-"), std::string::npos)
        << "nothing may seem to come from the member: it would never take it back";
    EXPECT_NE(diverged["sentence"].text().find(found["transactions"].text()), std::string::npos)
        << diverged["sentence"].text();
  } else {
    EXPECT_EQ(ask(p.engine, target, "SELECT GTID_SUBSET('" + found["transactions"].text() + "', @@gtid_executed)"),
              "1");
    EXPECT_EQ(run_program({*engine::find_program(p.engine, p.client), "--defaults-file=" + options_file,
                           "--binary-mode", "-S", target.socket},
                          feed)
                  .exit_code,
              0)
        << "again: nothing happens";
    EXPECT_EQ(ask(p.engine, target, rows), ask(p.engine, replica, rows));
  }
  EXPECT_TRUE((*fresh)->stop(deadline));
  // The same of a member that is dead, through its agent.
  ASSERT_EQ(lab.holdfast({"lab", "break", "kill", p.cluster + "-1"}).exit_code, 0);
  Value dead;
  EXPECT_TRUE(*sys::wait_until(
      [&] {
        dead = member_of(report(lab, p.cluster, {}, 4), p.cluster + "-1");
        return dead["server"]["state"].text() == "failed";
      },
      Deadline::in(seconds(20))));
  EXPECT_EQ(dead["errant"]["classes"]["user_data"].integer(), 4) << codec::to_json(dead, 2);
}

INSTANTIATE_TEST_SUITE_P(
    Engines, FamilyDivergence,
    testing::Values(Family{Engine::mariadb, "mariadbd", "mariadb", "shop-mariadb", "SET GLOBAL read_only=0"},
                    Family{Engine::mysql, "mysqld", "mysql", "shop-mysql", "SET GLOBAL super_read_only=0"}),
    [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

TEST(Divergence, CommitsOfAnOldPrimaryAreCountedInItsLog) {
  HOLDFAST_NEED("postgres", have(Engine::postgres, "postgres"), "no postgres");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
  const auto old = target_of(lab.member("shop-postgres-0")), promoted = target_of(lab.member("shop-postgres-1"));
  ask(Engine::postgres, old, "CREATE TABLE orders (a int primary key, b text)");
  ask(Engine::postgres, old, "INSERT INTO orders SELECT i, 'x' FROM generate_series(1, 50) i");
  const std::string at = ask(Engine::postgres, old, "SELECT pg_current_wal_lsn()");
  ASSERT_TRUE(*sys::wait_until(
      [&] { return ask(Engine::postgres, promoted, "SELECT pg_last_wal_replay_lsn() >= '" + at + "'") == "t"; },
      Deadline::in(seconds(20))));
  ASSERT_EQ(ask(Engine::postgres, promoted, "SELECT pg_promote()"), "t");
  ask(Engine::postgres, old, "INSERT INTO orders VALUES (100, 'errant')");
  ask(Engine::postgres, old, "UPDATE orders SET b = 'errant' WHERE a < 10");
  ask(Engine::postgres, old, "CREATE ROLE only_here");
  ask(Engine::postgres, old, "CREATE VIEW v AS SELECT 1");
  ask(Engine::postgres, old,
      "DO $$ BEGIN BEGIN INSERT INTO orders VALUES (101, ''); EXCEPTION WHEN others THEN END; END $$");
  ask(Engine::postgres, old,
      "DO $$ BEGIN BEGIN INSERT INTO orders VALUES (102, ''); RAISE 'no'; EXCEPTION WHEN others THEN END; END $$");
  const std::string relation = ask(Engine::postgres, old, "SELECT pg_relation_filenode('orders')");
  ASSERT_EQ(lab.holdfast({"lab", "break", "kill", "shop-postgres-0"}).exit_code, 0);

  const std::string out = lab.state_dir() + "/diverged";
  const Value data = report(lab, "shop-postgres", {"--export-divergence", out}, 4);
  const Value errant = member_of(data, "shop-postgres-0")["errant"];
  EXPECT_TRUE(errant["exact"].boolean()) << codec::to_json(errant, 2);
  EXPECT_EQ(errant["classes"]["user_data"].integer(), 3) << codec::to_json(errant, 2);
  EXPECT_EQ(errant["classes"]["account"].integer(), 1);
  EXPECT_EQ(errant["classes"]["ddl"].integer(), 1);
  EXPECT_GT(errant["wal"]["bytes"].integer(), 0);
  EXPECT_EQ(errant["wal"]["records"]["Transaction COMMIT"].integer(), errant["count"].integer());
  EXPECT_NE(codec::to_json(errant["details"]["user_data"]["tables"]).find("/" + relation + "\""), std::string::npos);

  const auto wal = codec::parse_value(read_text(out + "/shop-postgres-0.wal.json"));
  ASSERT_TRUE(wal);
  EXPECT_EQ((*wal)["commits"].items().size(), errant["count"].unsigned_integer());
  for (const auto& commit : (*wal)["commits"].items()) EXPECT_EQ(commit["time"].text().substr(0, 3), "202");
  // Ours and pg_waldump's are the same records.
  ASSERT_FALSE((*wal)["records"].items().empty());
  for (const auto& record : (*wal)["records"].items())
    EXPECT_FALSE(record["description"].is_null()) << codec::to_json(record);
  EXPECT_EQ(mode_of(out + "/shop-postgres-0.wal"), 0700u);
  EXPECT_FALSE(fs::is_empty(out + "/shop-postgres-0.wal"));
  for (const auto& entry : fs::directory_iterator(out + "/shop-postgres-0.wal"))
    EXPECT_EQ(mode_of(entry.path()), 0600u) << entry.path();
}

TEST(Inspect, CrashedGaleraMembersTellWhoIsAhead) {
  HOLDFAST_NEED("mariadb", have(Engine::galera, "mariadbd"), "no mariadbd");
  LabGuard lab;
  ASSERT_EQ(lab.holdfast({"lab", "up", "shop-galera"}).exit_code, 0);
  const auto first = target_of(lab.member("shop-galera-0"));
  std::map<std::string, std::string> data_dirs;
  for (const char* name : {"shop-galera-0", "shop-galera-1", "shop-galera-2"})
    data_dirs[name] = lab.member(name)["dataDir"].text();
  ask(Engine::galera, first, "CREATE DATABASE shop");
  ask(Engine::galera, first, "CREATE TABLE shop.t (a INT AUTO_INCREMENT PRIMARY KEY, b TEXT)");

  // Of a running one nothing is touched.
  auto refused = lab.holdfast({"inspect", "--fence", "-c", "shop-galera", "-i", "1"});
  EXPECT_EQ(refused.exit_code, 3) << refused.err;
  EXPECT_EQ(lab.holdfast({"inspect", "-c", "shop-galera"}).exit_code, 2) << "never without --fence";

  {
    std::jthread load([&](std::stop_token stop) {
      const Deadline deadline = Deadline::in(seconds(60));
      auto connection = sql::MariadbConnection::connect(first, deadline);
      while (connection && !stop.stop_requested() &&
             connection->query("INSERT INTO shop.t (b) VALUES (REPEAT('x', 500))", deadline)) {
      }
    });
    ASSERT_TRUE(
        *sys::wait_until([&] { return std::stoi(ask(Engine::galera, first, "SELECT COUNT(*) FROM shop.t")) > 50; },
                         Deadline::in(seconds(30))));
    for (const char* name : {"shop-galera-2", "shop-galera-1", "shop-galera-0"})
      ASSERT_EQ(lab.holdfast({"lab", "break", "kill", name}).exit_code, 0);
  }
  std::map<std::string, std::string> grastate;
  for (const auto& [name, dir] : data_dirs) grastate[name] = read_text(dir + "/grastate.dat");
  EXPECT_EQ(report(lab, "shop-galera", {}, 4)["authority"].text(), "undeterminable");
  const auto dry = lab.holdfast({"inspect", "--fence", "--dry-run", "-c", "shop-galera"});
  EXPECT_NE(dry.out.find("would be recovered"), std::string::npos) << dry.out;
  EXPECT_EQ(report(lab, "shop-galera", {}, 4)["authority"].text(), "undeterminable") << "a dry run recovers nothing";

  const auto run = lab.holdfast({"inspect", "--fence", "-c", "shop-galera", "-o", "json"});
  EXPECT_EQ(run.exit_code, 4) << run.out << run.err;
  const auto parsed = codec::parse_value(run.out);
  ASSERT_TRUE(parsed);
  const Value& inspected = (*parsed)["data"];
  ASSERT_EQ(inspected["recovery"].items().size(), 3u);
  int64_t most = -1;
  std::map<std::string, int64_t> seqnos;
  for (const auto& r : inspected["recovery"].items()) {
    EXPECT_EQ(r["result"].text(), "recovered") << codec::to_json(r);
    const std::string position = r["position"].text();
    ASSERT_NE(position.find(':'), std::string::npos) << position;
    const int64_t seqno = std::stoll(position.substr(position.find(':') + 1));
    EXPECT_GT(seqno, 50);
    seqnos[r["name"].text()] = seqno;
    most = std::max(most, seqno);
  }
  EXPECT_EQ(inspected["authority"].text(), "provable");
  EXPECT_EQ(seqnos[inspected["authorityMember"].text()], most);
  for (const auto& [name, dir] : data_dirs) EXPECT_EQ(read_text(dir + "/grastate.dat"), grastate[name]) << name;

  // Triage, which itself recovers nothing, knows it from now on, with its age.
  Value later = report(lab, "shop-galera", {}, 4);
  EXPECT_EQ(later["authority"].text(), "provable");
  for (const auto& m : later["members"].items()) EXPECT_EQ(m["positions"]["durableSource"].text(), "recovered");
  // Until the files change.
  {
    std::fstream log(data_dirs["shop-galera-1"] + "/ib_logfile0", std::ios::in | std::ios::out | std::ios::binary);
    char byte = 0;
    log.read(&byte, 1);
    log.seekp(0);
    log.write(&byte, 1);
  }
  later = report(lab, "shop-galera", {}, 4);
  EXPECT_EQ(later["authority"].text(), "undeterminable");
  EXPECT_EQ(lab.holdfast({"inspect", "--fence", "-c", "shop-galera"}).exit_code, 4);
  EXPECT_EQ(report(lab, "shop-galera", {}, 4)["authority"].text(), "provable");
}

}  // namespace
}  // namespace holdfast::test
