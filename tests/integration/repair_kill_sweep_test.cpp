// Repairs of real clusters, killed at every step: before a step acts, while it acts, when it has acted and nobody wrote
// it down, and after it was written down; some with the member's agent and server killed too, as by a power failure.
// After each, `operations resume` ends it, or `operations undo` brings back what was; some of these are killed as well.
// HOLDFAST_POINT=part of a point's name takes only those of the points it would take.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>

#include "engine/programs.h"
#include "tests/integration/kill_world.h"
#include "tests/support/require.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;

enum class Ending { resume, undo };

void PrintTo(Ending ending, std::ostream* out) {
  *out << (ending == Ending::resume ? "resume" : "undo");
}

struct Sweep {
  std::string verb = "repair";
  int victim = 1;
  std::vector<std::string> args;
  /// Breaks the cluster, unless it is broken in this way already.
  std::function<void()> break_it;
  /// It is mended: more than healthy and equal.
  std::function<void(const std::string& operation)> mended;
  /// It is as break_it left it.
  std::function<void(const std::string& operation)> as_before;
};

struct Point {
  Cut cut;
  std::string kind;
  bool agent_too = false, again = false;
};

/// Points of every step. What else dies goes round in the order of their hashes: a quarter of each kind is ended in
/// plain, whichever steps there are and whichever points are taken.
std::vector<Point> points_of(const std::string& what, const std::vector<std::string>& steps) {
  std::vector<Point> points;
  const char* moments[] = {"30", "150", "400"};
  const auto choice = [&](size_t i, const char* of, size_t count) {
    return sample_hash(what, of + std::to_string(i)) % count;
  };
  for (size_t i = 0; i < steps.size(); ++i) {
    points.push_back({{"step_started", steps[i], "after"}, "begun"});
    points.push_back({{"step_started", steps[i], moments[choice(i, "moment", 3)]}, "acting"});
    points.push_back({{"step_done", steps[i], choice(i, "torn", 4) == 0 ? "torn" : "before"}, "not written down"});
    points.push_back({{"step_done", steps[i], "after"}, "written down"});
  }
  return points;
}

/// The points this run takes: all, or some of each kind. Those taken are ended in plain, after a power failure, by an
/// end that is killed first, and both, in turn.
std::vector<Point> chosen(const std::string& what, const std::vector<Point>& points) {
  std::vector<std::string> kinds;
  for (const auto& point : points) kinds.push_back(point.kind);
  auto taken = sample(what, kinds, 1.0 / 20);
  const auto rank = [&](size_t i) { return sample_hash(what, "death" + std::to_string(i)); };
  std::ranges::sort(taken, {}, rank);
  std::vector<Point> list;
  for (const size_t i : taken) {
    const size_t turn = list.size() % 4;
    list.push_back(points[i]);
    list.back().agent_too = turn == 1 || turn == 3;
    list.back().again = turn >= 2;
  }
  return list;
}

/// Ends what was killed; `again`: the end itself is killed first, somewhere on its way.
RunResult end_operation(KillWorld& world, const std::string& id, Ending ending, const std::optional<Cut>& again,
                        std::string& how) {
  const std::string verb = ending == Ending::resume ? "resume" : "undo";
  how = ending == Ending::resume ? "resumed" : "undone";
  if (again) {
    const auto killed = world.cut_off({"operations", verb, id, "-r", world.repository}, *again);
    if (killed.exit_code == 128 + SIGKILL) how += ", killed again";
    if (world.unfinished().empty()) {
      EXPECT_EQ(killed.exit_code, 0) << killed.out;
      return {.exit_code = 0, .out = "", .err = killed.out};
    }
  }
  RunResult ended = ending == Ending::resume ? world.resume(id) : world.undo(id);
  if (ending == Ending::undo && KillWorld::error_id(ended) == "operation.past_no_return") {
    EXPECT_EQ(ended.exit_code, 3);
    how = "resumed, past no return";
    ended = world.resume(id);
  }
  return ended;
}

