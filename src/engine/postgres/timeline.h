// Names and contents of the files in pg_wal: timeline histories and segments.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "position/wal.h"

namespace holdfast::engine::postgres {

/// Contents of the history file of `timeline`: the timelines before it. "postgres.history" when a line makes no sense,
/// numbers do not rise, or it names none.
Result<position::TimelineHistory> parse_history(uint32_t timeline, std::string_view text);
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
