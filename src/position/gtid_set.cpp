#include "position/gtid_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "position/scanner.h"

namespace holdfast::position {

namespace {

using Intervals = std::vector<Interval>;
using Source = GtidSet::Source;

auto key(const Source& source) {
  return std::tie(source.uuid, source.tag);
}

/// Appends to intervals that end at or before the new one's neighbourhood; joins what overlaps or touches.
void append(Intervals& to, Interval next) {
  if (!to.empty() && next.first <= to.back().last + 1) {
    to.back().last = std::max(to.back().last, next.last);
  } else {
    to.push_back(next);
  }
}

Intervals united(const Intervals& a, const Intervals& b) {
  Intervals result;
  result.reserve(a.size() + b.size());
  size_t i = 0, j = 0;
  while (i < a.size() || j < b.size()) {
    const bool from_a = j == b.size() || (i < a.size() && a[i].first <= b[j].first);
    append(result, from_a ? a[i++] : b[j++]);
  }
  return result;
}

Intervals intersected(const Intervals& a, const Intervals& b) {
  Intervals result;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const Interval common{std::max(a[i].first, b[j].first), std::min(a[i].last, b[j].last)};
    if (common.first <= common.last) result.push_back(common);
    if (a[i].last < b[j].last) {
      ++i;
    } else {
      ++j;
    }
  }
  return result;
}

Intervals subtracted(const Intervals& a, const Intervals& b) {
  Intervals result;
  size_t j = 0;
  for (Interval left : a) {
    while (j < b.size() && b[j].last < left.first) ++j;
    bool anything = true;
    for (; j < b.size() && b[j].first <= left.last; ++j) {
      if (b[j].first > left.first) result.push_back({left.first, b[j].first - 1});
      if (b[j].last >= left.last) {  // may reach into the next interval of a: stays at j
        anything = false;
        break;
      }
      left.first = b[j].last + 1;
    }
    if (anything) result.push_back(left);
  }
  return result;
}

bool includes(const Intervals& whole, const Intervals& part) {
  size_t i = 0;
  for (const Interval& wanted : part) {
    while (i < whole.size() && whole[i].last < wanted.first) ++i;
    if (i == whole.size() || whole[i].first > wanted.first || whole[i].last < wanted.last) return false;
  }
  return true;
}

void normalise(Intervals& intervals) {
  const auto by_first = [](const Interval& x, const Interval& y) { return x.first < y.first; };
  if (!std::is_sorted(intervals.begin(), intervals.end(), by_first))
    std::sort(intervals.begin(), intervals.end(), by_first);
  Intervals joined;
  joined.reserve(intervals.size());
  for (const Interval& interval : intervals) append(joined, interval);
  intervals = std::move(joined);
}

/// Sources in any order, some of them several times, into normal form.
std::vector<Source> normalised(std::vector<Source> sources) {
  const auto by_key = [](const Source& x, const Source& y) { return key(x) < key(y); };
  if (!std::is_sorted(sources.begin(), sources.end(), by_key)) std::stable_sort(sources.begin(), sources.end(), by_key);
  std::vector<Source> result;
  for (Source& source : sources) {
    if (!result.empty() && key(result.back()) == key(source)) {
      auto& to = result.back().intervals;
      to.insert(to.end(), source.intervals.begin(), source.intervals.end());
    } else {
      result.push_back(std::move(source));
    }
  }
  for (Source& source : result) normalise(source.intervals);
  return result;
}

bool is_tag_start(char c) {
  return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Result<std::string> scan_tag(Scanner& scanner) {
  const std::string_view rest = scanner.rest();
  std::string tag;
  for (const char c : rest) {
    if (!is_tag_start(c) && !(c >= '0' && c <= '9')) break;
    tag += c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    if (tag.size() > GtidSet::kTagLength) return scanner.error("expected a tag of at most 32 characters");
  }
  scanner.advance(tag.size());
  return tag;
}

Result<uint64_t> scan_number(Scanner& scanner) {
  return scanner.number("a transaction number", 1, GtidSet::kLastNumber);
}

Result<Interval> scan_interval(Scanner& scanner) {
  Interval interval;
  interval.first = interval.last = TRY(scan_number(scanner));
  scanner.skip_space();
  if (!scanner.take('-')) return interval;
  scanner.skip_space();
  const Scanner before = scanner;
  interval.last = TRY(scan_number(scanner));
  if (interval.last < interval.first) return before.error("an interval must not end before it begins");
  scanner.skip_space();
  return interval;
}

/// uuid[:tag]:interval[:interval]...[:tag:interval...]
Status scan_uuid_set(Scanner& scanner, std::vector<Source>& to) {
  const Uuid uuid = TRY(Uuid::scan(scanner));
  scanner.skip_space();
  if (scanner.peek() != ':') return scanner.error("expected ':' and an interval after the UUID");
  to.push_back({uuid, "", {}});
  while (scanner.take(':')) {
    scanner.skip_space();
    if (is_tag_start(scanner.peek())) {
      Source tagged{uuid, TRY(scan_tag(scanner)), {}};
      if (to.back().intervals.empty()) to.pop_back();
      to.push_back(std::move(tagged));
      scanner.skip_space();
      if (!scanner.take(':')) return scanner.error("expected ':' and an interval after the tag");
      scanner.skip_space();
    }
    to.back().intervals.push_back(TRY(scan_interval(scanner)));
  }
  return {};
}

}  // namespace

Result<Gtid> Gtid::parse(std::string_view text) {
  Scanner scanner(text, "GTID");
  Gtid gtid;
  scanner.skip_space();
  gtid.uuid = TRY(Uuid::scan(scanner));
  if (!scanner.take(':')) return scanner.error("expected ':' after the UUID");
  if (is_tag_start(scanner.peek())) {
    gtid.tag = TRY(scan_tag(scanner));
    if (!scanner.take(':')) return scanner.error("expected ':' after the tag");
  }
  gtid.number = TRY(scan_number(scanner));
  scanner.skip_space();
  if (!scanner.at_end()) return scanner.error("nothing may follow");
  return gtid;
}

std::string Gtid::to_string() const {
  return fmt::format("{}:{}{}{}", uuid.to_string(), tag, tag.empty() ? "" : ":", number);
}

Result<GtidSet> GtidSet::parse(std::string_view text) {
  Scanner scanner(text, "GTID set");
  std::vector<Source> sources;
  scanner.skip_space();
  if (!scanner.at_end()) {
    do {
      scanner.skip_space();
      TRY_VOID(scan_uuid_set(scanner, sources));
    } while (scanner.take(','));
    if (!scanner.at_end()) return scanner.error("expected ':' or ','");
  }
  GtidSet set;
  set.sources_ = normalised(std::move(sources));
  return set;
}

std::string GtidSet::to_string(std::string_view separator) const {
  std::string text;
  const Uuid* uuid = nullptr;
  for (const Source& source : sources_) {
    if (uuid == nullptr || *uuid != source.uuid) {
      if (uuid != nullptr) text += separator;
      text += source.uuid.to_string();
      uuid = &source.uuid;
    }
    if (!source.tag.empty()) text += ":" + source.tag;
    for (const auto [first, last] : source.intervals) {
      if (first == last) {
        fmt::format_to(std::back_inserter(text), ":{}", first);
      } else {
        fmt::format_to(std::back_inserter(text), ":{}-{}", first, last);
      }
    }
  }
  return text;
}

uint64_t GtidSet::count() const {
  uint64_t count = 0;
  for (const Source& source : sources_) {
    for (const auto [first, last] : source.intervals) {
      if (__builtin_add_overflow(count, last - first + 1, &count)) return UINT64_MAX;
    }
  }
  return count;
}

const GtidSet::Source* GtidSet::find(const Uuid& uuid, std::string_view tag) const {
  const auto at = std::lower_bound(sources_.begin(), sources_.end(), std::tie(uuid, tag), [](const Source& s, auto& k) {
    return s.uuid != std::get<0>(k) ? s.uuid < std::get<0>(k) : s.tag < std::get<1>(k);
  });
  return at != sources_.end() && at->uuid == uuid && at->tag == tag ? &*at : nullptr;
}

bool GtidSet::contains(const GtidSet& other) const {
  size_t i = 0;
  for (const Source& wanted : other.sources_) {
    while (i < sources_.size() && key(sources_[i]) < key(wanted)) ++i;
    if (i == sources_.size() || key(sources_[i]) != key(wanted)) return false;
    if (!includes(sources_[i].intervals, wanted.intervals)) return false;
  }
  return true;
}

bool GtidSet::contains(const Gtid& gtid) const {
  const Source* source = find(gtid.uuid, gtid.tag);
  if (source == nullptr) return false;
  const auto& intervals = source->intervals;
  const auto at = std::lower_bound(intervals.begin(), intervals.end(), gtid.number,
                                   [](const Interval& interval, uint64_t number) { return interval.last < number; });
  return at != intervals.end() && at->first <= gtid.number;
}

void GtidSet::add(const Uuid& uuid, std::string_view tag, Interval interval) {
  GtidSet one;
  one.sources_.push_back({uuid, std::string(tag), {interval}});
  *this = unite(one);
}

GtidSet GtidSet::subtract(const GtidSet& other) const {
  GtidSet result;
  size_t j = 0;
  for (const Source& source : sources_) {
    while (j < other.sources_.size() && key(other.sources_[j]) < key(source)) ++j;
    const bool shared = j < other.sources_.size() && key(other.sources_[j]) == key(source);
    Source left{source.uuid, source.tag,
                shared ? subtracted(source.intervals, other.sources_[j].intervals) : source.intervals};
    if (!left.intervals.empty()) result.sources_.push_back(std::move(left));
  }
  return result;
}

GtidSet GtidSet::intersect(const GtidSet& other) const {
  GtidSet result;
  size_t j = 0;
  for (const Source& source : sources_) {
    while (j < other.sources_.size() && key(other.sources_[j]) < key(source)) ++j;
    if (j == other.sources_.size() || key(other.sources_[j]) != key(source)) continue;
    Source common{source.uuid, source.tag, intersected(source.intervals, other.sources_[j].intervals)};
    if (!common.intervals.empty()) result.sources_.push_back(std::move(common));
  }
  return result;
}

GtidSet GtidSet::unite(const GtidSet& other) const {
  GtidSet result;
  const auto &a = sources_, &b = other.sources_;
  for (size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    if (j == b.size() || (i < a.size() && key(a[i]) < key(b[j]))) {
      result.sources_.push_back(a[i++]);
    } else if (i == a.size() || key(b[j]) < key(a[i])) {
      result.sources_.push_back(b[j++]);
    } else {
      result.sources_.push_back({a[i].uuid, a[i].tag, united(a[i].intervals, b[j].intervals)});
      ++i;
      ++j;
    }
  }
  return result;
}

Order compare(const GtidSet& a, const GtidSet& b) {
  return order_of(!b.contains(a), !a.contains(b));
}

}  // namespace holdfast::position