void sweep(KillWorld& world, const Sweep& what, Ending ending) {
  const auto begun = std::chrono::steady_clock::now();
  const auto since = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count(); };
  what.break_it();
  std::vector<std::string> accept;
  const auto steps = world.plan_steps(what.verb, what.args, &accept);
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  const auto points = points_of(name, steps);
  ASSERT_GE(points.size(), 8u);
  const char* wanted = std::getenv("HOLDFAST_POINT");
  ASSERT_FALSE(wanted && is_required("sweep")) << "HOLDFAST_REQUIRE asks for all points, HOLDFAST_POINT for some";
  int resumed = 0, undone = 0;
  for (const Point& point : chosen(name, points)) {
    if (testing::Test::HasFailure()) break;
    if (wanted && !point.cut.text().contains(wanted)) continue;
    const double started = since();
    SCOPED_TRACE(fmt::format("killed at {}{}, then {}", point.cut.text(), point.agent_too ? " with its agent" : "",
                             ending == Ending::resume ? "resume" : "undo"));
    what.break_it();
    std::vector<std::string> args = {what.verb, "-c", world.cluster()};
    args.insert(args.end(), what.args.begin(), what.args.end());
    world.plan_steps(what.verb, what.args, &accept);
    args.insert(args.end(), accept.begin(), accept.end());
    const auto killed = world.cut_off(args, point.cut);
    const auto open = world.unfinished();
    if (open.empty()) {
      // The last step was over before its time: there was nothing left to end.
      what.mended("");
      fmt::print("       {:48} ended before it could be killed\n", point.cut.text());
      continue;
    }
    EXPECT_EQ(killed.exit_code, 128 + SIGKILL) << killed.out;
    ASSERT_EQ(open.size(), 1u) << killed.out;
    const std::string& id = open[0];
    if (point.agent_too) world.crash_agent(what.victim);
    const auto refused = world.run(what.verb, what.args);
    EXPECT_EQ(refused.exit_code, 7);
    EXPECT_EQ(KillWorld::error_id(refused), "operation.unfinished") << refused.out;

    std::optional<Cut> again;
    if (point.again) {
      const auto& other = steps[sample_hash(name, "other" + point.cut.text()) % steps.size()];
      const bool acting = sample_hash(name, "acting" + point.cut.text()) % 2;
      again = ending == Ending::resume ? Cut{"step_done", other, "before"}
              : acting                 ? Cut{"step_undo_started", other, "80"}
                                       : Cut{"step_undone", other, "before"};
    }
    std::string how;
    const RunResult ended = end_operation(world, id, ending, again, how);
    EXPECT_NE(ended.exit_code, 128 + SIGKILL) << "it does not end\n" << world.where_it_stands(id);
    EXPECT_EQ(ended.exit_code, 0) << codec::to_json(KillWorld::envelope(ended)["errors"]) << killed.out << ended.err;
    if (how.starts_with("undone")) {
      ++undone;
      // A step that had not touched it does not start what the power failure took down: an init system does.
      if (point.agent_too && what.verb == "repair") world.agent(what.victim, "start");
      what.as_before(id);
    } else {
      ++resumed;
      what.mended(id);
    }
    world.expect_nothing_left();
    fmt::print("  {:4} {:48} {:8} {:24} {:5.1f} s\n", testing::Test::HasFailure() ? "FAIL" : "ok", point.cut.text(),
               point.agent_too ? "+ agent" : "", how, since() - started);
    std::fflush(stdout);
  }
  fmt::print("{} of {}: {} resumed, {} undone, {:.0f} s\n", what.verb, world.cluster(), resumed, undone, since());
  EXPECT_GE(resumed + undone, wanted ? 1 : 2);
}

class RepairKillSweep : public testing::TestWithParam<Ending> {};

