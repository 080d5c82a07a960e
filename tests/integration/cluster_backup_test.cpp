// A cluster is backed up, its data destroyed, restored, and compared table by table, on every engine; and what must not
// leave a snapshot or change a cluster does not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <thread>

#include "engine/programs.h"
#include "lab/content.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"
#include "tests/support/by_hand.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

void run_sql(Engine engine, const Value& member, const std::string& statement) {
  const Deadline deadline = Deadline::in(seconds(30));
  if (engine == Engine::postgres) {
    auto connection = sql::PostgresConnection::connect(target_of(member), deadline);
    ASSERT_TRUE(connection) << connection.error().to_string();
    auto done = connection->query(statement, deadline);
    ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
    return;
  }
  auto connection = sql::MariadbConnection::connect(target_of(member), deadline);
  ASSERT_TRUE(connection) << connection.error().to_string();
  auto done = connection->query(statement, deadline);
  ASSERT_TRUE(done) << statement << ": " << done.error().to_string();
}

lab::Content content_of(Engine engine, const sql::Target& target) {
  auto content = lab::content_of(engine, target);
  EXPECT_TRUE(content) << content.error().to_string();
  return content ? std::move(*content) : lab::Content();
}

struct Case {
  Engine engine;
  const char* server;
  const char* cluster;
  const char* damage;  ///< what is run on the primary after the backup
  size_t members;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.cluster;
}

