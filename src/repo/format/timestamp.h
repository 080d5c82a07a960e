// Points in time as Go writes them in JSON (RFC 3339 with nanoseconds), keeping the writer's own UTC offset: retention
// counts days in the snapshot's zone.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::repo {

struct Timestamp {
  int64_t seconds = 0;         ///< since 1970-01-01T00:00:00Z
  int32_t nanoseconds = 0;     ///< 0 .. 999,999,999
  int32_t offset_seconds = 0;  ///< east of UTC

  /// "2026-11-21T14:28:00.5+01:00"; trailing zeros of the fraction trimmed, "Z" for UTC. Years are clamped to 0..9999.
  std::string to_string() const;
  static std::optional<Timestamp> parse(std::string_view text);

  bool before(const Timestamp& other) const {
    return seconds != other.seconds ? seconds < other.seconds : nanoseconds < other.nanoseconds;
  }
  /// The same instant (the zone may differ).
  bool same_instant(const Timestamp& other) const {
    return seconds == other.seconds && nanoseconds == other.nanoseconds;
  }
};

/// The calendar fields of a timestamp in its own zone.
struct CivilTime {
  int64_t year = 1970;
  unsigned month = 1, day = 1, hour = 0, minute = 0, second = 0;
  int64_t iso_year = 1970;  ///< the year the ISO week belongs to
  unsigned iso_week = 1;
};
CivilTime civil_time(const Timestamp& time);

/// Seconds since the epoch of a civil time in UTC.
int64_t seconds_of(int64_t year, unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second);

}  // namespace holdfast::repo
