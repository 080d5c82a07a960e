#include "repo/format/retention.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

namespace holdfast::repo {
namespace {

using Bucket = int64_t (*)(const CivilTime&, size_t place);

struct Period {
  const char* name;
  int RetentionPolicy::* count;
  CalendarSpan RetentionPolicy::* within;  // null: no such rule
  Bucket bucket;
};

// The number of the hour, day, ... a snapshot belongs to; equal numbers, same period.
constexpr Period kPeriods[] = {
    {"last", &RetentionPolicy::last, nullptr,
     [](const CivilTime&, size_t place) { return static_cast<int64_t>(place); }},
    {"hourly", &RetentionPolicy::hourly, &RetentionPolicy::within_hourly,
     [](const CivilTime& t, size_t) { return ((t.year * 100 + t.month) * 100 + t.day) * 100 + t.hour; }},
    {"daily", &RetentionPolicy::daily, &RetentionPolicy::within_daily,
     [](const CivilTime& t, size_t) { return (t.year * 100 + t.month) * 100 + t.day; }},
    {"weekly", &RetentionPolicy::weekly, &RetentionPolicy::within_weekly,
     [](const CivilTime& t, size_t) { return t.iso_year * 100 + t.iso_week; }},
    {"monthly", &RetentionPolicy::monthly, &RetentionPolicy::within_monthly,
     [](const CivilTime& t, size_t) { return t.year * 100 + t.month; }},
    {"yearly", &RetentionPolicy::yearly, &RetentionPolicy::within_yearly,
     [](const CivilTime& t, size_t) { return t.year; }},
};
constexpr size_t kPeriodCount = std::size(kPeriods);

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& item : list) text += (text.empty() ? "" : ", ") + item;
  return text;
}

bool has_all_tags(const Snapshot& snapshot, const std::vector<std::string>& tags) {
  for (const std::string& tag : tags) {
    if (tag.empty() && snapshot.tags.empty()) return true;
    if (!snapshot.has_tag(tag)) return false;
  }
  return true;
}

// Newest first; equal times in the order of ids, so that a run decides as the one before.
std::vector<size_t> newest_first(std::span<const Snapshot> snapshots) {
  std::vector<size_t> order(snapshots.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const Snapshot &sa = snapshots[a], &sb = snapshots[b];
    return sa.time.same_instant(sb.time) ? sa.id < sb.id : sb.time.before(sa.time);
  });
  return order;
}

}  // namespace

std::string CalendarSpan::to_string() const {
  std::string text;
  if (years) text += fmt::format("{}y", years);
  if (months) text += fmt::format("{}m", months);
  if (days) text += fmt::format("{}d", days);
  if (hours) text += fmt::format("{}h", hours);
  return text.empty() ? "0h" : text;
}

std::optional<CalendarSpan> parse_calendar_span(std::string_view text) {
  CalendarSpan span;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end == text.data() + text.size() || value < 0 || value > 1'000'000)
      return std::nullopt;
    switch (*end) {
      case 'y':
        span.years = value;
        break;
      case 'm':
        span.months = value;
        break;
      case 'd':
        span.days = value;
        break;
      case 'h':
        span.hours = value;
        break;
      default:
        return std::nullopt;
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  }
  return span;
}

Timestamp earlier(const Timestamp& time, const CalendarSpan& span) {
  const CivilTime civil = civil_time(time);
  int64_t months = civil.year * 12 + (civil.month - 1) - (int64_t{span.years} * 12 + span.months);
  const int64_t year = months >= 0 ? months / 12 : (months - 11) / 12;
  const auto month = static_cast<unsigned>(months - year * 12 + 1);
  Timestamp result = time;
  // Counting days from the first of the month lets a 31st of a short month run over into the next one.
  result.seconds = seconds_of(year, month, 1, civil.hour, civil.minute, civil.second) +
                   (int64_t{civil.day} - 1 - span.days) * 86400 - time.offset_seconds - int64_t{span.hours} * 3600;
  return result;
}

bool RetentionPolicy::is_empty() const {
  return tags.empty() && within.is_zero() &&
         std::all_of(std::begin(kPeriods), std::end(kPeriods), [&](const Period& p) {
           return this->*p.count == 0 && (p.within == nullptr || (this->*p.within).is_zero());
         });
}

