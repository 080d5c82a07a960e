#include "position/wal.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/scanner.h"

namespace holdfast::position {

namespace {

using Path = std::vector<WalPoint>;

Result<Lsn> scan_lsn(Scanner& scanner) {
  const uint64_t high = TRY(scanner.hex32("a log position"));
  if (!scanner.take('/')) return scanner.error("expected '/'");
  const uint64_t low = TRY(scanner.hex32("the second half of a log position"));
  return Lsn{high << 32 | low};
}

/// The timelines up to `end`. Switch points at or after it lead nowhere yet.
Path path_to(const WalPosition& position, Lsn end) {
  Path path;
  for (const TimelineSwitch& entry : position.history.entries) {
    if (entry.at >= end) {
      path.push_back({entry.timeline, end});
      return path;
    }
    path.push_back({entry.timeline, entry.at});
  }
  path.push_back({position.timeline, end});
  return path;
}

/// Rules P2 and P3. Each step of a path but the last was left at its point; the last one holds something.
Order compare_paths(const Path& a, const Path& b) {
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) {
    if (a[i].timeline != b[i].timeline) return Order::diverged;
    if (a[i].at == b[i].at) continue;
    const bool a_is_shorter = a[i].at < b[i].at;
    const bool shorter_goes_on = i + 1 < (a_is_shorter ? a : b).size();
    if (shorter_goes_on) return Order::diverged;
    return a_is_shorter ? Order::before : Order::after;
  }
  return order_of(a.size() > b.size(), b.size() > a.size());
}

Order compare_ends(const WalPosition& a, Lsn a_end, const WalPosition& b, Lsn b_end) {
  return compare_paths(path_to(a, a_end), path_to(b, b_end));
}

Lsn data_end(const WalPosition& position) {
  return std::max(position.end, position.minimum_recovery.value_or(position.end));
}

bool wrote_last_of(const WalPosition& position, const Path& path) {
  return position.wrote.value_or(false) && path.back().timeline == position.timeline;
}

/// Rules P4 and P5, for paths of which one is the beginning of the other.
bool written_twice(const WalPosition& a, const Path& path_a, const WalPosition& b, const Path& path_b) {
  const bool a_wrote = wrote_last_of(a, path_a), b_wrote = wrote_last_of(b, path_b);
  if (a_wrote && b_wrote && path_a.size() == path_b.size()) return true;
  const auto has_more_of_last = [](const Path& longer, const Path& shorter) {
    const size_t last = shorter.size() - 1;
    return longer.size() > last && longer[last].at > shorter[last].at;
  };
  return (a_wrote && has_more_of_last(path_b, path_a)) || (b_wrote && has_more_of_last(path_a, path_b));
}

}  // namespace

Result<Lsn> Lsn::parse(std::string_view text) {
  Scanner scanner(text, "log position");
  const Lsn lsn = TRY(scan_lsn(scanner));
  if (!scanner.at_end()) return scanner.error("nothing may follow");
  return lsn;
}

std::string Lsn::to_string() const {
  return fmt::format("{:X}/{:X}", value >> 32, value & 0xffffffff);
}

int64_t operator-(Lsn a, Lsn b) {
  const bool forward = a.value >= b.value;
  const uint64_t distance = std::min<uint64_t>(forward ? a.value - b.value : b.value - a.value, INT64_MAX);
  return forward ? static_cast<int64_t>(distance) : -static_cast<int64_t>(distance);
}

