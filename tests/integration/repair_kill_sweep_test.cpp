// Repairs of real clusters, killed at every step: before a step acts, while it acts, when it has acted and nobody wrote
// it down, and after it was written down; some with the member's agent and server killed too, as by a power failure.
// After each, `operations resume` ends it, or `operations undo` brings back what was; some of these are killed as well.
// HOLDFAST_POINT=part of a point's name takes only those of the points it would take.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "engine/programs.h"
#include "tests/integration/sweep_kinds.h"
#include "tests/support/require.h"
#include "tests/support/sample.h"

namespace holdfast::test {
namespace {

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
RunResult end_killed(KillWorld& world, const std::string& id, Ending ending, const std::optional<Cut>& again,
                     std::string& how) {
  bool killed_again = false;
  if (again) {
    const char* verb = ending == Ending::resume ? "resume" : "undo";
    const auto killed = world.cut_off({"operations", verb, id, "-r", world.repository}, *again);
    killed_again = killed.exit_code == 128 + SIGKILL;
    if (world.unfinished().empty()) {
      how = ending == Ending::resume ? "resumed" : "undone";
      EXPECT_EQ(killed.exit_code, 0) << killed.out;
      return {.exit_code = 0, .out = "", .err = killed.out};
    }
  }
  const RunResult ended = end_operation(world, id, ending, how);
  if (killed_again) how += ", killed again";
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
    const RunResult ended = end_killed(world, id, ending, again, how);
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

void sweep_kind_of(const char* name, Ending ending) {
  const SweepKind& kind = sweep_kind(name);
  HOLDFAST_NEED(std::string(cluster::engine_name(kind.engine)), engine::find_program(kind.engine, kind.server),
                std::string("no ") + kind.server);
  KillWorld world(kind.engine, kind.cluster);
  ASSERT_NO_FATAL_FAILURE(world.up());
  sweep(world, kind.make(world), ending);
}

TEST_P(RepairKillSweep, MariadbErrantMember) {
  sweep_kind_of("MariadbErrantMember", GetParam());
}
TEST_P(RepairKillSweep, MysqlErrantMember) {
  sweep_kind_of("MysqlErrantMember", GetParam());
}
TEST_P(RepairKillSweep, MysqlAdoptedTransactions) {
  sweep_kind_of("MysqlAdoptedTransactions", GetParam());
}
TEST_P(RepairKillSweep, PostgresPromotedStandby) {
  sweep_kind_of("PostgresPromotedStandby", GetParam());
}
TEST_P(RepairKillSweep, GaleraBootstrapAfterACrashOfAll) {
  sweep_kind_of("GaleraBootstrapAfterACrashOfAll", GetParam());
}

INSTANTIATE_TEST_SUITE_P(Then, RepairKillSweep, testing::Values(Ending::resume, Ending::undo),
                         [](const auto& info) { return info.param == Ending::resume ? "Resume" : "Undo"; });

}  // namespace
}  // namespace holdfast::test