std::vector<Verdict> apply_retention(const RetentionPolicy& policy, std::span<const Snapshot> snapshots,
                                     const Timestamp& now) {
  const auto order = newest_first(snapshots);
  std::vector<Verdict> verdicts;
  // "Within" counts back from the newest snapshot; one from the future (a wrong clock) must not push the others out.
  Timestamp latest;
  for (const size_t i : order) {
    if (snapshots[i].time.before(now)) {
      latest = snapshots[i].time;
      break;
    }
  }
  int left[kPeriodCount];
  int64_t last_kept[kPeriodCount], last_within[kPeriodCount];
  for (size_t p = 0; p < kPeriodCount; ++p) {
    left[p] = policy.*kPeriods[p].count;
    last_kept[p] = last_within[p] = -1;
  }
  for (size_t place = 0; place < order.size(); ++place) {
    const Snapshot& snapshot = snapshots[order[place]];
    Verdict verdict{order[place], false, {}};
    if (policy.is_empty()) verdict.reasons.push_back("no rule was given");
    for (const auto& tags : policy.tags) {
      if (has_all_tags(snapshot, tags)) verdict.reasons.push_back("has tags [" + joined(tags) + "]");
    }
    const auto is_within = [&](const CalendarSpan& span) { return earlier(latest, span).before(snapshot.time); };
    if (!policy.within.is_zero() && is_within(policy.within)) {
      verdict.reasons.push_back("within " + policy.within.to_string());
    }
    const CivilTime civil = civil_time(snapshot.time);
    // The oldest snapshot stays while a counter has something left, so that history reaches back as far as it can.
    const bool oldest = place + 1 == order.size();
    for (size_t p = 0; p < kPeriodCount; ++p) {
      const Period& period = kPeriods[p];
      const int64_t bucket = period.bucket(civil, place);
      if (left[p] != 0 && (bucket != last_kept[p] || oldest)) {
        verdict.reasons.push_back(fmt::format("{}{} snapshot", bucket == last_kept[p] ? "oldest " : "", period.name));
        last_kept[p] = bucket;
        if (left[p] > 0) --left[p];
      }
    }
    for (size_t p = 0; p < kPeriodCount; ++p) {
      const Period& period = kPeriods[p];
      if (period.within == nullptr) continue;
      const CalendarSpan& span = policy.*period.within;
      const int64_t bucket = period.bucket(civil, place);
      if (!span.is_zero() && is_within(span) && (bucket != last_within[p] || oldest)) {
        verdict.reasons.push_back(fmt::format("{} within {}", period.name, span.to_string()));
        last_within[p] = bucket;
      }
    }
    verdict.keep = !verdict.reasons.empty();
    verdicts.push_back(std::move(verdict));
  }
  return verdicts;
}

std::optional<GroupBy> parse_group_by(std::string_view text) {
  GroupBy by{false, false, false};
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const auto word = text.substr(0, comma);
    if (word == "host" || word == "hosts") {
      by.host = true;
    } else if (word == "path" || word == "paths") {
      by.paths = true;
    } else if (word == "tag" || word == "tags") {
      by.tags = true;
    } else if (!word.empty()) {
      return std::nullopt;
    }
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return by;
}

std::string SnapshotGroup::to_string() const {
  std::string text;
  if (!host.empty()) text += "host " + host;
  if (!paths.empty()) text += (text.empty() ? "" : ", ") + ("paths " + joined(paths));
  if (!tags.empty()) text += (text.empty() ? "" : ", ") + ("tags " + joined(tags));
  return text.empty() ? "all snapshots" : text;
}

std::vector<SnapshotGroup> group_snapshots(std::span<const Snapshot> snapshots, const GroupBy& by) {
  using Key = std::tuple<std::string, std::vector<std::string>, std::vector<std::string>>;
  std::map<Key, std::vector<size_t>> groups;
  for (size_t i = 0; i < snapshots.size(); ++i) {
    Key key;
    if (by.host) std::get<0>(key) = snapshots[i].hostname;
    if (by.paths) std::get<1>(key) = snapshots[i].paths;
    if (by.tags) std::get<2>(key) = snapshots[i].tags;
    std::sort(std::get<1>(key).begin(), std::get<1>(key).end());
    std::sort(std::get<2>(key).begin(), std::get<2>(key).end());
    groups[std::move(key)].push_back(i);
  }
  std::vector<SnapshotGroup> list;
  for (auto& [key, members] : groups) {
    list.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), std::move(members)});
  }
  return list;
}

std::vector<Verdict> apply_job_retention(const RetentionPolicy& policy, std::span<const Snapshot> snapshots) {
  // Jobs in the order of their newest snapshot.
  std::vector<std::vector<size_t>> jobs;
  std::map<std::string, size_t, std::less<>> numbers;
  for (const size_t i : newest_first(snapshots)) {
    const std::string_view job = snapshots[i].tag_value("job");
    if (job.empty()) {
      jobs.push_back({i});
      continue;
    }
    const auto [at, is_new] = numbers.try_emplace(std::string(job), jobs.size());
    if (is_new) jobs.emplace_back();
    jobs[at->second].push_back(i);
  }
  const bool keep_all = policy.last == 0 && policy.daily == 0 && policy.weekly == 0 && policy.monthly == 0;
  std::set<int64_t> seen[kPeriodCount];
  std::vector<Verdict> verdicts;
  for (size_t place = 0; place < jobs.size(); ++place) {
    Timestamp newest = snapshots[jobs[place].front()].time;
    newest.offset_seconds = 0;
    const CivilTime civil = civil_time(newest);
    std::vector<std::string> reasons;
    if (keep_all) reasons.push_back("no rule was given");
    for (size_t p = 0; p < kPeriodCount; ++p) {
      const Period& period = kPeriods[p];
      if (period.count == &RetentionPolicy::hourly || period.count == &RetentionPolicy::yearly) continue;
      const int count = policy.*period.count;
      if (count != RetentionPolicy::kUnlimited && seen[p].size() >= static_cast<size_t>(count)) continue;
      if (seen[p].insert(period.bucket(civil, place)).second) reasons.push_back(fmt::format("{} job", period.name));
    }
    for (const size_t i : jobs[place]) verdicts.push_back({i, !reasons.empty(), reasons});
  }
  return verdicts;
}

}  // namespace holdfast::repo
