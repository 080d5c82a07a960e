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

#include "agent/client.h"
#include "agent/config.h"
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

#define NEED(which, server) \
  HOLDFAST_NEED(std::string(cluster::engine_name(which)), engine::find_program(which, server).has_value(), "no " server)

std::string bytes_of(const std::string& path) {
  auto text = sys::read_file(path);
  EXPECT_TRUE(text) << path;
  return text ? std::string(as_text(text->span())) : "";
}

/// A lab cluster with data, and a repository.
class World {
 public:
  World(Engine engine, std::string cluster) : engine_(engine), cluster_(std::move(cluster)) {
    ::setenv("RESTIC_PASSWORD", "test", 1);
    repository = lab.state_dir() + "/repository";
  }

  void up() {
    const auto up = lab.holdfast({"lab", "up", cluster_});
    ASSERT_EQ(up.exit_code, 0) << up.err;
    const auto load = lab.holdfast({"lab", "load", "-c", cluster_, "--size", "2MB"});
    ASSERT_EQ(load.exit_code, 0) << load.err;
    const auto init = lab.holdfast({"repo", "init", "-r", repository});
    ASSERT_EQ(init.exit_code, 0) << init.err;
    ASSERT_NO_FATAL_FAILURE(expect_healthy());
  }

  const std::string& cluster() const { return cluster_; }
  std::string name(int i) const { return cluster_ + "-" + std::to_string(i); }
  Value member(int i) { return lab.member(name(i)); }

  /// First column of the first row, or the error.
  std::string ask(int i, const std::string& statement, const std::string& database = "") {
    const Deadline deadline = Deadline::in(seconds(30));
    sql::Target target = target_of(member(i));
    target.database = database;
    Result<sql::Rows> rows = fail(ErrorClass::bug, "", "");
    if (engine_ == Engine::postgres) {
      auto connection = sql::PostgresConnection::connect(target, deadline);
      if (!connection) return connection.error().to_string();
      rows = connection->query(statement, deadline);
    } else {
      auto connection = sql::MariadbConnection::connect(target, deadline);
      if (!connection) return connection.error().to_string();
      rows = connection->query(statement, deadline);
    }
    if (!rows) return rows.error().to_string();
    return rows->empty() ? "" : rows->rows[0][0].value_or("NULL");
  }

  void break_member(const std::string& what, int i) {
    const auto done = lab.holdfast({"lab", "break", what, name(i)});
    ASSERT_EQ(done.exit_code, 0) << done.err;
  }
  /// Its agent stops its server in order, or starts it.
  void agent_stop(int i) { agent(i, "stop"); }
  void agent(int i, const std::string& op) {
    const auto config = agent::read_config(lab.state_dir() + "/lab/" + cluster_ + "/" + name(i));
    ASSERT_TRUE(config) << config.error().to_string();
    auto client = agent::Client::connect(config->agent_socket(), Deadline::in(seconds(5)));
    ASSERT_TRUE(client) << client.error().to_string();
    const auto done = client->call(op, Value::object(), Deadline::in(seconds(60)));
    ASSERT_TRUE(done) << op << ": " << done.error().to_string();
  }

  /// holdfast repair -c CLUSTER ARGS... -o json
  RunResult repair(std::vector<std::string> args = {}) { return run("repair", std::move(args)); }
  RunResult run(const std::string& verb, std::vector<std::string> args = {}) {
    std::vector<std::string> words = {verb, "-c", cluster_, "-o", "json"};
    words.insert(words.end(), args.begin(), args.end());
    return lab.holdfast(words);
  }
  static Value envelope(const RunResult& result) { return codec::parse_value(result.out).value_or(Value()); }
  static Value data(const RunResult& result) { return envelope(result)["data"]; }
  static void expect_refused(const RunResult& result, const std::string& id, int code = 3) {
    const Value said = envelope(result);
    ASSERT_EQ(said["errors"].items().size(), 1u) << result.out << result.err;
    EXPECT_EQ(said["errors"].items()[0]["id"].text(), id) << codec::to_json(said["errors"]);
    EXPECT_EQ(result.exit_code, code) << codec::to_json(said["errors"]);
    EXPECT_NE(said["errors"].items()[0]["hint"].text(), "");
  }
  static std::string hint_of(const RunResult& result) {
    const Value said = envelope(result);
    return said["errors"].items().empty() ? "" : said["errors"].items()[0]["hint"].text();
  }

