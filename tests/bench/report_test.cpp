// Verdicts: which measurements turn the benchmark red.
#include "tests/bench/report.h"

#include <gtest/gtest.h>

namespace holdfast::bench {
namespace {

constexpr uint64_t kMiB = 1 << 20;

ScenarioResult measured(Bar bar, Sample ours, std::optional<Sample> restic = {}) {
  ScenarioResult result{"scenario", 0, bar, {}};
  result.tools["holdfast"].samples = {ours};
  if (restic) result.tools["restic"].samples = {*restic};
  return result;
}

void expect_verdict(const ScenarioResult& result, const std::string& verdict_expected) {
  EXPECT_EQ(verdict(result), verdict_expected);
  EXPECT_EQ(all_well({result}), verdict_expected == "ok");
  EXPECT_EQ(all_well({measured({}, {}), result}), verdict_expected == "ok") << "one miss among others";
}

TEST(Report, bars_that_are_absolute_need_no_peer) {
  const Bar bar{.wall_seconds = 1, .peak_rss = 300 * kMiB};
  expect_verdict(measured(bar, {.wall_seconds = 1.0, .peak_rss = 300 * kMiB}), "ok");
  expect_verdict(measured(bar, {.wall_seconds = 1.25, .peak_rss = 300 * kMiB}), "MISSED time 1.25 s > 1 s");
  expect_verdict(measured(bar, {.wall_seconds = 0.5, .peak_rss = 301 * kMiB}), "MISSED memory 301 MiB > 300 MiB");
  expect_verdict(measured(bar, {.wall_seconds = 2.0, .peak_rss = 400 * kMiB}),
                 "MISSED time 2.00 s > 1 s, memory 400 MiB > 300 MiB");
}

TEST(Report, bars_against_a_peer) {
  const Bar bar{.times_restic = 3, .stored = 1.03};
  expect_verdict(measured(bar, {.wall_seconds = 1, .stored = 103}, Sample{.wall_seconds = 3, .stored = 100}), "ok");
  expect_verdict(measured(bar, {.wall_seconds = 1, .stored = 103}, Sample{.wall_seconds = 2, .stored = 100}),
                 "MISSED restic x2.00 < x3");
  expect_verdict(measured(bar, {.wall_seconds = 1, .stored = 110}, Sample{.wall_seconds = 3, .stored = 100}),
                 "MISSED size 1.100 > 1.03");
}

TEST(Report, a_run_that_fails_is_a_miss) {
  auto result = measured({}, {.wall_seconds = 1});
  result.tools["holdfast"].failure = "it fell over";
  expect_verdict(result, "holdfast failed: it fell over");
}

TEST(Report, the_median_decides_not_the_best_run) {
  auto result = measured({.wall_seconds = 1}, {.wall_seconds = 0.5});
  result.tools["holdfast"].samples.push_back({.wall_seconds = 1.5});
  result.tools["holdfast"].samples.push_back({.wall_seconds = 1.2});
  expect_verdict(result, "MISSED time 1.20 s > 1 s");
}

}  // namespace
}  // namespace holdfast::bench
