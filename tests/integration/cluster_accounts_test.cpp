// Accounts by role on real clusters: with the one to observe triage says what it says to the administrator, with the
// one to back up a dump is the administrator's dump, and none of them does what its role must not.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "cluster/types.h"
#include "codec/value.h"
#include "engine/programs.h"
#include "engine/role_accounts.h"
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

struct Kind {
  const char* name;
  Engine engine;
  const char* server;
  const char* mode;
  std::set<std::string> not_shown;  ///< readings that the account to observe is not given, as its limits say
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

class ClusterAccounts : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED(GetParam().name, engine::find_program(GetParam().engine, GetParam().server).has_value(),
                  "its server is not installed");
    lab_.emplace();
    const auto up = lab_->holdfast({"lab", "up", cluster()});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    const auto made = create();
    ASSERT_EQ(made.exit_code, 0) << made.out << made.err;
    members_ = lab_->members();
    ASSERT_GE(members_.items().size(), 2u);
    for (const auto& m : members_.items())
      if (primary_.is_null() || m["role"].text() == "primary") primary_ = m;
    for (const char* role : {"observe", "operate", "replicate", "backup"})
      if (const std::string file = password_file(role); std::filesystem::exists(file))
        describe(role, "holdfast_" + std::string(role), file, members_.items());
    describe("administrator", primary_["user"].text(), primary_["passwordFile"].text(), members_.items());
  }

  std::string cluster() const { return fmt::format("shop-{}", GetParam().name); }
  bool postgres() const { return GetParam().engine == Engine::postgres; }
  std::string path(const std::string& name) const { return lab_->state_dir() + "/" + name; }
  std::string password_file(const std::string& role) const { return path("passwords/holdfast_" + role + ".password"); }

  RunResult create(std::vector<std::string> more = {}) {
    std::vector<std::string> argv = {"cluster",        "accounts",       "-c", cluster(), "--create",
                                     "--password-dir", path("passwords")};
    argv.insert(argv.end(), more.begin(), more.end());
    return lab_->holdfast(argv);
  }

  /// The cluster without its agents: what is known of it comes with the account named.
  void describe(const std::string& name, const std::string& user, const std::string& password,
                const std::vector<Value>& members) {
    std::ofstream file(path(name + ".yaml"));
    file << fmt::format(
        "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata: {{name: orders}}\nspec:\n  engine: {}\n"
        "  replication: {{mode: {}}}\n  credentials: {{user: {}, passwordFile: {}}}\n  members:\n",
        cluster::engine_name(GetParam().engine), members.size() > 1 || postgres() ? GetParam().mode : "async", user,
        password);
    for (const auto& m : members)
      file << fmt::format("    - {{name: {}, host: {}, port: {}, socket: {}}}\n", m["member"].text(), m["host"].text(),
                          m["port"].integer(), m["socket"].text());
  }

  Value triage(const std::string& as) {
    const auto ran = lab_->holdfast(
        {"triage", "-c", "orders", "--config", path(as + ".yaml"), "--member-timeout", "20", "-o", "json"});
    const auto value = codec::parse_value(ran.out);
    EXPECT_TRUE(value) << ran.out << ran.err;
    return value ? (*value)["data"] : Value();
  }

  sql::Target login(const std::string& role) const {
    sql::Target target = target_of(primary_);
    if (role == "administrator") return target;
    std::ifstream file(password_file(role));
    std::string password;
    std::getline(file, password);
    EXPECT_FALSE(password.empty());
    target.user = "holdfast_" + role;
    target.password = Secret(password);
    return target;
  }

  /// "" where the server ran all of them, else its refusals.
  std::string run(const std::string& role, const std::vector<std::string>& statements,
                  const std::string& database = "") {
    sql::Target target = login(role);
    target.database = database;
    std::string refused;
    const auto all = [&](auto&& connection) {
      ASSERT_TRUE(connection) << role << ": " << connection.error().to_string();
      for (const auto& statement : statements)
        if (const auto done = connection->query(statement, Deadline::in(seconds(60))); !done)
          refused += statement + ": " + done.error().message + "\n";
    };
    if (postgres())
      all(sql::PostgresConnection::connect(target, Deadline::in(seconds(20))));
    else
      all(sql::MariadbConnection::connect(target, Deadline::in(seconds(20))));
    return refused;
  }

  std::string dump(const std::string& as, Value& report, const Value& member) {
    const std::string repository = path("repo"), password = path("repo.password");
    if (!std::filesystem::exists(repository)) {
      std::ofstream(password) << "correct horse battery staple";
      const auto made = lab_->holdfast({"repo", "init", "-r", repository, "--password-file", password});
      EXPECT_EQ(made.exit_code, 0) << made.err;
    }
    const std::vector<std::string> common = {"-c", "orders",   "--config",        path(as + ".yaml"),
                                             "-r", repository, "--password-file", password};
    std::vector<std::string> argv = {"backup", "-i", member["member"].text(), "-o", "json"};
    argv.insert(argv.end(), common.begin(), common.end());
    const auto backed = lab_->holdfast(argv);
    EXPECT_EQ(backed.exit_code, 0) << as << ": " << backed.out << backed.err;
    if (backed.exit_code != 0) return "";
    report = (*codec::parse_value(backed.out))["data"];
    argv = {"export", "--snapshot", "latest", "-o", path(as + ".sql")};
    argv.insert(argv.end(), common.begin(), common.end());
    const auto exported = lab_->holdfast(argv);
    EXPECT_EQ(exported.exit_code, 0) << exported.err;
    std::ifstream file(path(as + ".sql"));
    std::string text;
    for (std::string line; std::getline(file, line);) {
      // Statistics of the server's own, and keys that pg_dump makes up for each run.
      if (line.find("innodb_index_stats") != line.npos || line.find("innodb_table_stats") != line.npos) continue;
      if (line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ")) continue;
      text += line + "\n";
    }
    return text;
  }

  /// A member that is not the primary.
  Value another() const {
    for (const auto& m : members_.items())
      if (m["member"].text() != primary_["member"].text()) return m;
    return {};
  }

  std::optional<LabGuard> lab_;
  Value members_, primary_;
};