  int triage() { return run("triage").exit_code; }
  void expect_healthy() {
    const auto seen = run("triage");
    EXPECT_EQ(seen.exit_code, 0) << data(seen)["sentence"].text() << codec::to_json(data(seen)["diagnoses"]);
  }
  lab::Content content(int i) {
    auto content = lab::content_of(engine_, target_of(member(i)));
    return content ? std::move(*content) : lab::Content{{"error", content.error().to_string()}};
  }
  /// Replication is not synchronous: equal before a deadline.
  void expect_equal(int i, int primary = 0) {
    lab::Content is, wanted;
    auto equal = sys::wait_until(
        [&] {
          wanted = content(primary);
          is = content(i);
          return is == wanted;
        },
        Deadline::in(seconds(30)));
    EXPECT_TRUE(equal && *equal) << name(i) << " differs from " << name(primary);
    EXPECT_GT(wanted.size(), 3u) << "of " << name(primary);
  }
  void expect_mended(int i) {
    expect_healthy();
    expect_equal(i);
  }
  /// Untargeted repair mends it.
  void expect_repaired(int i) {
    EXPECT_NE(triage(), 0) << "nothing is broken";
    const auto done = repair();
    EXPECT_EQ(done.exit_code, 0) << codec::to_json(envelope(done)["errors"]) << done.err;
    EXPECT_NE(data(done)["operation"].text(), "");
    expect_mended(i);
  }
  /// Every row the writer's journal names is on this member.
  void expect_acknowledged(int i) {
    std::istringstream lines(bytes_of(lab.state_dir() + "/lab/" + cluster_ + "/acknowledged.journal"));
    std::set<std::string> wanted;
    for (std::string line; std::getline(lines, line);) wanted.insert(line.substr(0, line.find(' ')));
    ASSERT_GT(wanted.size(), 0u);
    auto connection = sql::MariadbConnection::connect(target_of(member(i)), Deadline::in(seconds(30)));
    ASSERT_TRUE(connection) << connection.error().to_string();
    auto rows = connection->query("SELECT id FROM shop.ledger", Deadline::in(seconds(30)));
    ASSERT_TRUE(rows) << rows.error().to_string();
    for (const auto& row : rows->rows) wanted.erase(row[0].value_or(""));
    EXPECT_TRUE(wanted.empty()) << wanted.size() << " acknowledged rows are not on " << name(i) << ", the first "
                                << *wanted.begin();
  }
  /// A writer until stop_writer(); returns when it has written.
  void start_writer() {
    sys::Command command;
    command.argv = {holdfast_binary(), "lab", "load",    "-c",          cluster_,       "--write",
                    "--seconds",       "120", "--quiet", "--state-dir", lab.state_dir()};
    command.out = sys::Stdio::null();
    command.die_with_parent = SIGKILL;
    auto writer = sys::spawn(command);
    ASSERT_TRUE(writer);
    writer_ = std::move(*writer);
    const std::string journal = lab.state_dir() + "/lab/" + cluster_ + "/acknowledged.journal";
    std::error_code error;
    auto writes = sys::wait_until([&] { return fs::exists(journal, error) && fs::file_size(journal, error) > 2000; },
                                  Deadline::in(seconds(20)));
    ASSERT_TRUE(writes && *writes);
  }
  void stop_writer() { EXPECT_TRUE(writer_.stop(std::chrono::milliseconds(3000))); }

  /// What a MariaDB or MySQL replica has of its own.
  void make_errant(int i) {
    const char* lock = engine_ == Engine::mysql ? "super_read_only" : "read_only";
    EXPECT_EQ(ask(i, std::string("SET GLOBAL ") + lock + "=OFF"), "");
    EXPECT_EQ(ask(i, "CREATE TABLE shop.errant (i int primary key)"), "");
    EXPECT_EQ(ask(i, "INSERT INTO shop.errant VALUES (1), (2)"), "");
    if (engine_ == Engine::mysql) {
      EXPECT_EQ(ask(i, "SET GLOBAL super_read_only=ON"), "");
    } else {
      EXPECT_EQ(ask(i, "SET GLOBAL read_only=ON"), "");
    }
    ASSERT_NE(triage(), 0);
  }
  /// What the plan asks to be accepted, bound to it.
  std::string acceptance(const std::vector<std::string>& args) {
    auto words = args;
    words.push_back("--dry-run");
    const auto dry = repair(words);
    EXPECT_EQ(dry.exit_code, 0) << dry.out << dry.err;
    const Value plan = data(dry)["plan"];
    EXPECT_EQ(plan["losses"].items().size(), 1u) << codec::to_json(plan);
    if (plan["losses"].items().empty()) return "";
    return "--accept=" + plan["losses"].items()[0]["acceptance"].text() + "@" + plan["hash"].text().substr(0, 12);
  }

