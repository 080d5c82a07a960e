// MySQL GTID sets (gtid_executed, gtid_purged): which transactions a server has, exactly.
//
// A set holds, per source (server UUID and, from MySQL 8.3 on, tag), numbers 1 to 2^63-2 as intervals. It is always in
// the server's normal form: sources sorted, intervals sorted, neither overlapping nor adjacent. Every operation is
// linear in the number of intervals of both sets; parsing is, too, when the text is in normal form, as servers print
// it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "position/order.h"
#include "position/uuid.h"

namespace holdfast::position {

/// One transaction of a MySQL server. The tag is lower case, empty for none.
struct Gtid {
  Uuid uuid;
  std::string tag;
  uint64_t number = 0;

  /// "uuid:7" or "uuid:tag:7".
  static Result<Gtid> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const Gtid&) const = default;
};

/// Numbers first to last, both included.
struct Interval {
  uint64_t first = 0, last = 0;
  bool operator==(const Interval&) const = default;
};

class GtidSet {
 public:
  static constexpr uint64_t kLastNumber = (uint64_t{1} << 63) - 2;
  static constexpr size_t kTagLength = 32;

  struct Source {
    Uuid uuid;
    std::string tag;
    std::vector<Interval> intervals;
    bool operator==(const Source&) const = default;
  };

  /// Text as the server prints and takes it: "uuid:1-3:7,\nuuid:1:tag:5-7", either case, spaces and newlines around any
  /// mark; a source may come twice and intervals in any order. Empty text is the empty set. Errors (position.invalid)
  /// for what the server would take but never prints: a reversed interval, a UUID without intervals, stray commas.
  static Result<GtidSet> parse(std::string_view text);
  /// Normal form as the server prints it. The separator between UUIDs may be "," for a text of one line.
  std::string to_string(std::string_view separator = ",\n") const;

  bool empty() const { return sources_.empty(); }
  /// How many transactions; UINT64_MAX when there are more than that.
  uint64_t count() const;
  bool contains(const GtidSet& other) const;
  bool contains(const Gtid& gtid) const;
  /// Adds the numbers of a valid interval (1 <= first <= last <= kLastNumber), in time linear in the size of the set.
  void add(const Uuid& uuid, std::string_view tag, Interval interval);

  /// What this has and `other` has not.
  GtidSet subtract(const GtidSet& other) const;
  GtidSet intersect(const GtidSet& other) const;
  GtidSet unite(const GtidSet& other) const;

  /// Sorted by UUID, then tag; none is without intervals.
  const std::vector<Source>& sources() const { return sources_; }
  const Source* find(const Uuid& uuid, std::string_view tag) const;
  bool operator==(const GtidSet&) const = default;

 private:
  std::vector<Source> sources_;
};

/// By inclusion; never incomparable. Two sets with nothing in common are diverged, the empty set is before all others.
Order compare(const GtidSet& a, const GtidSet& b);

}  // namespace holdfast::position