std::map<std::string, Value> readings_of(const Value& member) {
  std::map<std::string, Value> found;
  for (const auto& reading : member["readings"].items()) found.emplace(reading["name"].text(), reading);
  return found;
}

/// What is said of a member apart from its readings: "path" of all that is known.
void known(const Value& value, const std::string& path, std::set<std::string>& found) {
  if (value.is_object()) {
    for (const auto& [name, one] : value.members())
      if (name != "readings" && name != "ageMs") known(one, path + "." + name, found);
  } else if (!value.is_null()) {
    found.insert(path);
  }
}

TEST_P(ClusterAccounts, TriageKnowsTheSameWithTheAccountToObserve) {
  const Value whole = triage("administrator"), seen = triage("observe");
  ASSERT_TRUE(whole["healthy"].boolean()) << codec::to_json(whole);
  for (const char* same : {"healthy", "sentence", "authority", "leader", "diagnoses"})
    EXPECT_EQ(codec::to_json(seen[same]), codec::to_json(whole[same])) << same;
  ASSERT_EQ(seen["members"].items().size(), members_.items().size());
  for (size_t i = 0; i < members_.items().size(); ++i) {
    const auto &all = whole["members"].items()[i], &one = seen["members"].items()[i];
    for (const char* same : {"name", "role", "verdict"})
      EXPECT_EQ(codec::to_json(one[same]), codec::to_json(all[same])) << same;
    std::set<std::string> all_known, one_known;
    known(all, "", all_known);
    known(one, "", one_known);
    EXPECT_EQ(one_known, all_known);
    const auto now = readings_of(one);
    for (const auto& [name, reading] : readings_of(all)) {
      const auto found = now.find(name);
      EXPECT_NE(found, now.end()) << name;
      if (found != now.end() && reading["unknown"].is_null()) {
        EXPECT_TRUE(found->second["unknown"].is_null()) << codec::to_json(found->second);
      }
    }
    for (const auto& [name, reading] : now) {
      if (reading["unknown"].is_null()) continue;
      EXPECT_TRUE(GetParam().not_shown.contains(name)) << name << ": " << reading["unknown"].text();
    }
  }
  // What is asked where something waits, and is left out without a word where it is refused.
  if (GetParam().engine != Engine::mysql) return;
  EXPECT_EQ(run("observe",
                {"SELECT * FROM performance_schema.metadata_locks", "SELECT * FROM performance_schema.data_lock_waits",
                 "SELECT * FROM performance_schema.replication_applier_status_by_worker",
                 "SELECT * FROM performance_schema.replication_group_members"}),
            "");
}