/// MariaDB, MySQL: a replica with a table of its own.
void sweep_errant(Engine engine, const std::string& cluster, Ending ending) {
  KillWorld world(engine, cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  const std::string lock = engine == Engine::mysql ? "super_read_only" : "read_only";
  const std::string count = "SELECT count(*) FROM information_schema.tables WHERE table_name='errant'";
  Sweep what;
  what.args = {"-i", "1", "-r", world.repository};
  what.break_it = [&] {
    if (world.ask(1, count) == "1") return;
    EXPECT_EQ(world.ask(1, "SET GLOBAL " + lock + "=OFF"), "");
    EXPECT_EQ(world.ask(1, "CREATE TABLE shop.errant (i int primary key)"), "");
    EXPECT_EQ(world.ask(1, "INSERT INTO shop.errant VALUES (1), (2)"), "");
    // A semi-sync replica that dies before InnoDB has this commit would cut it from its log when it starts.
    EXPECT_EQ(world.ask(1, "FLUSH LOCAL ENGINE LOGS"), "");
    EXPECT_EQ(world.ask(1, "SET GLOBAL " + lock + "=ON"), "");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  what.mended = [&](const std::string& id) {
    world.expect_healthy();
    world.expect_equal(1);
    EXPECT_EQ(world.ask(1, count), "0");
    if (!id.empty()) {
      EXPECT_GE(world.escrows(id), 1u);
      EXPECT_TRUE(world.escrow_files(id).contains("errant.ibd"));
    }
  };
  what.as_before = [&](const std::string&) {
    EXPECT_EQ(world.ask(1, "SELECT count(*) FROM shop.errant"), "2");
    EXPECT_EQ(world.ask(1, "SELECT @@" + lock), "1");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  sweep(world, what, ending);
}

TEST_P(RepairKillSweep, MariadbErrantMember) {
  HOLDFAST_NEED("mariadb", engine::find_program(Engine::mariadb, "mariadbd").has_value(), "no mariadbd");
  sweep_errant(Engine::mariadb, "shop-mariadb", GetParam());
}

TEST_P(RepairKillSweep, MysqlErrantMember) {
  HOLDFAST_NEED("mysql", engine::find_program(Engine::mysql, "mysqld").has_value(), "no mysqld");
  sweep_errant(Engine::mysql, "shop-mysql", GetParam());
}

/// What only the replica has is written into the primary: each transaction once, however often it is begun. The rows go
/// into a table without any key, where a second copy of a row would be let in.
TEST_P(RepairKillSweep, MysqlAdoptedTransactions) {
  HOLDFAST_NEED("mysql", engine::find_program(Engine::mysql, "mysqld").has_value(), "no mysqld");
  KillWorld world(Engine::mysql, "shop-mysql");
  ASSERT_NO_FATAL_FAILURE(world.up());
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.keyless (n INT)"), "");
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.keyed (id INT PRIMARY KEY, n INT)"), "");
  EXPECT_EQ(world.ask(0, "INSERT INTO shop.keyed VALUES (1, 0)"), "");
  int round = 0;
  const auto rows_of = [&](int i) {
    return world.ask(i, "SELECT CONCAT(COUNT(*), ' ', COUNT(DISTINCT n)) FROM shop.keyless");
  };
  const auto whole = [&] { return fmt::format("{} {}", 5 * round, 5 * round); };
  Sweep what;
  what.args = {"-i", "1", "--adopt"};
  what.break_it = [&] {
    if (world.verdict(1) == "diverged") return;
    world.expect_healthy();
    world.expect_equal(1);
    ++round;
    EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=OFF"), "");
    for (int i = 0; i < 5; ++i)
      EXPECT_EQ(world.ask(1, fmt::format("INSERT INTO shop.keyless VALUES ({})", 5 * round + i)), "");
    EXPECT_EQ(world.ask(1, "UPDATE shop.keyed SET n = n + 1"), "");
    EXPECT_EQ(world.ask(1, "SET GLOBAL super_read_only=ON"), "");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  what.mended = [&](const std::string&) {
    world.expect_healthy();
    world.expect_equal(1);
    for (const int i : {0, 1}) {
      EXPECT_EQ(rows_of(i), whole());
      EXPECT_EQ(world.ask(i, "SELECT n FROM shop.keyed"), std::to_string(round));
    }
  };
  // What was written stays, each transaction as a whole; what was not is still on the replica, and can be adopted.
  what.as_before = [&](const std::string&) {
    EXPECT_EQ(rows_of(1), whole());
    EXPECT_EQ(world.ask(1, "SELECT @@super_read_only"), "1");
    const std::string there = rows_of(0);
    EXPECT_EQ(there.substr(0, there.find(' ')), there.substr(there.find(' ') + 1)) << "a row is there twice";
    const auto held = world.ask(0, "SELECT n FROM shop.keyed");
    EXPECT_EQ(held, std::to_string(there == whole() && held == std::to_string(round) ? round : round - 1)) << there;
  };
  sweep(world, what, GetParam());
}

TEST_P(RepairKillSweep, PostgresPromotedStandby) {
  HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(), "no postgres");
  KillWorld world(Engine::postgres, "shop-postgres");
  ASSERT_NO_FATAL_FAILURE(world.up());
  const std::string count = "SELECT count(*) FROM pg_class WHERE relname='of_its_own'";
  Sweep what;
  what.args = {"-i", "1", "-r", world.repository};
  what.break_it = [&] {
    if (world.ask(1, count) == "1") return;
    EXPECT_EQ(world.ask(1, "SELECT pg_promote()"), "t");
    EXPECT_EQ(world.ask(1, "CREATE TABLE of_its_own AS SELECT generate_series(1, 2) AS i"), "");
    world.agent(1, "stop");  // comes back as the replica it should be, with a history of its own
    world.agent(1, "start");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  what.mended = [&](const std::string& id) {
    world.expect_healthy();
    world.expect_equal(1);
    EXPECT_EQ(world.ask(1, count), "0");
    if (id.empty()) return;
    EXPECT_GE(world.escrows(id), 1u);
    EXPECT_TRUE(world.escrow_files(id).contains("PG_VERSION"));
  };
  what.as_before = [&](const std::string&) {
    EXPECT_EQ(world.ask(1, "SELECT count(*) FROM of_its_own"), "2");
    EXPECT_EQ(world.verdict(1), "diverged");
  };
  sweep(world, what, GetParam());
}

/// All members crashed: their positions are in InnoDB alone.
TEST_P(RepairKillSweep, GaleraBootstrapAfterACrashOfAll) {
  HOLDFAST_NEED("galera", engine::find_program(Engine::galera, "mariadbd").has_value(), "no mariadbd");
  KillWorld world(Engine::galera, "shop-galera");
  ASSERT_NO_FATAL_FAILURE(world.up());
  int row = 0;
  EXPECT_EQ(world.ask(0, "CREATE TABLE shop.kept (i int primary key)"), "");
  Sweep what;
  what.verb = "bootstrap";
  what.victim = 0;
  what.break_it = [&] {
    if (world.triage()["healthy"].boolean()) {
      EXPECT_EQ(world.ask(2, fmt::format("INSERT INTO shop.kept VALUES ({})", ++row)), "");
      for (int i = 0; i < 3; ++i) world.kill_server(i);
    }
    const auto inspected = world.run("inspect", {"--fence"});
    EXPECT_EQ(inspected.exit_code, 4) << inspected.out << inspected.err;
  };
  what.mended = [&](const std::string&) {
    world.expect_healthy();
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(world.ask(i,
                          "SELECT variable_value FROM information_schema.global_status WHERE "
                          "variable_name='wsrep_cluster_size'"),
                "3");
      EXPECT_EQ(world.ask(i, "SELECT count(*) FROM shop.kept"), std::to_string(row));
      world.expect_equal(i);
    }
  };
  what.as_before = [&](const std::string&) {
    const Value seen = world.triage();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(world.agent(i, "status")["server"]["pid"].integer(), -1) << i;
    EXPECT_TRUE(world.says(seen, "galera-no-primary-component", 0)) << codec::to_json(seen);
  };
  sweep(world, what, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Then, RepairKillSweep, testing::Values(Ending::resume, Ending::undo),
                         [](const auto& info) { return info.param == Ending::resume ? "Resume" : "Undo"; });

}  // namespace
}  // namespace holdfast::test
