// A cluster is backed up, its data destroyed, restored, and compared table by table, on every engine; and what must not
// leave a snapshot or change a cluster does not.
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "engine/programs.h"
#include "lab/content.h"
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

TEST_P(ClusterBackup, RestoresIntoAFolderAndExports) {
  backup();
  const std::string into = lab_->state_dir() + "/fresh";
  const auto restored =
      lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--into", into, "-o", "json"});
  ASSERT_EQ(restored.exit_code, 0) << restored.out << restored.err;
  EXPECT_TRUE(fs::is_directory(into + "/data"));
  EXPECT_GT(codec::parse_value(restored.out).value()["data"]["proof"]["rowsCounted"].integer(), 100);
  const auto twice = lab_->holdfast({"restore", "-c", GetParam().cluster, "-r", repository_, "--into", into});
  EXPECT_EQ(twice.exit_code, 3) << twice.err;

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

INSTANTIATE_TEST_SUITE_P(Engines, ClusterBackup,
                         testing::Values(Case{Engine::mariadb, "mariadbd", "shop-mariadb", "DROP DATABASE shop", 3},
                                         Case{Engine::galera, "mariadbd", "shop-galera", "DROP DATABASE shop", 3},
                                         Case{Engine::mysql, "mysqld", "shop-mysql", "DROP DATABASE shop", 2},
                                         Case{Engine::postgres, "postgres", "shop-postgres", "DROP DATABASE shop", 2}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

}  // namespace
}  // namespace holdfast::test