/// The diagnosis of that; null where there is none.
Value missing_rights(const Value& report) {
  for (const auto& d : report["diagnoses"].items())
    if (d["id"].text() == "account-lacks-rights") return d;
  return {};
}

/// The rights of the account to observe that every check takes, each taken away and given back as triage says.
TEST_P(ClusterAccounts, TriageNamesTheRightThatIsMissing) {
  const auto engine = GetParam().engine;
  const std::string who = postgres() ? "\"holdfast_observe\"" : "'holdfast_observe'@'%'";
  ASSERT_TRUE(missing_rights(triage("observe")).is_null());
  size_t tried = 0;
  for (const auto& right : engine::rights_to_observe(engine, who)) {
    // Asked where something waits, or of a group; and of servers whose binary log replicates.
    if (right.right.find("performance_schema") != std::string::npos) continue;
    if (engine == Engine::galera && right.right.starts_with("BINLOG MONITOR")) continue;
    ++tried;
    SCOPED_TRACE(right.right);
    std::string revoke = "REVOKE" + right.grant.substr(std::string("GRANT").size());
    revoke.replace(revoke.rfind(" TO "), 4, " FROM ");
    ASSERT_EQ(run("administrator", {revoke}), "");
    const Value seen = triage("observe"), lacking = missing_rights(seen);
    ASSERT_FALSE(lacking.is_null()) << codec::to_json(seen["diagnoses"]);
    const std::string summary = lacking["summary"].text(), remedy = lacking["remedy"].text();
    EXPECT_NE(summary.find("the account " + who + " lacks " + right.right + ":"), std::string::npos) << summary;
    EXPECT_NE(remedy.find(right.grant + ";"), std::string::npos) << remedy;
    EXPECT_NE(remedy.find(" --show --role observe"), std::string::npos) << remedy;
    // Each fact that is unknown for it says so, and no other.
    const auto blamed = [&](const Value& member) {
      std::set<std::string> names;
      for (const auto& reading : member["readings"].items())
        if (reading["unknown"].text().find(" lacks ") != std::string::npos) {
          EXPECT_NE(reading["unknown"].text().find(right.right), std::string::npos) << codec::to_json(reading);
          names.insert(reading["name"].text());
        }
      return names;
    };
    bool any = false;
    for (const auto& member : seen["members"].items())
      for (const auto& name : blamed(member)) {
        any = true;
        EXPECT_NE(std::ranges::find(right.questions, name), right.questions.end()) << name;
        EXPECT_NE(summary.find(name), std::string::npos) << summary;
      }
    EXPECT_TRUE(any) << codec::to_json(seen["members"]);
    ASSERT_EQ(run("administrator", {right.grant}), "");
    Value still = lacking;
    for (int i = 0; i < 20 && !still.is_null(); ++i)
      still = missing_rights(triage("observe"));  // replicas have it later
    EXPECT_TRUE(still.is_null()) << codec::to_json(still);
  }
  EXPECT_GE(tried, 2u);
  if (engine != Engine::mysql) return;
  // What is asked only where something waits.
  ASSERT_EQ(run("administrator", {"CREATE DATABASE zoo", "CREATE TABLE zoo.t (id INT PRIMARY KEY)",
                                  "REVOKE SELECT ON performance_schema.* FROM holdfast_observe"}),
            "");
  std::jthread writer;
  auto lock = sql::MariadbConnection::connect(login("administrator"), Deadline::in(seconds(10)));
  ASSERT_TRUE(lock) << lock.error().to_string();
  ASSERT_TRUE(lock->query("FLUSH TABLES WITH READ LOCK", Deadline::in(seconds(10))));
  writer = std::jthread([&] { EXPECT_EQ(run("administrator", {"INSERT INTO zoo.t VALUES (1)"}), ""); });
  Value lacking;
  for (int i = 0; i < 20 && lacking.is_null(); ++i) lacking = missing_rights(triage("observe"));
  EXPECT_NE(lacking["summary"].text().find("lacks SELECT ON `performance_schema`.*: not known: "), std::string::npos)
      << codec::to_json(lacking);
  EXPECT_NE(lacking["summary"].text().find("holders of locks"), std::string::npos) << codec::to_json(lacking);
  EXPECT_TRUE(missing_rights(triage("administrator")).is_null());
  EXPECT_TRUE(lock->query("UNLOCK TABLES", Deadline::in(seconds(10))));
}

