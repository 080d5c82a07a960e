// What a repair keeps where histories have diverged, and that it can be got back: the victim's data directory starts
// as a server again, each member's dump fills an empty one, and both have the rows nobody else has.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "engine/programs.h"
#include "provider/folder_server.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "tests/integration/patient.h"
#include "tests/support/by_hand.h"
#include "tests/support/member_sql.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

struct Case {
  Engine engine;
  const char* server;
  const char* cluster;
  int victim;
  /// Leaves the victim with two rows in a table `unique_here` that nobody else has.
  void (*diverge)(Patient&);
  const char* count;  ///< counts them
  std::set<std::string> dumps;
};
void PrintTo(const Case& c, std::ostream* out) {
  *out << c.cluster;
}

void write_on_replica(Patient& p, const char* lock) {
  p.sql(1, {std::string("SET GLOBAL ") + lock + "=OFF", "CREATE TABLE shop.unique_here (i int primary key)",
            "INSERT INTO shop.unique_here VALUES (1), (2)", std::string("SET GLOBAL ") + lock + "=ON"});
}

/// The standby is promoted while the old primary has a tail it never got.
void fail_over_too_early(Patient& p) {
  const std::string at = p.sql(0, {"SELECT pg_current_wal_insert_lsn()"});
  await(
      "the standby has it", [&] { return p.sql(1, {"SELECT pg_last_wal_replay_lsn() >= '" + at + "'"}) == "t"; },
      seconds(20));
  p.stop(1);
  p.sql(0, {"CREATE TABLE unique_here (i int)", "INSERT INTO unique_here VALUES (1), (2)"});
  p.kill(0);
  p.start(1);
  p.sql(1, {"SELECT pg_promote(true, 30)"});
  p.agent(1, "configure", Value::object({{"role", "primary"}, {"upstream", ""}}));
  p.sql(1, {"CREATE TABLE newer (i int)"});
}

class Escrow : public testing::TestWithParam<Case> {
 protected:
  Value run(std::vector<std::string> args, int expected, const std::string& error_id = "") {
    args.insert(args.end(), {"-o", "json"});
    const auto done = lab.holdfast(args);
    const Value said = codec::parse_value(done.out).value_or(Value());
    EXPECT_EQ(done.exit_code, expected) << args[0] << ": " << codec::to_json(said["errors"]) << done.err;
    if (!error_id.empty()) {
      EXPECT_EQ(said["errors"].items().empty() ? "" : said["errors"].items()[0]["id"].text(), error_id);
    }
    return said["data"];
  }
  /// As triage and the refusals print it, with DIR filled in.
  Value run_line(std::string line, const std::string& dir) {
    line.replace(line.find("DIR"), 3, dir);
    std::istringstream words(line.substr(std::string("holdfast ").size()));
    std::vector<std::string> args;
    for (std::string word; words >> word;) args.push_back(word);
    return run(args, 0);
  }

  LabGuard lab;
};