Result<TimelineHistory> TimelineHistory::parse(std::string_view text) {
  TimelineHistory history;
  Scanner scanner(text, "timeline history");
  while (true) {
    scanner.skip_space();
    if (scanner.at_end()) return history;
    std::string_view line = scanner.rest().substr(0, scanner.rest().find('\n'));
    if (scanner.peek() == '#') {
      scanner.advance(line.size());
      continue;
    }
    const Scanner before = scanner;
    TimelineSwitch entry;
    entry.timeline = static_cast<uint32_t>(TRY(scanner.number("a timeline", 1, UINT32_MAX)));
    const auto blank = [&] { return scanner.peek() == ' ' || scanner.peek() == '\t'; };
    if (!blank()) return scanner.error("expected a tab and the position of the switch");
    while (blank()) scanner.advance(1);
    entry.at = TRY(scan_lsn(scanner));
    if (!scanner.at_end() && !blank() && scanner.peek() != '\n' && scanner.peek() != '\r')
      return scanner.error("expected a tab and the reason");
    while (blank()) scanner.advance(1);
    line = scanner.rest().substr(0, scanner.rest().find('\n'));
    scanner.advance(line.size());
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
    entry.reason = line;
    if (!history.entries.empty()) {
      if (entry.timeline <= history.entries.back().timeline) return before.error("timelines must increase");
      if (entry.at < history.entries.back().at) return before.error("a switch point must not lie before the one above");
    }
    history.entries.push_back(std::move(entry));
  }
}

std::string TimelineHistory::to_string() const {
  std::string text;
  for (const TimelineSwitch& entry : entries)
    text += fmt::format("{}\t{}\t{}\n", entry.timeline, entry.at.to_string(), entry.reason);
  return text;
}

bool TimelineHistory::operator==(const TimelineHistory& other) const {
  return std::equal(entries.begin(), entries.end(), other.entries.begin(), other.entries.end(),
                    [](const auto& a, const auto& b) { return a.timeline == b.timeline && a.at == b.at; });
}

bool WalPosition::sound() const {
  if (system_identifier.empty() || timeline == 0 || (timeline > 1 && history.entries.empty())) return false;
  uint32_t last_timeline = 0;
  Lsn last;
  for (const TimelineSwitch& entry : history.entries) {
    if (entry.timeline <= last_timeline || entry.at < last) return false;
    last_timeline = entry.timeline;
    last = entry.at;
  }
  return last_timeline < timeline;
}

std::string WalPosition::to_string() const {
  return fmt::format("timeline {} at {}", timeline, end.to_string());
}

Order compare(const WalPosition& a, const WalPosition& b) {
  if (!a.sound() || !b.sound() || a.system_identifier != b.system_identifier) return Order::incomparable;
  const Lsn a_data = data_end(a), b_data = data_end(b);
  const bool a_hole = a_data > a.end, b_hole = b_data > b.end;
  if (!a_hole && !b_hole) {
    const Path path_a = path_to(a, a.end), path_b = path_to(b, b.end);
    const Order order = compare_paths(path_a, path_b);
    if (order != Order::diverged && written_twice(a, path_a, b, path_b)) return Order::incomparable;
    return order;
  }
  const Order all = compare_ends(a, a_data, b, b_data);
  if (all == Order::diverged) return all;
  if (all == Order::equal && compare_ends(a, a.end, b, b.end) == Order::equal) return all;
  const auto within = [](Order order) { return order == Order::equal || order == Order::before; };
  if (a_hole && within(compare_ends(a, a_data, b, b.end))) return Order::before;
  if (b_hole && within(compare_ends(b, b_data, a, a.end))) return Order::after;
  return Order::incomparable;
}

std::optional<WalPoint> fork_of(const WalPosition& a, const WalPosition& b) {
  if (!a.sound() || !b.sound() || a.system_identifier != b.system_identifier) return std::nullopt;
  const Path path_a = path_to(a, a.end), path_b = path_to(b, b.end);
  std::optional<WalPoint> fork;
  for (size_t i = 0; i < path_a.size() && i < path_b.size(); ++i) {
    if (path_a[i].timeline != path_b[i].timeline) break;
    fork = WalPoint{path_a[i].timeline, std::min(path_a[i].at, path_b[i].at)};
    if (path_a[i].at != path_b[i].at) break;
  }
  return fork;
}

std::vector<WalPoint> path_after_fork(const WalPosition& a, const WalPosition& b) {
  const auto fork = fork_of(a, b);
  if (!fork) return {};
  Path path = path_to(a, a.end);
  const auto first = std::find_if(path.begin(), path.end(), [&](const WalPoint& point) { return point.at > fork->at; });
  path.erase(path.begin(), first);
  return path;
}

}  // namespace holdfast::position
