// The rules as restic publishes them (documentation of `restic forget`), one case each.
#include "repo/format/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::repo {
namespace {

using testing::ElementsAre;

Snapshot at(const std::string& time, std::vector<std::string> tags = {}) {
  Snapshot snapshot;
  snapshot.time = Timestamp::parse(time).value();
  snapshot.tags = std::move(tags);
  return snapshot;
}

std::vector<Snapshot> list(std::initializer_list<const char*> times) {
  std::vector<Snapshot> snapshots;
  for (const char* time : times) snapshots.push_back(at(time));
  return snapshots;
}

const Timestamp kNow = Timestamp::parse("2030-01-01T00:00:00Z").value();

// The times kept, newest first.
std::vector<std::string> kept(const RetentionPolicy& policy, const std::vector<Snapshot>& snapshots,
                              const Timestamp& now = kNow) {
  std::vector<std::string> times;
  for (const Verdict& verdict : apply_retention(policy, snapshots, now)) {
    if (verdict.keep) times.push_back(snapshots[verdict.snapshot].time.to_string());
  }
  return times;
}

std::string reason(const RetentionPolicy& policy, const std::vector<Snapshot>& snapshots, size_t snapshot) {
  for (const Verdict& verdict : apply_retention(policy, snapshots, kNow)) {
    if (verdict.snapshot == snapshot) return verdict.reasons.empty() ? "" : verdict.reasons.front();
  }
  return "?";
}

TEST(Retention, last_counts_every_snapshot) {
  const auto all =
      list({"2024-01-01T10:00:00Z", "2024-01-01T10:00:01Z", "2024-01-01T10:00:02Z", "2023-05-05T00:00:00Z"});
  EXPECT_THAT(kept({.last = 2}, all), ElementsAre("2024-01-01T10:00:02Z", "2024-01-01T10:00:01Z"));
}

TEST(Retention, daily_keeps_the_newest_of_a_day_and_skips_days_without) {
  const auto all = list({"2024-01-01T10:00:00Z", "2024-01-05T09:00:00Z", "2024-01-05T23:59:59Z", "2024-01-06T00:00:00Z",
                         "2023-12-01T00:00:00Z"});
  EXPECT_THAT(kept({.daily = 3}, all),
              ElementsAre("2024-01-06T00:00:00Z", "2024-01-05T23:59:59Z", "2024-01-01T10:00:00Z"));
}

TEST(Retention, a_day_is_a_day_in_the_snapshots_own_zone) {
  // In UTC these are two days; where they were taken it was one.
  const auto all = list({"2024-01-05T00:30:00+02:00", "2024-01-05T23:30:00+02:00", "2024-01-03T12:00:00+02:00",
                         "2024-01-01T12:00:00+02:00"});
  EXPECT_THAT(kept({.daily = 2}, all), ElementsAre("2024-01-05T23:30:00+02:00", "2024-01-03T12:00:00+02:00"));
}

TEST(Retention, weeks_are_iso_weeks_of_iso_years) {
  // 2024-12-30 (Monday) and 2025-01-05 (Sunday) are both in week 1 of 2025; 2024-12-29 is in week 52 of 2024.
  const auto all =
      list({"2025-01-05T12:00:00Z", "2024-12-30T12:00:00Z", "2024-12-29T12:00:00Z", "2024-12-01T12:00:00Z"});
  EXPECT_THAT(kept({.weekly = 2}, all), ElementsAre("2025-01-05T12:00:00Z", "2024-12-29T12:00:00Z"));
}

TEST(Retention, hourly_monthly_yearly) {
  const auto all = list({"2024-03-31T12:59:00Z", "2024-03-31T12:01:00Z", "2024-03-31T11:00:00Z", "2024-02-01T00:00:00Z",
                         "2023-12-31T00:00:00Z", "2021-01-01T00:00:00Z", "2020-01-01T00:00:00Z"});
  EXPECT_THAT(kept({.hourly = 2}, all), ElementsAre("2024-03-31T12:59:00Z", "2024-03-31T11:00:00Z"));
  EXPECT_THAT(kept({.monthly = 3}, all),
              ElementsAre("2024-03-31T12:59:00Z", "2024-02-01T00:00:00Z", "2023-12-31T00:00:00Z"));
  EXPECT_THAT(kept({.yearly = 2}, all), ElementsAre("2024-03-31T12:59:00Z", "2023-12-31T00:00:00Z"));
}

TEST(Retention, rules_add_up_and_do_not_take_from_each_other) {
  const auto all = list({"2024-03-03T03:00:00Z", "2024-03-03T02:00:00Z", "2024-03-02T01:00:00Z", "2024-02-01T00:00:00Z",
                         "2024-01-01T00:00:00Z"});
  EXPECT_THAT(kept({.last = 1, .daily = 2, .monthly = 2}, all),
              ElementsAre("2024-03-03T03:00:00Z", "2024-03-02T01:00:00Z", "2024-02-01T00:00:00Z"));
}

TEST(Retention, the_oldest_snapshot_stays_while_a_counter_has_something_left) {
  const auto all =
      list({"2024-01-03T12:00:00Z", "2024-01-02T12:00:00Z", "2024-01-01T13:00:00Z", "2024-01-01T12:00:00Z"});
  EXPECT_THAT(kept({.daily = 10}, all), ElementsAre("2024-01-03T12:00:00Z", "2024-01-02T12:00:00Z",
                                                    "2024-01-01T13:00:00Z", "2024-01-01T12:00:00Z"));
  EXPECT_EQ(reason({.daily = 10}, all, 3), "oldest daily snapshot");
  EXPECT_THAT(kept({.daily = 3}, all),
              ElementsAre("2024-01-03T12:00:00Z", "2024-01-02T12:00:00Z", "2024-01-01T13:00:00Z"));
}

TEST(Retention, unlimited_keeps_one_of_each_period) {
  const auto all =
      list({"2024-01-03T12:00:00Z", "2024-01-02T13:00:00Z", "2024-01-02T12:00:00Z", "2024-01-01T12:00:00Z"});
  EXPECT_THAT(kept({.daily = RetentionPolicy::kUnlimited}, all),
              ElementsAre("2024-01-03T12:00:00Z", "2024-01-02T13:00:00Z", "2024-01-01T12:00:00Z"));
}

TEST(Retention, within_counts_back_from_the_newest_snapshot_not_from_today) {
  const auto all =
      list({"2020-06-10T12:00:00Z", "2020-06-09T12:00:01Z", "2020-06-09T12:00:00Z", "2020-06-01T00:00:00Z"});
  EXPECT_THAT(kept({.within = *parse_calendar_span("1d")}, all),
              ElementsAre("2020-06-10T12:00:00Z", "2020-06-09T12:00:01Z"));
}

TEST(Retention, a_snapshot_from_the_future_does_not_move_the_window) {
  const auto all =
      list({"2040-01-01T00:00:00Z", "2020-06-10T12:00:00Z", "2020-06-10T11:00:00Z", "2020-06-01T00:00:00Z"});
  EXPECT_THAT(kept({.within = *parse_calendar_span("2h")}, all),
              ElementsAre("2040-01-01T00:00:00Z", "2020-06-10T12:00:00Z", "2020-06-10T11:00:00Z"));
}

TEST(Retention, within_by_period_keeps_one_of_each_inside_the_window) {
  const auto all = list({"2020-06-10T12:00:00Z", "2020-06-10T10:00:00Z", "2020-06-09T12:00:00Z", "2020-06-09T10:00:00Z",
                         "2020-06-01T00:00:00Z"});
  EXPECT_THAT(kept({.within_daily = *parse_calendar_span("3d")}, all),
              ElementsAre("2020-06-10T12:00:00Z", "2020-06-09T12:00:00Z"));
}

TEST(Retention, tags_keep_whatever_their_age) {
  std::vector<Snapshot> all = {at("2024-01-03T12:00:00Z"), at("2024-01-02T12:00:00Z", {"a"}),
                               at("2024-01-01T12:00:00Z", {"a", "b"}), at("2023-01-01T12:00:00Z", {"c"})};
  EXPECT_THAT(kept({.last = 1, .tags = {{"a", "b"}}}, all),
              ElementsAre("2024-01-03T12:00:00Z", "2024-01-01T12:00:00Z"));
  EXPECT_THAT(kept({.tags = {{""}}}, all), ElementsAre("2024-01-03T12:00:00Z"));
}

TEST(Retention, no_rule_keeps_everything) {
  const auto all = list({"2024-01-03T12:00:00Z", "2024-01-02T12:00:00Z"});
  EXPECT_EQ(kept({}, all).size(), 2u);
}

TEST(Retention, months_are_calendar_months) {
  const auto back = [](const char* time, const char* span) {
    return earlier(Timestamp::parse(time).value(), parse_calendar_span(span).value()).to_string();
  };
  EXPECT_EQ(back("2024-03-31T12:00:00Z", "1m"), "2024-03-02T12:00:00Z");  // 31 February of a leap year
  EXPECT_EQ(back("2023-03-31T12:00:00Z", "1m"), "2023-03-03T12:00:00Z");
  EXPECT_EQ(back("2024-02-29T00:00:00Z", "1y"), "2023-03-01T00:00:00Z");
  EXPECT_EQ(back("2024-01-15T00:00:00+02:00", "2m"), "2023-11-15T00:00:00+02:00");
  EXPECT_EQ(back("2024-01-01T01:00:00Z", "1y1m1d2h"), "2022-11-29T23:00:00Z");
}

TEST(Retention, spans_are_read_strictly) {
  EXPECT_EQ(parse_calendar_span("1y5m7d2h")->to_string(), "1y5m7d2h");
  for (const char* wrong : {"", "5", "d", "5x", "-1d", "1d ", "99999999999d"})
    EXPECT_FALSE(parse_calendar_span(wrong)) << wrong;
}

TEST(Retention, groups_do_not_depend_on_the_order_of_paths) {
  std::vector<Snapshot> all(4);
  all[0].hostname = all[1].hostname = all[2].hostname = "a";
  all[3].hostname = "b";
  all[0].paths = {"/x", "/y"};
  all[1].paths = {"/y", "/x"};
  all[2].paths = {"/x"};
  all[3].paths = {"/x"};
  EXPECT_EQ(group_snapshots(all, {}).size(), 3u);
  EXPECT_EQ(group_snapshots(all, *parse_group_by("host")).size(), 2u);
  EXPECT_EQ(group_snapshots(all, *parse_group_by("")).size(), 1u);
  EXPECT_FALSE(parse_group_by("host,colour"));
}

TEST(Retention, snapshots_of_one_job_stay_or_go_together) {
  std::vector<Snapshot> all = {at("2024-01-03T12:00:00Z", {"job=c"}), at("2024-01-02T12:00:05Z", {"job=b"}),
                               at("2024-01-02T12:00:00Z", {"job=b"}), at("2024-01-01T12:00:00Z", {"job=a"}),
                               at("2024-01-01T11:00:00Z")};
  const auto kept_jobs = [&](const RetentionPolicy& policy) {
    std::vector<size_t> places;
    for (const Verdict& verdict : apply_job_retention(policy, all)) {
      if (verdict.keep) places.push_back(verdict.snapshot);
    }
    return places;
  };
  EXPECT_THAT(kept_jobs({.last = 2}), ElementsAre(0u, 1u, 2u));
  EXPECT_THAT(kept_jobs({.daily = 3}), ElementsAre(0u, 1u, 2u, 3u));
  EXPECT_THAT(kept_jobs({.last = 1, .monthly = 1}), ElementsAre(0u));
  EXPECT_EQ(kept_jobs({}).size(), 5u);
}

}  // namespace
}  // namespace holdfast::repo
