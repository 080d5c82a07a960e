// Who is waited for, and who is not: lag as it was seen, against the verdict.
#include "engine/catch_up.h"

#include <gtest/gtest.h>

namespace holdfast::engine {
namespace {

using std::chrono::milliseconds;
using Kind = LagVerdict::Kind;

struct LagCase {
  const char* name;
  std::vector<LagSample> samples;
  Kind kind;
  std::optional<int64_t> needed_ms;
};

void PrintTo(const LagCase& c, std::ostream* out) {
  *out << c.name;
}

class JudgeLag : public testing::TestWithParam<LagCase> {};

TEST_P(JudgeLag, decides) {
  const auto& c = GetParam();
  const auto verdict = judge_lag(c.samples, {.watch = milliseconds(3000), .bound = milliseconds(10000)});
  EXPECT_EQ(verdict.kind, c.kind);
  const auto needed = verdict.needed ? std::optional<int64_t>(verdict.needed->count()) : std::nullopt;
  EXPECT_EQ(needed, c.needed_ms);
}

LagSample at(int64_t ms, uint64_t missing) {
  return {milliseconds(ms), missing};
}

INSTANTIATE_TEST_SUITE_P(
    Lag, JudgeLag,
    testing::Values(
        LagCase{"level_at_first_sight", {at(0, 0)}, Kind::level, 0},
        LagCase{"level_after_a_while", {at(0, 900), at(3000, 800), at(9000, 0)}, Kind::level, 0},
        LagCase{"too_early_to_say", {at(0, 1000000)}, Kind::wait, std::nullopt},
        LagCase{"too_early_also_without_progress", {at(0, 70), at(2999, 70)}, Kind::wait, std::nullopt},
        LagCase{"fast_enough", {at(0, 4000), at(3000, 1000)}, Kind::wait, 1000},
        LagCase{"just_fast_enough", {at(0, 1300), at(3000, 1000)}, Kind::wait, 10000},
        LagCase{"just_too_slow", {at(0, 1299), at(3000, 1000)}, Kind::give_up, 10033},
        LagCase{"hopeless", {at(0, 1000001), at(3000, 1000000)}, Kind::give_up, 3000000000},
        LagCase{
            "a_number_beyond_all_reason", {at(0, UINT64_MAX), at(3000, UINT64_MAX - 1)}, Kind::give_up, 1000000000000},
        LagCase{"stands_still", {at(0, 70), at(1500, 70), at(3000, 70)}, Kind::give_up, std::nullopt},
        LagCase{"one_long_transaction_is_left", {at(0, 900), at(1000, 1), at(4001, 1)}, Kind::give_up, std::nullopt},
        LagCase{"falls_back", {at(0, 70), at(3000, 90)}, Kind::give_up, std::nullopt},
        // What counts is the rate of late, not that of the whole watch.
        LagCase{"was_fast_and_slows_down", {at(0, 90000), at(3000, 10100), at(6000, 10000)}, Kind::give_up, 300000},
        LagCase{"was_slow_and_speeds_up", {at(0, 6010), at(3000, 6000), at(6000, 3000)}, Kind::wait, 3000},
        LagCase{"looks_are_not_evenly_spaced", {at(0, 9000), at(50, 8900), at(4050, 900)}, Kind::wait, 450}),
    [](const auto& info) { return info.param.name; });

TEST(JudgeLagLimits, a_replica_that_was_named_is_not_judged_before_its_time) {
  const std::vector<LagSample> stuck = {at(0, 70), at(59000, 70)};
  const LagLimits minute{milliseconds(60000), milliseconds(60000)};
  EXPECT_EQ(judge_lag(stuck, minute).kind, Kind::wait);
}

TEST(CountGtids, of_mysql_sets) {
  const std::string uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
  const auto set = [&](const std::string& intervals) { return uuid + intervals; };
  EXPECT_EQ(count_mysql_gtids(""), 0u);
  EXPECT_EQ(count_mysql_gtids(set(":7")), 1u);
  EXPECT_EQ(count_mysql_gtids(set(":1-5")), 5u);
  EXPECT_EQ(count_mysql_gtids(set(":1-5:7:10-11")), 8u);
  EXPECT_EQ(count_mysql_gtids(set(":1-5") + ",\n" + set(":1-3")), 8u);
  EXPECT_EQ(count_mysql_gtids(set(":1-5:nightly:1-3:9")), 9u) << "tags, as MySQL 8.3 has them";
  EXPECT_EQ(count_mysql_gtids(set(":nightly:1-3")), 3u);
  EXPECT_EQ(count_mysql_gtids(set(":1-9223372036854775806")), 9223372036854775806u);
}

TEST(CountGtids, between_mariadb_positions) {
  EXPECT_EQ(count_mariadb_gtids_between("", ""), 0u);
  EXPECT_EQ(count_mariadb_gtids_between("0-1-100", "0-1-100"), 0u);
  EXPECT_EQ(count_mariadb_gtids_between("0-1-90", "0-2-100"), 10u) << "another server writes now, the domain is one";
  EXPECT_EQ(count_mariadb_gtids_between("", "0-1-100"), 100u);
  EXPECT_EQ(count_mariadb_gtids_between("0-1-100,5-1-2", "0-1-104, 5-1-9"), 11u);
  EXPECT_EQ(count_mariadb_gtids_between("0-1-110,7-1-4", "0-1-100"), 0u) << "ahead, or elsewhere";
}

}  // namespace
}  // namespace holdfast::engine
