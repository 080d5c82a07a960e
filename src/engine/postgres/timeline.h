// Timeline history files: which timelines a timeline came from, and where each was left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/postgres/control.h"

namespace holdfast::engine::postgres {

struct TimelineSwitch {
  uint32_t parent = 0;  ///< the timeline that was left
  Lsn at = 0;           ///< where
  bool operator==(const TimelineSwitch&) const = default;
};
struct TimelineHistory {
  uint32_t timeline = 0;                 ///< whose history it is
  std::vector<TimelineSwitch> switches;  ///< oldest first; empty for timeline 1
};
/// Contents of "0000000A.history". "postgres.history" when a line makes no sense, or numbers do not rise.
Result<TimelineHistory> parse_history(uint32_t timeline, std::string_view text);
/// "0000000A.history" -> 10
std::optional<uint32_t> history_file_timeline(std::string_view name);
std::string history_file_name(uint32_t timeline);

/// "00000001000000000000002A": timeline and number of a WAL segment.
struct SegmentName {
  uint32_t timeline = 0;
  uint64_t number = 0;
  auto operator<=>(const SegmentName&) const = default;
};
std::optional<SegmentName> parse_segment_name(std::string_view name, uint32_t segment_size);
std::string segment_file_name(const SegmentName& segment, uint32_t segment_size);

}  // namespace holdfast::engine::postgres