TEST_P(ClusterAccounts, NoneDoesWhatItsRoleMustNot) {
  if (postgres()) {
    EXPECT_EQ(run("administrator", {"CREATE TABLE victim (id int PRIMARY KEY)", "INSERT INTO victim VALUES (1)"}), "");
  } else {
    EXPECT_EQ(run("administrator", {"CREATE DATABASE victim", "CREATE TABLE victim.t (id INT PRIMARY KEY)",
                                    "INSERT INTO victim.t VALUES (1)"}),
              "");
  }
  const std::vector<std::string> writes = postgres()
                                              ? std::vector<std::string>{"INSERT INTO victim VALUES (2)",
                                                                         "UPDATE victim SET id = 3",
                                                                         "DELETE FROM victim",
                                                                         "DROP TABLE victim",
                                                                         "TRUNCATE victim",
                                                                         "CREATE TABLE own (id int)",
                                                                         "CREATE ROLE other",
                                                                         "CREATE DATABASE other",
                                                                         "ALTER SYSTEM SET work_mem = '5MB'",
                                                                         "CREATE EXTENSION dblink",
                                                                         "SELECT pg_read_file('pg_wal/x', 0, 1, true)"}
                                              : std::vector<std::string>{"INSERT INTO victim.t VALUES (2)",
                                                                         "UPDATE victim.t SET id = 3",
                                                                         "DELETE FROM victim.t",
                                                                         "DROP TABLE victim.t",
                                                                         "TRUNCATE victim.t",
                                                                         "CREATE TABLE victim.own (id INT)",
                                                                         "CREATE DATABASE other",
                                                                         "CREATE USER other",
                                                                         "GRANT PROCESS ON *.* TO holdfast_observe"};
  for (const std::string role : {"observe", "operate", "backup"}) {
    for (const auto& statement : writes) EXPECT_NE(run(role, {statement}), "") << role << ": " << statement;
  }
  for (const std::string role : {"observe", "backup"})
    EXPECT_NE(run(role, {postgres() ? "SELECT pg_reload_conf()" : "SET GLOBAL read_only = OFF"}), "") << role;
  EXPECT_NE(run("observe", {postgres() ? "SELECT * FROM victim" : "SELECT * FROM victim.t"}), "");
  EXPECT_EQ(run("backup", {postgres() ? "SELECT * FROM victim" : "SELECT * FROM victim.t"}), "");
  EXPECT_EQ(run("operate", {postgres() ? "SELECT pg_reload_conf()" : "SET GLOBAL read_only = OFF"}), "");
}