  LabGuard lab;
  std::string repository;

 private:
  const Engine engine_;
  const std::string cluster_;
  sys::Process writer_;
};

// ---------------------------------------------------------------- restart and resume

TEST(Repair, MariadbRestartedAndResumed) {
  NEED(Engine::mariadb, "mariadbd");
  World world(Engine::mariadb, "shop-mariadb");
  ASSERT_NO_FATAL_FAILURE(world.up());

  World::expect_refused(world.repair({"-i", "0"}), "repair.target_is_primary");
  const auto healthy = world.repair({"-i", "1"});
  EXPECT_EQ(healthy.exit_code, 0) << healthy.out;
  EXPECT_TRUE(World::data(healthy)["plan"]["steps"].items().empty());

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
  World::expect_refused(world.repair({"-i", "1"}), "repair.needs_operator");
  world.expect_repaired(1);
  world.expect_equal(2);
  for (int i = 0; i < 3; ++i) world.expect_acknowledged(i);
}

TEST(Repair, MariadbAPrimaryThatWasStartedStaysWhateverItsReplicasSay) {
  NEED(Engine::mariadb, "mariadbd");
  World world(Engine::mariadb, "shop-mariadb");
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
  World::expect_refused(done, "repair.partial", 5);
  EXPECT_EQ(world.ask(0, "INSERT INTO shop.in_the_way VALUES (2)"), "") << "it was stopped again";
  world.lab.holdfast({"repo", "init", "-r", world.lab.state_dir() + "/repo"});
  const auto rebuilt = world.repair({"-i", "1", "-r", world.lab.state_dir() + "/repo"});
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.out;
  world.expect_mended(1);
}

TEST(Repair, PostgresResumedRestartedAndRebuilt) {
  NEED(Engine::postgres, "postgres");
  World world(Engine::postgres, "shop-postgres");
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
  World::expect_refused(world.repair({"-i", "1"}), "repair.no_donor");

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
    EXPECT_EQ(World::data(seen)["authority"].text(), "provable") << seen.out;
  }
}