TEST_P(Escrow, StartsAsAServerAgainAndTheDumpsFillAnEmptyOne) {
  const Case& c = GetParam();
  HOLDFAST_NEED(c.cluster, engine::find_program(c.engine, c.server).has_value(), "no server of it here");
  ::setenv("RESTIC_PASSWORD", "test", 1);
  const std::string cluster = c.cluster, repository = lab.state_dir() + "/repository";
  run({"lab", "up", cluster}, 0);
  run({"lab", "load", "-c", cluster, "--size", "1MB"}, 0);
  run({"repo", "init", "-r", repository}, 0);
  Patient patient(lab, cluster);
  ASSERT_NO_FATAL_FAILURE(c.diverge(patient));
  const std::string victim = patient.name(c.victim), ordinal = std::to_string(c.victim);
  // The accounts of the copies are the cluster's.
  sql::Target account = target_of(lab.member(victim));
  account.host.clear();

  const auto dry = run({"repair", "-c", cluster, "-i", ordinal, "-r", repository, "--dry-run"}, 0);
  std::set<std::string> planned;
  for (const auto& step : dry["plan"]["steps"].items())
    if (step["kind"].text() == "dump_member") planned.insert(step["member"].text());
  EXPECT_EQ(planned.size(), c.dumps.size()) << codec::to_json(dry["plan"]);
  const auto done =
      run({"repair", "-c", cluster, "-i", ordinal, "-r", repository, "--accept=discard-diverged:" + victim}, 0);
  const std::string job = done["operation"].text();
  ASSERT_NE(job, "");
  ASSERT_EQ(done["kept"].items().size(), c.dumps.size() + 1) << codec::to_json(done["kept"]);
  EXPECT_NE(ask(c.engine, target_of(lab.member(victim)), c.count), "2") << "nothing was discarded";

  // One job, one time, and the names the reference uses.
  const auto listed = run({"get", "snapshots", "-r", repository, "--tag", "job=" + job}, 0);
  std::set<std::string> times, paths;
  for (const auto& snapshot : listed["snapshots"].items()) {
    times.insert(snapshot["time"].text());
    for (const auto& path : snapshot["paths"].items())
      if (path.text().ends_with(".sql")) paths.insert(path.text());
  }
  EXPECT_EQ(listed["snapshots"].items().size(), c.dumps.size() + 1);
  EXPECT_EQ(times.size(), 1u) << codec::to_json(listed);
  EXPECT_EQ(paths, c.dumps);
  const auto diverged = run({"get", "snapshots", "-r", repository, "--type", "diverged"}, 0);
  EXPECT_EQ(diverged["snapshots"].items().size(), c.dumps.size());
  EXPECT_EQ(run({"get", "backups", "-c", cluster, "-t", "escrow", "-r", repository}, 0)["backups"].items().size(), 1u);
  run({"check", "--read-data", "-r", repository}, 0);

  // The lines repair printed, as they are; by the newest; by the operation.
  const std::string into = lab.state_dir() + "/kept-";
  int copies = 0;
  std::string dump_of_victim;
  for (const auto& kept : done["kept"].items()) {
    const std::string dir = into + std::to_string(++copies);
    const Value restored = run_line(kept["restore"].text(), dir);
    EXPECT_EQ(restored["member"].text(), kept["member"].text());
    EXPECT_EQ(restored["type"].text(), kept["type"].text());
    EXPECT_EQ(restored["job"].text(), job);
    if (kept["type"].text() == "diverged" && (kept["member"].text() == victim || dump_of_victim.empty()))
      dump_of_victim = restored["dump"].text();
    if (kept["type"].text() != "escrow") continue;
    EXPECT_EQ(kept["member"].text(), victim);
    sql::Target target = account;
    if (c.engine == Engine::postgres) target.port = 5432;
    target.socket = c.engine == Engine::postgres ? dir + "/.s.PGSQL.5432" : dir + "/copy.sock";
    ASSERT_NE(restored["start"].text(), "");
    SCOPED_TRACE(restored["start"].text());
    const ByHand server(restored["start"].text());
    await("the copy serves", [&] { return ask(c.engine, target, "SELECT 1") == "1"; }, seconds(60));
    EXPECT_EQ(ask(c.engine, target, c.count), "2");
    EXPECT_EQ(ask(c.engine, target,
                  c.engine == Engine::postgres ? "SELECT current_setting('transaction_read_only') = 'on'"
                                               : "SELECT IF(@@read_only, 't', 'f')"),
              "t");
  }
  const std::vector<std::string> newest = {"restore", "--snapshot", "latest", "-c", cluster, "-r", repository};
  auto with = [&](std::vector<std::string> more, const std::string& base = "latest") {
    std::vector<std::string> args = newest;
    args[2] = base;
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  run(with({"-i", ordinal, "--into", into + "newest"}), 0);
  run(with({"-i", victim, "-t", "escrow", "--into", into + "job"}, job), 0);

  // What does not fit.
  run(with({"-i", ordinal, "--into", into + "newest"}), 3, "restore.not_empty");
  run(with({"-i", ordinal}), 2, "restore.target");
  run(with({"-t", "escrow", "--into", into + "x"}), 2, "restore.no_member");
  run(with({"-i", "7", "--into", into + "x"}), 3, "repo.snapshot.not_found");
  const std::string escrow = run(with({"-i", ordinal, "--into", into + "x", "--dry-run"}), 0)["snapshot"].text();
  run(with({"-i", "7", "--into", into + "x"}, escrow), 3, "restore.wrong_member");
  run({"restore", "-c", "shop-elsewhere", "-i", ordinal, "--snapshot", escrow, "--into", into + "x", "-r", repository},
      3, "restore.wrong_cluster");
  run(with({"-i", ordinal, "-t", "diverged", "--into", into + "x"}, escrow), 3, "restore.wrong_snapshot");
  run(with({"-i", ordinal, "-t", "backup", "--into", into + "x"}), 2, "restore.member_backup");
  run(with({"--into", into + "x"}, escrow), 3, "restore.wrong_snapshot");
  EXPECT_FALSE(fs::exists(into + "x")) << "a refusal changes nothing";

  // A dump fills an empty server. Of the victim, where it ran.
  ASSERT_NE(dump_of_victim, "");
  auto fresh = provider::control_folder(lab.state_dir() + "/fresh", c.engine, "fresh", {});
  ASSERT_TRUE(fresh) << fresh.error().to_string();
  ASSERT_TRUE((*fresh)->initialise_empty(Deadline::in(seconds(120))));
  ASSERT_TRUE((*fresh)->start({.isolated = true}, Deadline::in(seconds(60))));
  const sql::Target& target = (*fresh)->setup().socket;
  const char* client = c.engine == Engine::postgres ? "psql" : c.engine == Engine::mysql ? "mysql" : "mariadb";
  const auto program = engine::find_program(c.engine, client);
  ASSERT_TRUE(program) << program.error().to_string();
  // The dump brings the cluster's accounts, and from then on these count.
  const std::string cluster_password(account.password.reveal());
  if (c.engine == Engine::postgres) {
    EXPECT_EQ(ask(c.engine, target, "ALTER ROLE postgres PASSWORD " + sql::quote_postgres(cluster_password)), "");
  }
  RunOptions options;
  options.env = {{"MYSQL_PWD", std::string(target.password.reveal())}, {"PGPASSWORD", cluster_password}};
  const auto loaded = run_program(
      {"/bin/sh", "-c",
       c.engine == Engine::postgres
           ? *program + " -q -d postgres -U " + target.user + " -h " + fs::path(target.socket).parent_path().string() +
                 " -p " + std::to_string(target.port) + " -f " + dump_of_victim
           : *program + " --no-defaults -u " + target.user + " --socket=" + target.socket + " < " + dump_of_victim},
      options);
  EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
  const bool victim_ran = planned.contains(victim);
  sql::Target loaded_target = target;
  loaded_target.user = account.user;
  loaded_target.password = account.password;
  if (victim_ran) {
    EXPECT_EQ(ask(c.engine, loaded_target, c.count), "2");
  } else {
    EXPECT_EQ(ask(c.engine, loaded_target, "SELECT count(*) FROM newer"), "0") << "not the dump of the one that ran";
  }
  EXPECT_TRUE((*fresh)->stop(Deadline::in(seconds(60))));
}

INSTANTIATE_TEST_SUITE_P(Engines, Escrow,
                         testing::Values(Case{Engine::mariadb,
                                              "mariadbd",
                                              "shop-mariadb",
                                              1,
                                              [](Patient& p) { write_on_replica(p, "read_only"); },
                                              "SELECT count(*) FROM shop.unique_here",
                                              {"/shop/shop-mariadb/0-mysqldump.sql",
                                               "/shop/shop-mariadb/1-mysqldump.sql",
                                               "/shop/shop-mariadb/2-mysqldump.sql"}},
                                         Case{Engine::mysql,
                                              "mysqld",
                                              "shop-mysql",
                                              1,
                                              [](Patient& p) { write_on_replica(p, "super_read_only"); },
                                              "SELECT count(*) FROM shop.unique_here",
                                              {"/shop/shop-mysql/0-mysqldump.sql", "/shop/shop-mysql/1-mysqldump.sql"}},
                                         Case{Engine::postgres,
                                              "postgres",
                                              "shop-postgres",
                                              0,
                                              fail_over_too_early,
                                              "SELECT count(*) FROM unique_here",
                                              {"/shop/shop-postgres/1-pgdumpall.sql"}}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

}  // namespace
}  // namespace holdfast::test