TEST_P(ClusterAccounts, TheDumpIsTheAdministrators) {
  if (postgres()) {
    ASSERT_EQ(run("administrator",
                  {"CREATE DATABASE closed", "REVOKE CONNECT ON DATABASE closed FROM PUBLIC", "CREATE SCHEMA zoo",
                   "CREATE TABLE zoo.t (id serial PRIMARY KEY, what text)", "INSERT INTO zoo.t (what) VALUES ('a')",
                   "ALTER TABLE zoo.t ENABLE ROW LEVEL SECURITY", "ALTER TABLE zoo.t FORCE ROW LEVEL SECURITY",
                   "CREATE VIEW zoo.v AS SELECT * FROM zoo.t", "CREATE MATERIALIZED VIEW zoo.m AS SELECT 1 AS a",
                   "CREATE FUNCTION zoo.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                   "CREATE TRIGGER tr BEFORE INSERT ON zoo.t FOR EACH ROW EXECUTE FUNCTION zoo.f()",
                   "CREATE UNLOGGED TABLE zoo.u AS SELECT 2 AS b", "CREATE ROLE keeper LOGIN PASSWORD 'x'",
                   "SELECT lo_from_bytea(9001, 'bytes')", "SELECT lo_from_bytea(9002, 'more')",
                   "ALTER LARGE OBJECT 9002 OWNER TO keeper", "ALTER SYSTEM SET log_rotation_age = '3h'"}),
              "");
    // Large objects of before are readable once it is run again.
    ASSERT_EQ(create({"--role", "backup"}).exit_code, 0);
  } else {
    ASSERT_EQ(run("administrator",
                  {"CREATE DATABASE zoo", "CREATE TABLE zoo.t (id INT PRIMARY KEY AUTO_INCREMENT, what TEXT)",
                   "INSERT INTO zoo.t (what) VALUES ('a')", "CREATE VIEW zoo.v AS SELECT * FROM zoo.t",
                   "CREATE SQL SECURITY INVOKER VIEW zoo.i AS SELECT id FROM zoo.v",
                   "CREATE PROCEDURE zoo.p() SELECT 1", "CREATE FUNCTION zoo.f() RETURNS INT DETERMINISTIC RETURN 1",
                   "CREATE TRIGGER zoo.tr BEFORE INSERT ON zoo.t FOR EACH ROW SET NEW.what = 'b'",
                   "CREATE EVENT zoo.e ON SCHEDULE EVERY 1 YEAR DO DELETE FROM zoo.t WHERE FALSE",
                   "CREATE USER keeper IDENTIFIED BY 'x'", "GRANT SELECT ON zoo.* TO keeper"}),
              "");
    if (GetParam().engine == Engine::mysql) {
      ASSERT_EQ(run("administrator", {"CREATE RESOURCE GROUP slow TYPE=USER THREAD_PRIORITY=0"}), "");
    }
    if (GetParam().engine == Engine::mariadb) {
      ASSERT_EQ(run("administrator", {"CREATE SEQUENCE zoo.s"}), "");
    }
  }
  Value whole, own;
  const std::string expected = dump("administrator", whole, primary_), is = dump("backup", own, primary_);
  ASSERT_FALSE(expected.empty() || is.empty());
  for (const std::string object : {"keeper", postgres() ? "9002" : "zoo", postgres() ? "TRIGGER tr" : "PROCEDURE"})
    EXPECT_NE(expected.find(object), std::string::npos) << object;
  std::istringstream a(expected), b(is);
  std::multiset<std::string> missing, lines;
  for (std::string line; std::getline(b, line);) lines.insert(line);
  for (std::string line; std::getline(a, line);) {
    const auto found = lines.find(line);
    if (found == lines.end())
      missing.insert(line.substr(0, 200));
    else
      lines.erase(found);
  }
  // Where each dump stands is a line of it; PostgreSQL's and Galera's have none.
  std::erase_if(missing, [](const std::string& line) { return line.starts_with("-- CHANGE ") || line.empty(); });
  EXPECT_TRUE(missing.empty()) << missing.size() << " lines, the first: " << *missing.begin();
  const auto kinds = [](const Value& report) {
    std::multiset<std::string> found;
    for (const auto& note : report["notes"].items()) found.insert(note["id"].text() + " " + note["object"].text());
    return found;
  };
  EXPECT_EQ(kinds(own), kinds(whole));
  EXPECT_NE(dump("backup", own, another()).find("keeper"), std::string::npos);
}

