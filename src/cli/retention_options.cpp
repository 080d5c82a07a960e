#include "cli/retention_options.h"

#include <fmt/format.h>

#include <charconv>

#include "cli/snapshot_view.h"

namespace holdfast::cli {
namespace {

struct Count {
  const char* flag;
  int repo::RetentionPolicy::* field;
};
constexpr Count kCounts[] = {
    {"keep-last", &repo::RetentionPolicy::last},       {"keep-hourly", &repo::RetentionPolicy::hourly},
    {"keep-daily", &repo::RetentionPolicy::daily},     {"keep-weekly", &repo::RetentionPolicy::weekly},
    {"keep-monthly", &repo::RetentionPolicy::monthly}, {"keep-yearly", &repo::RetentionPolicy::yearly},
};
struct Within {
  const char* flag;
  repo::CalendarSpan repo::RetentionPolicy::* field;
};
constexpr Within kWithins[] = {
    {"keep-within", &repo::RetentionPolicy::within},
    {"keep-within-hourly", &repo::RetentionPolicy::within_hourly},
    {"keep-within-daily", &repo::RetentionPolicy::within_daily},
    {"keep-within-weekly", &repo::RetentionPolicy::within_weekly},
    {"keep-within-monthly", &repo::RetentionPolicy::within_monthly},
    {"keep-within-yearly", &repo::RetentionPolicy::within_yearly},
};

}  // namespace

Result<Retention> retention_options(const Options& options) {
  Retention retention;
  for (const Count& count : kCounts) {
    if (!options.given(count.flag)) continue;
    retention.given = true;
    const std::string text = options.text(count.flag);
    int value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text == "unlimited") {
      value = repo::RetentionPolicy::kUnlimited;
    } else if (text.empty() || problem != std::errc{} || end != text.data() + text.size() || value < -1) {
      return fail(ErrorClass::usage, "cli.value",
                  fmt::format("{} needs a whole number or 'unlimited', not '{}'", options.origin(count.flag), text));
    }
    retention.policy.*count.field = value;
  }
  for (const Within& within : kWithins) {
    if (!options.given(within.flag)) continue;
    retention.given = true;
    const auto span = repo::parse_calendar_span(options.text(within.flag));
    if (!span) {
      return fail(ErrorClass::usage, "cli.value",
                  fmt::format("{} needs a span such as 2y5m7d3h, not '{}'", options.origin(within.flag),
                              options.text(within.flag)));
    }
    retention.policy.*within.field = *span;
  }
  for (const std::string& tags : options.list("keep-tag")) {
    retention.given = true;
    auto list = split_commas({tags});
    if (list.empty()) list.emplace_back();  // "": snapshots without tags
    retention.policy.tags.push_back(std::move(list));
  }
  const auto group_by = repo::parse_group_by(options.text("group-by"));
  if (!group_by) {
    return fail(ErrorClass::usage, "cli.value",
                fmt::format("--group-by knows host, paths and tags, not '{}'", options.text("group-by")));
  }
  retention.group_by = *group_by;
  return retention;
}

std::function<bool(const repo::Snapshot&)> cluster_snapshot_filter(const Options& options) {
  std::vector<std::string> tags;
  for (const char* key : {"cluster", "namespace", "engine"}) {
    if (options.has(key) && options.given(key)) tags.push_back(fmt::format("{}={}", key, options.text(key)));
  }
  return [tags, plain = snapshot_filter(options)](const repo::Snapshot& snapshot) {
    for (const std::string& tag : tags) {
      if (!snapshot.has_tag(tag)) return false;
    }
    return plain(snapshot);
  };
}

}  // namespace holdfast::cli
