// PostgreSQL positions: which write-ahead log a data directory holds, as a path over timelines.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "position/order.h"

namespace holdfast::position {

/// A byte position in the write-ahead log.
struct Lsn {
  uint64_t value = 0;

  /// "16/B374D848", either case. Errors: position.invalid.
  static Result<Lsn> parse(std::string_view text);
  std::string to_string() const;
  auto operator<=>(const Lsn&) const = default;
};

/// Bytes from b to a; negative when a is before b. Held to the range of int64_t.
int64_t operator-(Lsn a, Lsn b);

/// One timeline a history passed through, and where it left it.
struct TimelineSwitch {
  uint32_t timeline = 0;
  Lsn at;
  std::string reason;  ///< for people; does not count in comparisons
};

/// A .history file: the timelines before the one it is named after, oldest first.
struct TimelineHistory {
  std::vector<TimelineSwitch> entries;

  /// As PostgreSQL reads it: lines "timeline<TAB>lsn<TAB>reason", comments from '#', blank lines. Errors
  /// (position.invalid): anything else, timelines that do not increase, and switch points that go back.
  static Result<TimelineHistory> parse(std::string_view text);
  std::string to_string() const;
  bool operator==(const TimelineHistory& other) const;
};

struct WalPosition {
  std::string system_identifier;
  uint32_t timeline = 0;    ///< the newest the data directory is on, that of the minimum recovery point included
  TimelineHistory history;  ///< up to, not including, `timeline`; empty on timeline 1
  /// The true end of the log: the last record that is there, never the last checkpoint.
  Lsn end;
  /// pg_controldata's "Minimum recovery ending location". Beyond `end` it means that data pages need log that is lost.
  std::optional<Lsn> minimum_recovery;
  /// Whether this data directory wrote to `timeline` itself: pg_controldata says "in production", "shutting down" or
  /// "shut down", and there is no backup_label. False: "in archive recovery", "shut down in recovery", or a
  /// backup_label.
  std::optional<bool> wrote;

  /// Whether it can be compared at all: system identifier, timeline and a history that leads to it are there.
  bool sound() const;
  /// "timeline 3 at 16/B374D848".
  std::string to_string() const;
};

/// The path of a position is its list of (timeline, where it left it), ended by (timeline, end); switch points at or
/// after the end count for nothing, so a server just promoted is where its parent was.
///
///   P1  Different system identifier, timeline 0, timeline > 1 without history, a history that does not lead to the
///       timeline: incomparable.
///   P2  One path is the beginning of the other: before (or equal). In words: the ancestor ended at or before the fork.
///   P3  Both go on after their last common point: diverged.
///   P4  Two that both wrote to the last timeline of the same path: incomparable. The same timeline with the same
///   switch
///       point came into being twice (two standbys promoted at one point, a copied data directory): PostgreSQL itself
///       cannot tell them apart.
///   P5  One that wrote to its timeline, and the other has more of that timeline: incomparable. A writer is never
///   behind
///       its followers, so it is an older copy that may have written something of its own.
///   P6  Data pages beyond the end of the log (minimum recovery): it is before only what holds at least that point,
///   never
///       after or equal to anything but its like.
Order compare(const WalPosition& a, const WalPosition& b);

struct WalPoint {
  uint32_t timeline = 0;
  Lsn at;
  bool operator==(const WalPoint&) const = default;
};

/// The last point the two paths have in common; nullopt by rule P1, or when not even the first timeline is shared.
std::optional<WalPoint> fork_of(const WalPosition& a, const WalPosition& b);

/// What `a` holds after fork_of(a, b), oldest first, as points where each timeline ends; empty when that is nothing.
std::vector<WalPoint> path_after_fork(const WalPosition& a, const WalPosition& b);

}  // namespace holdfast::position