TEST_P(ClusterAccounts, ExistingAccountsAreKeptOrRefused) {
  const auto again = create({"-o", "json"});
  ASSERT_EQ(again.exit_code, 0) << again.out << again.err;
  for (const auto& account : (*codec::parse_value(again.out))["data"]["accounts"].items()) {
    EXPECT_FALSE(account["created"].boolean());
    const std::string file = password_file(account["role"].text());
    struct stat info{};
    ASSERT_EQ(::stat(file.c_str(), &info), 0) << file;
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    std::ifstream in(file);
    std::string password;
    std::getline(in, password);
    EXPECT_GE(password.size(), 20u);
    EXPECT_EQ((again.out + again.err).find(password), std::string::npos);
  }
  ASSERT_EQ(run("administrator",
                {postgres() ? "ALTER ROLE holdfast_observe CREATEDB" : "GRANT CREATE ON *.* TO holdfast_observe"}),
            "");
  EXPECT_NE(create({"--role", "observe", "-o", "json"}).out.find("accounts.other_rights"), std::string::npos);
  const auto refused = create({"--role", "observe"});
  EXPECT_EQ(refused.exit_code, 3) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("holdfast_observe"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find(postgres() ? "CREATEDB" : "CREATE ON *.*"), std::string::npos) << refused.err;
  EXPECT_EQ(create({"--role", "backup"}).exit_code, 0);

  // Under another name there is none yet. An empty file is no password, and --dry-run makes neither file nor account.
  const std::string empty = path("passwords/other_observe.password");
  std::ofstream(empty).close();
  ASSERT_EQ(::chmod(empty.c_str(), 0600), 0);
  const auto unfit = create({"--role", "observe", "--name-prefix", "other_", "-o", "json"});
  EXPECT_EQ(unfit.exit_code, 2) << unfit.out << unfit.err;
  EXPECT_NE(unfit.out.find("accounts.password"), std::string::npos) << unfit.out;
  ASSERT_EQ(::unlink(empty.c_str()), 0);
  for (int twice = 0; twice < 2; ++twice) {
    const auto dry = create({"--role", "observe", "--name-prefix", "other_", "--dry-run"});
    EXPECT_EQ(dry.exit_code, 0) << dry.err;
    EXPECT_NE(dry.out.find("other_observe: would be created"), std::string::npos) << dry.out;
    EXPECT_NE(::access(empty.c_str(), F_OK), 0);
  }
  if (GetParam().engine == Engine::galera) return;
  describe("replica", primary_["user"].text(), primary_["passwordFile"].text(), {another()});
  const auto on = [&](const std::string& file) {
    return lab_->holdfast({"cluster", "accounts", "-c", "orders", "--config", path(file), "--create", "--password-dir",
                           path("passwords"), "--role", "backup", "-o", "json"});
  };
  const auto none = on("replica.yaml");
  EXPECT_EQ(none.exit_code, 3) << none.out << none.err;
  EXPECT_NE(none.out.find("accounts.no_primary"), std::string::npos) << none.out;
  if (GetParam().engine != Engine::mariadb) return;
  EXPECT_EQ(on("administrator.yaml").exit_code, 0);
  // The account to operate bypasses read_only and writes no row; another one that bypasses it is reported.
  const auto bypass = [&] {
    return codec::to_json(triage("administrator")["diagnoses"]).find("read-only-bypass") != std::string::npos;
  };
  EXPECT_FALSE(bypass());
  EXPECT_EQ(run("administrator", {"CREATE USER batch", "GRANT READ_ONLY ADMIN ON *.* TO batch"}), "");
  EXPECT_TRUE(bypass());
  primary_ = another();
  EXPECT_EQ(run("administrator", {"STOP ALL SLAVES", "RESET SLAVE ALL", "SET GLOBAL read_only = OFF"}), "");
  const auto two = on("administrator.yaml");
  EXPECT_EQ(two.exit_code, 3) << two.out << two.err;
  EXPECT_NE(two.out.find("accounts.two_primaries"), std::string::npos) << two.out;
}

INSTANTIATE_TEST_SUITE_P(
    Engines, ClusterAccounts,
    testing::Values(Kind{"mariadb", Engine::mariadb, "mariadbd", "semi-sync", {"accounts", "replicas"}},
                    Kind{"galera", Engine::galera, "mariadbd", "galera", {}},
                    Kind{"mysql", Engine::mysql, "mysqld", "async", {"replicas"}},
                    Kind{"postgres", Engine::postgres, "postgres", "streaming", {}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace holdfast::test