class ClusterBackup : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    HOLDFAST_NEED(std::string(cluster::engine_name(GetParam().engine)),
                  engine::find_program(GetParam().engine, GetParam().server).has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    const auto up = lab_->holdfast({"lab", "up", GetParam().cluster});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    const auto load = lab_->holdfast({"lab", "load", "-c", GetParam().cluster, "--size", "3MB"});
    ASSERT_EQ(load.exit_code, 0) << load.err;
    const auto init = lab_->holdfast({"repo", "init", "-r", repository_});
    ASSERT_EQ(init.exit_code, 0) << init.err;
  }

  Value first() { return lab_->member(std::string(GetParam().cluster) + "-0"); }
  Value member(size_t i) { return lab_->member(std::string(GetParam().cluster) + "-" + std::to_string(i)); }

  size_t snapshots() {
    const auto listed = lab_->holdfast({"get", "snapshots", "-r", repository_, "-o", "json"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    return codec::parse_value(listed.out).value()["data"]["snapshots"].items().size();
  }

  Value backup() {
    const auto done = lab_->holdfast({"backup", "-c", GetParam().cluster, "-r", repository_, "-o", "json"});
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    auto envelope = codec::parse_value(done.out);
    return envelope ? (*envelope)["data"] : Value();
  }

  std::optional<LabGuard> lab_;
  std::string repository_;
};

TEST_P(ClusterBackup, RestoresIntoTheLiveClusterEqualByContent) {
  const auto before = content_of(GetParam().engine, target_of(first()));
  ASSERT_GT(before.size(), 3u);
  // A replica that is far behind is no source.
  EXPECT_TRUE(*sys::wait_until([&] { return content_of(GetParam().engine, target_of(member(1))) == before; },
                               Deadline::in(std::chrono::seconds(60))));
  const Value report = backup();
  EXPECT_TRUE(report["positionExact"].boolean());
  EXPECT_FALSE(report["position"].text().empty());
  EXPECT_GT(report["rows"].integer(), 100);
  if (GetParam().engine != Engine::galera) {
    EXPECT_NE(report["member"].text(), std::string(GetParam().cluster) + "-0") << "a healthy replica is the source";
  }

  run_sql(GetParam().engine, first(), GetParam().damage);
  EXPECT_NE(content_of(GetParam().engine, target_of(first())), before);

  const auto refused = lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_NE(refused.err.find("--accept=replace-data"), std::string::npos) << refused.err;

  const auto restored =
      lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--accept=replace-data", "-o", "json"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  const Value data = codec::parse_value(restored.out).value()["data"];
  EXPECT_TRUE(data["proof"]["endMarker"].boolean());
  EXPECT_GT(data["proof"]["rowsCounted"].integer(), 100);
  EXPECT_EQ(data["setAside"].items().size(), GetParam().members);
  for (const auto& path : data["setAside"].items()) EXPECT_TRUE(fs::is_directory(path.text())) << path.text();

  for (size_t i = 0; i < GetParam().members; ++i) {
    EXPECT_EQ(content_of(GetParam().engine, target_of(member(i))), before) << "member " << i;
  }
  RunResult status;
  const auto healthy = sys::wait_until(
      [&] {
        status = lab_->holdfast({"get", "status", "-c", GetParam().cluster});
        return status.exit_code == 0;
      },
      Deadline::in(seconds(15)));
  EXPECT_TRUE(healthy && *healthy) << status.out;

  // Replication goes on: what is written now reaches the last member.
  const bool postgres = GetParam().engine == Engine::postgres;
  run_sql(GetParam().engine, first(),
          postgres ? "CREATE TABLE after_restore (i int)" : "CREATE TABLE shop.after_restore (i int primary key)");
  const sql::Target last = target_of(member(GetParam().members - 1));
  const auto arrived = sys::wait_until(
      [&] {
        return content_of(GetParam().engine, last)
            .contains(postgres ? "postgres.public.after_restore" : "shop.after_restore");
      },
      Deadline::in(seconds(30)));
  EXPECT_TRUE(arrived && *arrived);
  const auto again = lab_->holdfast({"backup", "-c", GetParam().cluster, "-r", repository_});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(snapshots(), 2u);
}

/// What a directory that `restore --into` filled holds, once its server runs.
lab::Content content_of_folder(const Case& c, const std::string& folder) {
  const bool postgres = c.engine == Engine::postgres;
  const auto program = engine::find_program(c.engine, c.server);
  EXPECT_TRUE(program) << program.error().to_string();
  if (!program) return {};
  const std::string etc = folder + "/etc/";
  const ByHand server(postgres ? (::geteuid() == 0 ? "setpriv --reuid=postgres --regid=postgres --clear-groups " : "") +
                                     *program + " -D " + folder + "/data -c config_file=" + etc +
                                     "postgresql.conf -c listen_addresses="
                               : *program + " --defaults-file=" + etc + "server.cnf --skip-networking" +
                                     (::geteuid() == 0 ? " --user=mysql" : ""));
  sql::Target target;
  target.user = postgres ? "postgres" : "holdfast";
  target.port = postgres ? 5432 : 0;
  target.socket = folder + (postgres ? "/run/.s.PGSQL.5432" : "/run/server.sock");
  std::string password(as_text(sys::read_file(folder + "/admin.password").value().span()));
  while (password.ends_with('\n')) password.pop_back();
  target.password = Secret(password);
  std::string said;
  const auto serves =
      sys::wait_until([&] { return (said = ask(c.engine, target, "SELECT 1")) == "1"; }, Deadline::in(seconds(60)));
  EXPECT_TRUE(serves && *serves) << said;
  return serves && *serves ? content_of(c.engine, target) : lab::Content();
}

TEST_P(ClusterBackup, RestoresIntoAFolderAndExports) {
  const auto before = content_of(GetParam().engine, target_of(first()));
  ASSERT_GT(before.size(), 3u);
  EXPECT_TRUE(*sys::wait_until([&] { return content_of(GetParam().engine, target_of(member(1))) == before; },
                               Deadline::in(seconds(60))));
  backup();
  const std::string into = lab_->state_dir() + "/fresh";
  const auto restored =
      lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--into", into, "-o", "json"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_TRUE(fs::is_directory(into + "/data"));
  EXPECT_GT(codec::parse_value(restored.out).value()["data"]["proof"]["rowsCounted"].integer(), 100);
  const auto twice = lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--into", into});
  EXPECT_EQ(twice.exit_code, 3) << twice.err;
  // The server has accounts of its own beside those of the cluster; all else is as it was.
  const auto content = content_of_folder(GetParam(), into);
  for (const auto& [name, sum] : before) EXPECT_EQ(content.contains(name) ? content.at(name) : "nothing", sum) << name;

  const std::string file = lab_->state_dir() + "/dump.sql.gz";
  const auto exported = lab_->holdfast({"export", "-c", GetParam().cluster, "-r", repository_, "-o", file});
  ASSERT_EQ(exported.exit_code, 0) << exported.err;
  const auto text = run_program({"/bin/sh", "-c", "zcat " + file + " | tail -n 6"});
  EXPECT_NE(text.out.find(GetParam().engine == Engine::postgres ? "cluster dump complete" : "-- Dump completed"),
            std::string::npos)
      << text.out;
}

TEST_P(ClusterBackup, AKilledProducerLeavesNoSnapshot) {
  // A dump program that dies in the middle: its output is cut, its status says so.
  const std::string name = GetParam().engine == Engine::postgres ? "pg_dump"
                           : GetParam().engine == Engine::mysql  ? "mysqldump"
                                                                 : "mariadb-dump";
  RunOptions options;
  options.env = {{"HOLDFAST_STATE_DIR", lab_->state_dir()}};
  const std::string kill_child = "(" + holdfast_binary() + " backup -c " + GetParam().cluster + " -r " + repository_ +
                                 ") & p=$!; while kill -0 $p 2>/dev/null; do for c in $(pgrep -P $p); do "
                                 "case \"$(cat /proc/$c/comm 2>/dev/null)\" in " +
                                 name.substr(0, 15) + "|ld-linux*) kill -9 $c;; esac; done; done; wait $p";
  const auto done = run_program({"/bin/bash", "-c", kill_child}, options);
  EXPECT_EQ(done.exit_code, 8) << done.err;
  EXPECT_NE(done.err.find("ended with signal 9"), std::string::npos) << done.err;
  EXPECT_EQ(snapshots(), 0u);
}

/// A replica that runs, but will not be level for an hour.
class LaggingReplica : public ClusterBackup {};

TEST_P(LaggingReplica, IsNotWaitedForAndThePrimaryIsTheSource) {
  for (const char* statement :
       {"STOP REPLICA SQL_THREAD", "CHANGE REPLICATION SOURCE TO SOURCE_DELAY = 3600", "START REPLICA SQL_THREAD"}) {
    run_sql(GetParam().engine, member(1), statement);
  }
  run_sql(GetParam().engine, first(), "CREATE TABLE shop.acknowledged (i int primary key)");
  const auto done = lab_->holdfast({"backup", "-c", GetParam().cluster, "-r", repository_, "-o", "json"});
  ASSERT_EQ(done.exit_code, 0) << done.out << done.err;
  const Value report = codec::parse_value(done.out).value_or(Value())["data"];
  EXPECT_EQ(report["member"].text(), std::string(GetParam().cluster) + "-0");
  EXPECT_LT(report["seconds"].number(), 45) << "it was waited for";
  const std::string lag = std::string(GetParam().cluster) + "-1 lacks ";
  EXPECT_NE(done.out.find(lag), std::string::npos) << done.out;
  const std::string path = std::string("/shop/") + GetParam().cluster + "/mysqldump.sql";
  const auto dump = lab_->holdfast({"dump", "latest", path, "-r", repository_});
  EXPECT_NE(dump.out.find("CREATE TABLE `acknowledged`"), std::string::npos) << "what was acknowledged is missing";
}

/// A restore that fails half way: everything must be as it was.
class RestoreUndo : public ClusterBackup {
 protected:
  std::vector<fs::path> set_aside(const Value& of) {
    std::vector<fs::path> found;
    const fs::path data = of["dataDir"].text();
    for (const auto& entry : fs::directory_iterator(data.parent_path())) {
      if (entry.path().filename().string().starts_with("data.replaced-")) found.push_back(entry.path());
    }
    return found;
  }
  ino_t identity_of(size_t i) {
    struct stat info{};
    EXPECT_EQ(::stat(member(i)["dataDir"].text().c_str(), &info), 0);
    return info.st_ino;
  }
  void expect_healthy() {
    RunResult status;
    const auto healthy = sys::wait_until(
        [&] {
          status = lab_->holdfast({"get", "status", "-c", GetParam().cluster});
          return status.exit_code == 0;
        },
        Deadline::in(seconds(30)));
    EXPECT_TRUE(healthy && *healthy) << status.out;
  }
};

TEST_P(RestoreUndo, ABrokenStatementInTheMiddlePutsTheOldDataBack) {
  backup();
  const std::string path = std::string("/shop/") + GetParam().cluster +
                           (GetParam().engine == Engine::postgres ? "/pgdumpall.sql" : "/mysqldump.sql");
  std::string dump = lab_->holdfast({"dump", "latest", path, "-r", repository_}).out;
  ASSERT_GT(dump.size(), 1000u);
  size_t middle = dump.find("\n--\n", dump.size() / 2);
  if (middle == std::string::npos) middle = dump.rfind("\n--\n", dump.size() / 2);
  ASSERT_NE(middle, std::string::npos);
  dump.insert(middle + 1, "SELECT no_such_column FROM no_such_table;\n");
  RunOptions input;
  input.input = dump;
  std::vector<std::string> store = {"backup", "--stdin", "--path", path.substr(1), "-r", repository_};
  for (const std::string tag : {"type=backup", "method=dump", "namespace=shop"})
    store.insert(store.end(), {"--tag", tag});
  store.insert(store.end(), {"--tag", std::string("cluster=") + GetParam().cluster, "--tag",
                             "engine=" + std::string(cluster::engine_name(GetParam().engine))});
  const auto stored = run_holdfast(store, input);
  ASSERT_EQ(stored.exit_code, 0) << stored.err;

  // What was written after the backup must be there after the failure.
  run_sql(GetParam().engine, first(),
          GetParam().engine == Engine::postgres ? "CREATE TABLE kept (i int)"
                                                : "CREATE TABLE shop.kept (i int primary key)");
  const auto before = content_of(GetParam().engine, target_of(first()));
  std::vector<ino_t> directories;
  for (size_t i = 0; i < GetParam().members; ++i) directories.push_back(identity_of(i));
  const auto restored =
      lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--accept=replace-data"});
  EXPECT_EQ(restored.exit_code, 8) << restored.out << restored.err;
  EXPECT_NE(restored.err.find("no_such_table"), std::string::npos) << restored.err;
  EXPECT_NE(restored.err.find("the old data is back"), std::string::npos) << restored.err;
  EXPECT_NE(restored.err.find("HINT:"), std::string::npos) << restored.err;
  for (size_t i = 0; i < GetParam().members; ++i) EXPECT_EQ(identity_of(i), directories[i]) << "member " << i;
  expect_healthy();
  for (size_t i = 0; i < GetParam().members; ++i)
    EXPECT_EQ(content_of(GetParam().engine, target_of(member(i))), before) << "member " << i;
}

/// Agents are the same for every engine: one is enough.
class RestoreWithoutAgent : public RestoreUndo {};

TEST_P(RestoreWithoutAgent, OneKilledAgentKeepsNobodyFromHavingTheOldDataBack) {
  backup();
  run_sql(GetParam().engine, first(), "CREATE TABLE shop.kept (i int primary key)");
  const auto before = content_of(GetParam().engine, target_of(first()));
  std::vector<ino_t> directories;
  for (size_t i = 0; i < GetParam().members; ++i) directories.push_back(identity_of(i));
  const auto victim = static_cast<pid_t>(member(1)["agentPid"].integer());
  ASSERT_GT(victim, 1);
  RunResult restored;
  {
    std::jthread run([&] {
      restored = lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--accept=replace-data"});
    });
    const Value last = member(GetParam().members - 1);
    const auto moved = sys::wait_until([&] { return !set_aside(last).empty(); }, Deadline::in(seconds(60)));
    EXPECT_TRUE(moved && *moved);
    EXPECT_EQ(::kill(victim, SIGKILL), 0);
  }
  EXPECT_EQ(restored.exit_code, 9) << restored.out << restored.err;
  EXPECT_NE(restored.err.find("HINT:"), std::string::npos) << restored.err;
  for (size_t i = 0; i < GetParam().members; ++i) EXPECT_EQ(identity_of(i), directories[i]) << "member " << i;
  EXPECT_EQ(content_of(GetParam().engine, target_of(first())), before) << "the primary serves";
  const auto up = lab_->holdfast({"lab", "up", GetParam().cluster});
  EXPECT_EQ(up.exit_code, 0) << up.err;
  expect_healthy();
  for (size_t i = 0; i < GetParam().members; ++i)
    EXPECT_EQ(content_of(GetParam().engine, target_of(member(i))), before) << "member " << i;
}

/// A server somebody else runs, known by a DatabaseCluster of provider external only.
class ExternalCluster : public ClusterBackup {
 protected:
  std::string describe(const std::string& name, const std::string& password) {
    const std::string file = lab_->state_dir() + "/" + name + ".yaml";
    const Value server = first();
    const std::string text =
        "apiVersion: holdfast.dev/v1alpha1\nkind: DatabaseCluster\nmetadata:\n  name: " + name +
        "\n  namespace: prod\nspec:\n  engine: " + std::string(cluster::engine_name(GetParam().engine)) +
        "\n  provider: external\n  credentials:\n    user: " + server["user"].text() + "\n    " + password +
        "\n  members:\n    - host: 127.0.0.1\n      port: " + std::to_string(server["port"].integer()) + "\n";
    EXPECT_TRUE(sys::publish_file(file, as_bytes(text), 0600));
    return file;
  }
};

TEST_P(ExternalCluster, IsBackedUpOverTcpAndNotRestoredInto) {
  const std::string secret(target_of(first()).password.reveal());
  const std::string by_file = describe("by-file", "passwordFile: " + first()["passwordFile"].text());
  const std::string by_env = describe("by-env", "passwordEnv: ERP_PASSWORD");
  const auto without = lab_->holdfast({"backup", "-c", "by-env", "--config", by_env, "-r", repository_});
  EXPECT_EQ(without.exit_code, 2) << without.err;
  EXPECT_NE(without.err.find("ERP_PASSWORD"), std::string::npos) << without.err;
  ::setenv("ERP_PASSWORD", secret.c_str(), 1);
  for (const auto& [name, config] : {std::pair<std::string, std::string>{"by-file", by_file}, {"by-env", by_env}}) {
    const auto done = lab_->holdfast({"backup", "-c", name, "--config", config, "-r", repository_, "-o", "json"});
    EXPECT_EQ(done.exit_code, 0) << done.out << done.err;
    EXPECT_EQ((done.out + done.err).find(secret), std::string::npos) << "the password is shown";
    const Value report = codec::parse_value(done.out).value_or(Value())["data"];
    EXPECT_EQ(report["namespace"].text(), "prod");
    EXPECT_GT(report["rows"].integer(), 100) << done.out;
    EXPECT_TRUE(report["positionExact"].boolean()) << done.out;

    const auto refused =
        lab_->holdfast({"restore", "-c", name, "--config", config, "-r", repository_, "--accept=replace-data"});
    EXPECT_EQ(refused.exit_code, 3) << refused.err;
    EXPECT_NE(refused.err.find("cannot be replaced from here"), std::string::npos) << refused.err;
    EXPECT_NE(refused.err.find("--into"), std::string::npos) << refused.err;
  }
  ::setenv("ERP_PASSWORD", "wrong", 1);
  const auto denied = lab_->holdfast({"backup", "-c", "by-env", "--config", by_env, "-r", repository_});
  EXPECT_NE(denied.exit_code, 0);
  EXPECT_NE(denied.err.find("HINT:"), std::string::npos) << denied.err;
  ::unsetenv("ERP_PASSWORD");
  EXPECT_EQ(snapshots(), 2u);
  const std::string into = lab_->state_dir() + "/beside";
  const auto beside =
      lab_->holdfast({"restore", "-c", "by-file", "--config", by_file, "-r", repository_, "--into", into});
  EXPECT_EQ(beside.exit_code, 0) << beside.err;
}

const auto engine_of = [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); };
INSTANTIATE_TEST_SUITE_P(Engines, RestoreUndo,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb", "", 3},
                                         Case{Engine::galera, "mariadbd", "shop-galera", "", 3},
                                         Case{Engine::mysql, "mysqld", "shop-mysql", "", 2},
                                         Case{Engine::postgres, "postgres", "shop-postgres", "", 2}),
                         engine_of);
INSTANTIATE_TEST_SUITE_P(Engines, RestoreWithoutAgent,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb", "", 3}), engine_of);
INSTANTIATE_TEST_SUITE_P(Engines, LaggingReplica, testing::Values(Case{Engine::mysql, "mysqld", "shop-mysql", "", 2}),
                         engine_of);
INSTANTIATE_TEST_SUITE_P(Engines, ExternalCluster,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb", "", 3},
                                         Case{Engine::postgres, "postgres", "shop-postgres", "", 2}),
                         engine_of);
INSTANTIATE_TEST_SUITE_P(Engines, ClusterBackup,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb", "DROP DATABASE shop", 3},
                                         Case{Engine::galera, "mariadbd", "shop-galera", "DROP DATABASE shop", 3},
                                         Case{Engine::mysql, "mysqld", "shop-mysql", "DROP DATABASE shop", 2},
                                         Case{Engine::postgres, "postgres", "shop-postgres", "DROP DATABASE shop", 2}),
                         engine_of);

}  // namespace
}  // namespace holdfast::test
