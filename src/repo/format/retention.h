// Which snapshots to keep: restic's rules, as functions of the snapshots alone.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "repo/format/snapshot.h"

namespace holdfast::repo {

/// "1y5m7d2h": years, months, days, hours of the calendar.
struct CalendarSpan {
  int years = 0, months = 0, days = 0, hours = 0;
  bool is_zero() const { return years == 0 && months == 0 && days == 0 && hours == 0; }
  std::string to_string() const;
};
std::optional<CalendarSpan> parse_calendar_span(std::string_view text);
/// That much earlier, in the time's own zone: years and months move the calendar date (31 March less a month is 3
/// March, as Go counts), days and hours the clock.
Timestamp earlier(const Timestamp& time, const CalendarSpan& span);

struct RetentionPolicy {
  static constexpr int kUnlimited = -1;
  int last = 0, hourly = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
  CalendarSpan within, within_hourly, within_daily, within_weekly, within_monthly, within_yearly;
  std::vector<std::vector<std::string>> tags;  ///< keep what has all tags of one of these; [""] means: no tags at all

  bool is_empty() const;
};

struct Verdict {
  size_t snapshot = 0;  ///< its place in the list given
  bool keep = false;
  std::vector<std::string> reasons;  ///< why it is kept: "daily snapshot", "within 7d", "oldest weekly snapshot"
};

/// Applies the policy to one group; verdicts come newest first. An empty policy keeps everything.
std::vector<Verdict> apply_retention(const RetentionPolicy& policy, std::span<const Snapshot> snapshots,
                                     const Timestamp& now);

struct GroupBy {
  bool host = true, paths = true, tags = false;
};
/// "host,paths,tags" in any order; empty: one group.
std::optional<GroupBy> parse_group_by(std::string_view text);

/// Positions of the snapshots of each group, groups in order of their key.
struct SnapshotGroup {
  std::string host;
  std::vector<std::string> paths, tags;
  std::vector<size_t> members;
  std::string to_string() const;
};
std::vector<SnapshotGroup> group_snapshots(std::span<const Snapshot> snapshots, const GroupBy& by);

/// Snapshots of diverged members, taken together before a repair, stay or go together: they are grouped by their tag
/// job= (without one, each is a group of its own), and the counters last, daily, weekly and monthly of the policy count
/// groups in UTC. A policy without these counters keeps everything. Verdicts come newest group first.
std::vector<Verdict> apply_job_retention(const RetentionPolicy& policy, std::span<const Snapshot> snapshots);

}  // namespace holdfast::repo