TEST(Repair, PostgresADamagedDonorIsNotCopied) {
  NEED(Engine::postgres, "postgres");
  World world(Engine::postgres, "shop-postgres");
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
  ASSERT_FALSE(World::envelope(done)["errors"].items().empty()) << "a damaged donor was copied";
  EXPECT_EQ(World::envelope(done)["errors"].items()[0]["id"].text(), "operation.failed_undone") << done.out;
  EXPECT_NE(done.exit_code, 0);
  EXPECT_FALSE(fs::exists(data_dir)) << "a damaged copy was put in its place";
  EXPECT_FALSE(fs::exists(data_dir + ".new"));
  const auto after = world.run("triage");
  EXPECT_NE(after.out.find("page-checksum-failures"), std::string::npos) << after.out;
  World::expect_refused(world.repair({"-i", "0"}), "repair.target_is_primary");
  World::expect_refused(world.repair({"-i", "1"}), "repair.no_donor");
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
  World world(c.engine, c.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  if (c.engine == Engine::mysql) {
    EXPECT_EQ(world.ask(1, "STOP REPLICA SQL_THREAD"), "");
    EXPECT_EQ(world.ask(0, "CREATE TABLE shop.while_stopped (i int primary key)"), "");
    world.expect_repaired(1);
    world.break_member("stop", 1);
    world.expect_repaired(1);
  }

  ASSERT_NO_FATAL_FAILURE(world.make_errant(1));
  World::expect_refused(world.repair({"-i", "1"}), "repair.no_repository");
  const std::vector<std::string> args = {"-i", "1", "-r", world.repository};
  const auto unaccepted = world.repair(args);
  World::expect_refused(unaccepted, "operation.not_accepted");
  const std::string accept = world.acceptance(args);
  EXPECT_EQ(accept.substr(0, accept.find('@')), "--accept=discard-diverged:" + world.name(1));
  EXPECT_NE(World::hint_of(unaccepted).find(accept), std::string::npos)
      << accept << " is not in: " << World::hint_of(unaccepted);
  EXPECT_EQ(world.acceptance(args), accept) << "a second --dry-run makes another plan";
  auto wrong = args;
  wrong.push_back(accept.substr(0, accept.find('@')) + "@000000000000");
  World::expect_refused(world.repair(wrong), "operation.plan_changed");
  // Nothing of all that has changed anything.
  EXPECT_EQ(world.ask(1, "SELECT count(*) FROM shop.errant"), "2");
  const auto operations = world.lab.holdfast({"operations", "list", "--unfinished", "-o", "json"});
  EXPECT_TRUE(World::data(operations)["operations"].items().empty()) << operations.out;

  const std::string data_dir = world.member(1)["dataDir"].text();
  const std::string kept = bytes_of(data_dir + "/" + c.kept);
  auto accepted = args;
  accepted.push_back(accept);
  const auto done = world.repair(accepted);
  ASSERT_EQ(done.exit_code, 0) << codec::to_json(World::envelope(done)["errors"]) << done.err;
  world.expect_mended(1);
  EXPECT_EQ(world.ask(1, "SELECT count(*) FROM information_schema.tables WHERE table_name='errant'"), "0");

  // The copy of what was there.
  const std::string job = World::data(done)["operation"].text();
  ASSERT_NE(job, "");
  const auto listed =
      world.lab.holdfast({"get", "snapshots", "-r", world.repository, "--tag", "type=escrow", "-o", "json"});
  const Value snapshots = World::data(listed)["snapshots"];
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
std::string killed_repair(World& world, const std::vector<std::string>& args,
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
  const Value operations = World::data(listed)["operations"];
  EXPECT_EQ(operations.items().size(), 1u) << listed.out;
  if (operations.items().size() != 1) return "";
  EXPECT_EQ(operations.items()[0]["state"].text(), "unfinished");
  World::expect_refused(world.repair(args), "operation.unfinished", 7);
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
  World world(Engine::mariadb, "shop-mariadb");
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
    EXPECT_EQ(done.exit_code, 0) << codec::to_json(World::envelope(done)["errors"]);
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
  EXPECT_EQ(undone.exit_code, 0) << codec::to_json(World::envelope(undone)["errors"]);
  EXPECT_EQ(world.ask(1, "SELECT count(*) FROM shop.errant"), "2") << "it is not as it was";
  EXPECT_TRUE(fs::exists(data_dir + "/shop/errant.ibd"));
  EXPECT_FALSE(fs::exists(data_dir + ".new"));
  for (const auto& entry : fs::directory_iterator(fs::path(data_dir).parent_path()))
    EXPECT_FALSE(entry.path().filename().string().starts_with("data.replaced-")) << entry.path();
  EXPECT_EQ(world.triage(), 4);
  const auto listed = world.lab.holdfast({"operations", "list", "--unfinished", "-o", "json"});
  EXPECT_TRUE(World::data(listed)["operations"].items().empty()) << listed.out;
}

// ---------------------------------------------------------------- Galera

TEST(Repair, GaleraRebuiltAndBootstrapped) {
  NEED(Engine::galera, "mariadbd");
  World world(Engine::galera, "shop-galera");
  ASSERT_NO_FATAL_FAILURE(world.up());
  World::expect_refused(world.run("bootstrap"), "bootstrap.has_primary");

  world.break_member("delete-data", 2);
  world.expect_repaired(2);

  auto bootstrapped = [&] {
    const auto done = world.run("bootstrap");
    ASSERT_EQ(done.exit_code, 0) << codec::to_json(World::envelope(done)["errors"]) << done.err;
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
  World::expect_refused(world.repair({"-i", "1"}), "repair.no_donor");
  ASSERT_NO_FATAL_FAILURE(bootstrapped());

  ASSERT_NO_FATAL_FAILURE(world.start_writer());
  for (int i = 0; i < 3; ++i) world.break_member("kill", i);
  world.stop_writer();
  const auto seen = world.run("triage");
  EXPECT_NE(seen.exit_code, 0);
  EXPECT_EQ(World::data(seen)["authority"].text(), "undeterminable");
  World::expect_refused(world.run("bootstrap", {"--dry-run"}), "bootstrap.not_recovered");
  const auto inspected = world.run("inspect", {"--fence"});
  EXPECT_EQ(inspected.exit_code, 4) << inspected.out << inspected.err;
  ASSERT_NO_FATAL_FAILURE(bootstrapped());
  for (int i = 0; i < 3; ++i) world.expect_acknowledged(i);
}

}  // namespace
}  // namespace holdfast::test
