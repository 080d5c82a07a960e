// holdfast repair and holdfast bootstrap on real clusters: each break is mended and the member equal to the primary
// afterwards; what would lose something is refused; and a repair that is killed can be resumed or undone.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include "tests/integration/repair_world.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

#define NEED(which, server) \
  HOLDFAST_NEED(std::string(cluster::engine_name(which)), engine::find_program(which, server).has_value(), "no " server)

// ---------------------------------------------------------------- restart and resume

TEST(Repair, MariadbRestartedAndResumed) {
  NEED(Engine::mariadb, "mariadbd");
  RepairWorld world(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(world.up());

  RepairWorld::expect_refused(world.repair({"-i", "0"}), "repair.target_is_primary");
  const auto healthy = world.repair({"-i", "1"});
  EXPECT_EQ(healthy.exit_code, 0) << healthy.out;
  EXPECT_TRUE(RepairWorld::data(healthy)["plan"]["steps"].items().empty());

  world.break_member("kill", 1);
  world.expect_repaired(1);

  EXPECT_EQ(world.ask(2, "STOP SLAVE"), "");
  EXPECT_EQ(world.ask(2, "RESET SLAVE ALL"), "");
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.while_detached (i int primary key)"), "");
  world.expect_repaired(2);

  EXPECT_EQ(world.ask(0, "SET GLOBAL rpl_semi_sync_master_enabled=OFF"), "");
  world.expect_repaired(1);
  EXPECT_EQ(world.ask(0, "SELECT @@rpl_semi_sync_master_enabled"), "1");

  ASSERT_NO_FATAL_FAILURE(world.start_writer());
  world.break_member("kill", 0);
  world.stop_writer();
  // Nothing is wrong with this one but that nobody is there to follow.
  RepairWorld::expect_refused(world.repair({"-i", "1"}), "repair.needs_operator");
  world.expect_repaired(1);
  world.expect_equal(2);
  for (int i = 0; i < 3; ++i) world.expect_acknowledged(i);
}

TEST(Repair, MariadbAPrimaryThatWasStartedStaysWhateverItsReplicasSay) {
  NEED(Engine::mariadb, "mariadbd");
  RepairWorld world(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(world.up());
  const std::string row = "INSERT INTO shop.in_the_way VALUES (1)";
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.in_the_way (i int primary key)"), "");
  world.expect_equal(1);
  EXPECT_EQ(world.ask(1, "STOP SLAVE IO_THREAD"), "");
  EXPECT_EQ(world.ask(1, "SET STATEMENT sql_log_bin=0 FOR " + row), "");
  EXPECT_EQ(world.ask(0, row), "");
  world.break_member("kill", 0);
  EXPECT_EQ(world.ask(1, "START SLAVE IO_THREAD"), "");
  // Nothing is seen of what is wrong with the replica before its source is back.
  const auto done = world.repair();
  RepairWorld::expect_refused(done, "repair.partial", 5);
  EXPECT_NE(RepairWorld::hint_of(done).find("--backups-path"), std::string::npos)
      << "not why it did not go on: " << done.out;
  EXPECT_EQ(world.ask(0, "INSERT INTO shop.in_the_way VALUES (2)"), "") << "it was stopped again";
  world.lab.holdfast({"repo", "init", "-r", world.lab.state_dir() + "/repo"});
  const auto rebuilt = world.repair({"-i", "1", "-r", world.lab.state_dir() + "/repo"});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.out;
  world.expect_mended(1);
}

TEST(Repair, PostgresResumedRestartedAndRebuilt) {
  NEED(Engine::postgres, "postgres");
  RepairWorld world(Engine::postgres, "shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up());

  EXPECT_EQ(world.ask(1, "SELECT pg_wal_replay_pause()"), "");
  EXPECT_EQ(world.ask(0, "CREATE TABLE while_paused (i int)"), "");
  world.expect_repaired(1);
  EXPECT_EQ(world.ask(1, "SELECT pg_is_wal_replay_paused()"), "f");

  world.break_member("kill", 1);
  world.expect_repaired(1);

  // Nothing is left that a copy could be kept of: no repository is asked for.
  world.break_member("delete-data", 1);
  world.expect_repaired(1);

  // No donor.
  world.break_member("delete-data", 1);
  world.break_member("kill", 0);
  RepairWorld::expect_refused(world.repair({"-i", "1"}), "repair.no_donor");

  // Seen in the moment of its death the server refuses us while its agent still says that it runs: a look that was torn
  // is no reason to call its data unknown.
  for (int delay : {2, 5, 8, 12, 16, 20, 25, 30, 35, 40, 50}) {
    ASSERT_NO_FATAL_FAILURE(world.agent(0, "start"));
    const auto pid = static_cast<pid_t>(world.member(0)["pid"].integer());
    ASSERT_GT(pid, 1);
    std::jthread killer([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(delay));
      ::kill(pid, SIGKILL);
    });
    const auto seen = world.run("triage");
    killer.join();
    EXPECT_EQ(RepairWorld::data(seen)["authority"].text(), "provable") << seen.out;
  }
}

TEST(Repair, PostgresADamagedDonorIsNotCopied) {
  NEED(Engine::postgres, "postgres");
  RepairWorld world(Engine::postgres, "shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up());
  const std::string data_dir = world.member(1)["dataDir"].text();
  world.break_member("delete-data", 1);
  EXPECT_EQ(world.ask(0, "CREATE TABLE spoilt AS SELECT g, repeat('x', 500) FROM generate_series(1, 2000) g"), "");
  EXPECT_EQ(world.ask(0, "CHECKPOINT"), "");
  const std::string file =
      world.member(0)["dataDir"].text() + "/" + world.ask(0, "SELECT pg_relation_filepath('spoilt')");
  std::fstream disk(file, std::ios::in | std::ios::out | std::ios::binary);
  ASSERT_TRUE(disk.seekp(3 * 8192 + 64).write(std::string(4096, '\xa5').data(), 4096).flush()) << file;
  // Nobody has read the damaged page yet, for its agent looked when the server started: the copy is the first to do so.
  const auto seen = world.run("triage");
  EXPECT_EQ(seen.out.find("page-checksum-failures"), std::string::npos) << seen.out;
  const auto done = world.repair();
  ASSERT_FALSE(RepairWorld::envelope(done)["errors"].items().empty()) << "a damaged donor was copied";
  EXPECT_EQ(RepairWorld::envelope(done)["errors"].items()[0]["id"].text(), "operation.failed_undone") << done.out;
  EXPECT_NE(done.exit_code, 0);
  EXPECT_FALSE(fs::exists(data_dir)) << "a damaged copy was put in its place";
  EXPECT_FALSE(fs::exists(data_dir + ".new"));
  const auto after = world.run("triage");
  EXPECT_NE(after.out.find("page-checksum-failures"), std::string::npos) << after.out;
  RepairWorld::expect_refused(world.repair({"-i", "0"}), "repair.target_is_primary");
  RepairWorld::expect_refused(world.repair({"-i", "1"}), "repair.no_donor");
}

// ---------------------------------------------------------------- rebuild

struct Errant {
  Engine engine;
  const char* server;
  const char* cluster;
  const char* kept;  ///< a file of the data directory that does not change while the server runs
};
void PrintTo(const Errant& c, std::ostream* out) {
  *out << c.cluster;
}

class RepairErrant : public testing::TestWithParam<Errant> {};

TEST_P(RepairErrant, IsDiscardedOnlyWhenAcceptedAndKeptInTheRepository) {
  const Errant& c = GetParam();
  HOLDFAST_NEED(c.cluster, engine::find_program(c.engine, c.server).has_value(), "no server of it here");
  RepairWorld world(c.engine, c.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  if (c.engine == Engine::mysql) {
    EXPECT_EQ(world.ask(1, "STOP REPLICA SQL_THREAD"), "");
    EXPECT_EQ(world.ask(0, "CREATE TABLE shop.while_stopped (i int primary key)"), "");
    world.expect_repaired(1);
    world.break_member("stop", 1);
    world.expect_repaired(1);
  }

  ASSERT_NO_FATAL_FAILURE(world.make_errant(1));
  RepairWorld::expect_refused(world.repair({"-i", "1"}), "repair.no_repository");
  const std::vector<std::string> args = {"-i", "1", "-r", world.repository};
  const auto unaccepted = world.repair(args);
  RepairWorld::expect_refused(unaccepted, "operation.not_accepted");
  const std::string accept = world.acceptance(args);
  EXPECT_EQ(accept.substr(0, accept.find('@')), "--accept=discard-diverged:" + world.name(1));
  EXPECT_NE(RepairWorld::hint_of(unaccepted).find(accept), std::string::npos)
      << accept << " is not in: " << RepairWorld::hint_of(unaccepted);
  EXPECT_EQ(world.acceptance(args), accept) << "a second --dry-run makes another plan";
  auto wrong = args;
  wrong.push_back(accept.substr(0, accept.find('@')) + "@000000000000");
  RepairWorld::expect_refused(world.repair(wrong), "operation.plan_changed");
  // Nothing of all that has changed anything.
  EXPECT_EQ(world.ask(1, "SELECT count(*) FROM shop.errant"), "2");
  const auto operations = world.lab.holdfast({"operations", "list", "--unfinished", "-o", "json"});
  EXPECT_TRUE(RepairWorld::data(operations)["operations"].items().empty()) << operations.out;

  const std::string data_dir = world.member(1)["dataDir"].text();
  const std::string kept = bytes_of(data_dir + "/" + c.kept);
  auto accepted = args;
  accepted.push_back(accept);
  const auto done = world.repair(accepted);
  ASSERT_EQ(done.exit_code, 0) << codec::to_json(RepairWorld::envelope(done)["errors"]) << done.err;
  world.expect_mended(1);
  EXPECT_EQ(world.ask(1, "SELECT count(*) FROM information_schema.tables WHERE table_name='errant'"), "0");

  // The copy of what was there.
  const std::string job = RepairWorld::data(done)["operation"].text();
  ASSERT_NE(job, "");
  const auto listed =
      world.lab.holdfast({"get", "snapshots", "-r", world.repository, "--tag", "type=escrow", "-o", "json"});
  const Value snapshots = RepairWorld::data(listed)["snapshots"];
  ASSERT_EQ(snapshots.items().size(), 1u) << listed.out << listed.err;
  std::set<std::string> tags;
  for (const auto& tag : snapshots.items()[0]["tags"].items()) tags.insert(tag.text());
  EXPECT_TRUE(tags.contains("member=" + world.name(1))) << listed.out;
  EXPECT_TRUE(tags.contains("job=" + job)) << listed.out;
  const std::string into = world.lab.state_dir() + "/escrow";
  const auto restored = world.lab.holdfast(
      {"restore", "--snapshot", snapshots.items()[0]["id"].text(), "--into", into, "-r", world.repository});
  ASSERT_EQ(restored.exit_code, 0) << restored.err;
  std::string found_kept, found_table;
  for (const auto& entry : fs::recursive_directory_iterator(into)) {
    const std::string path = entry.path().string();
    if (path.ends_with(std::string("/") + c.kept)) found_kept = path;
    if (path.ends_with("/shop/errant.ibd")) found_table = path;
  }
  ASSERT_NE(found_kept, "");
  ASSERT_NE(found_table, "");
  EXPECT_EQ(bytes_of(found_kept), kept);
  EXPECT_GT(fs::file_size(found_table), 0u);
}

INSTANTIATE_TEST_SUITE_P(Engines, RepairErrant,
                         testing::Values(Errant{Engine::mariadb, "mariadbd", "shop-mariadb", "shop/errant.frm"},
                                         Errant{Engine::mysql, "mysqld", "shop-mysql", "auto.cnf"}),
                         [](const auto& info) { return std::string(cluster::engine_name(info.param.engine)); });

// ---------------------------------------------------------------- killed in the middle

/// Runs `repair ARGS` and kills it (SIGKILL) as soon as its events, or the world, say so. The operation's id.
std::string killed_repair(RepairWorld& world, const std::vector<std::string>& args,
                          const std::function<bool(const std::string& events)>& moment) {
  const std::string log = world.lab.state_dir() + "/events.jsonl";
  auto file = sys::open_file(log, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  EXPECT_TRUE(file);
  sys::Command command;
  command.argv = {holdfast_binary(),    "repair", "-c", world.cluster(), "-o", "jsonl", "--state-dir",
                  world.lab.state_dir()};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  command.out = sys::Stdio::to(file->get());
  command.die_with_parent = SIGKILL;
  auto running = sys::spawn(command);
  EXPECT_TRUE(running);
  bool reached = false;
  (void)sys::wait_until([&] { return (reached = moment(bytes_of(log))) || running->poll(); },
                        Deadline::in(seconds(100)));
  EXPECT_FALSE(running->poll()) << "it ended before it could be killed: " << bytes_of(log);
  EXPECT_TRUE(running->kill());
  EXPECT_TRUE(reached) << bytes_of(log);
  const auto listed = world.lab.holdfast({"operations", "list", "--unfinished", "-o", "json"});
  const Value operations = RepairWorld::data(listed)["operations"];
  EXPECT_EQ(operations.items().size(), 1u) << listed.out;
  if (operations.items().size() != 1) return "";
  EXPECT_EQ(operations.items()[0]["state"].text(), "unfinished");
  RepairWorld::expect_refused(world.repair(args), "operation.unfinished", 7);
  return operations.items()[0]["id"].text();
}

bool tells(const std::string& events, const std::string& type, const std::string& step) {
  std::istringstream lines(events);
  for (std::string line; std::getline(lines, line);) {
    const auto event = codec::parse_value(line);
    if (event && (*event)["type"].text() == type && (*event)["step"].text() == step) return true;
  }
  return false;
}

TEST(Repair, KilledInARebuildIsResumedOrUndone) {
  NEED(Engine::mariadb, "mariadbd");
  RepairWorld world(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(world.up());
  const std::string victim = world.name(1);
  const std::string data_dir = world.member(1)["dataDir"].text();
  auto prepared = [&] {
    world.make_errant(1);
    std::vector<std::string> args = {"-i", "1", "-r", world.repository};
    args.push_back(world.acceptance(args));
    return args;
  };
  auto resumed = [&](const std::string& id) {
    const auto done = world.lab.holdfast({"operations", "resume", id, "-r", world.repository, "-o", "json"});
    EXPECT_EQ(done.exit_code, 0) << codec::to_json(RepairWorld::envelope(done)["errors"]);
    world.expect_mended(1);
    EXPECT_EQ(world.ask(1, "SELECT count(*) FROM information_schema.tables WHERE table_name='errant'"), "0");
  };

  {
    SCOPED_TRACE("after the escrow copy");
    resumed(killed_repair(world, prepared(),
                          [&](const std::string& events) { return tells(events, "step_done", "escrow-" + victim); }));
    if (HasFailure()) return;
  }
  {
    SCOPED_TRACE("during the copy");
    resumed(killed_repair(world, prepared(), [&](const std::string& events) {
      return tells(events, "step_started", "copy-" + victim) && fs::exists(data_dir + ".new");
    }));
    if (HasFailure()) return;
  }
  SCOPED_TRACE("after the swap");
  const std::string id = killed_repair(
      world, prepared(), [&](const std::string& events) { return tells(events, "step_done", "swap-" + victim); });
  const auto undone = world.lab.holdfast({"operations", "undo", id, "-o", "json"});
  EXPECT_EQ(undone.exit_code, 0) << codec::to_json(RepairWorld::envelope(undone)["errors"]);
  EXPECT_EQ(world.ask(1, "SELECT count(*) FROM shop.errant"), "2") << "it is not as it was";
  EXPECT_TRUE(fs::exists(data_dir + "/shop/errant.ibd"));
  EXPECT_FALSE(fs::exists(data_dir + ".new"));
  for (const auto& entry : fs::directory_iterator(fs::path(data_dir).parent_path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with("data.replaced-")) << entry.path();
  EXPECT_EQ(world.triage(), 4);
  const auto listed = world.lab.holdfast({"operations", "list", "--unfinished", "-o", "json"});
  EXPECT_TRUE(RepairWorld::data(listed)["operations"].items().empty()) << listed.out;
}

// ---------------------------------------------------------------- Galera

TEST(Repair, GaleraRebuiltAndBootstrapped) {
  NEED(Engine::galera, "mariadbd");
  RepairWorld world(Engine::galera, "shop-galera");
  ASSERT_NO_FATAL_FAILURE(world.up());
  RepairWorld::expect_refused(world.run("bootstrap"), "bootstrap.has_primary");

  world.break_member("delete-data", 2);
  world.expect_repaired(2);

  auto bootstrapped = [&] {
    const auto done = world.run("bootstrap");
    ASSERT_EQ(done.exit_code, 0) << codec::to_json(RepairWorld::envelope(done)["errors"]) << done.err;
    world.expect_healthy();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(world.ask(i,
                          "SELECT variable_value FROM information_schema.global_status WHERE "
                          "variable_name='wsrep_cluster_size'"),
                "3");
      world.expect_equal(i);
    }
  };

  for (int i = 2; i >= 0; --i) world.agent_stop(i);
  RepairWorld::expect_refused(world.repair({"-i", "1"}), "repair.no_donor");
  ASSERT_NO_FATAL_FAILURE(bootstrapped());

  ASSERT_NO_FATAL_FAILURE(world.start_writer());
  for (int i = 0; i < 3; ++i) world.break_member("kill", i);
  world.stop_writer();
  const auto seen = world.run("triage");
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_EQ(RepairWorld::data(seen)["authority"].text(), "undeterminable");
  RepairWorld::expect_refused(world.run("bootstrap", {"--dry-run"}), "bootstrap.not_recovered");
  const auto inspected = world.run("inspect", {"--fence"});
  EXPECT_EQ(inspected.exit_code, 4) << inspected.out << inspected.err;
  ASSERT_NO_FATAL_FAILURE(bootstrapped());
  for (int i = 0; i < 3; ++i) world.expect_acknowledged(i);
}

}  // namespace
}  // namespace holdfast::test
