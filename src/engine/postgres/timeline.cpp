#include "engine/postgres/timeline.h"

#include <fmt/format.h>

#include <charconv>

namespace holdfast::engine::postgres {

namespace {

template <class Number>
bool read_hex(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

bool upper_hex(std::string_view text) {
  return text.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

}  // namespace

Result<position::TimelineHistory> parse_history(uint32_t timeline, std::string_view text) {
  const auto bad = [&](const std::string& why) {
    return fail(ErrorClass::failed, "postgres.history", history_file_name(timeline) + ": " + why);
  };
  auto history = position::TimelineHistory::parse(text);
  if (!history) return bad(history.error().message);
  if (history->entries.empty()) return bad("it has no timeline");
  if (history->entries.back().timeline >= timeline) return bad("its timelines do not rise");
  return history;
}

std::optional<uint32_t> history_file_timeline(std::string_view name) {
  uint32_t timeline = 0;
  if (name.size() != 16 || !name.ends_with(".history") || !upper_hex(name.substr(0, 8)) ||
      !read_hex(name.substr(0, 8), timeline))
    return std::nullopt;
  return timeline;
}

std::string history_file_name(uint32_t timeline) {
  return fmt::format("{:08X}.history", timeline);
}

std::optional<SegmentName> parse_segment_name(std::string_view name, uint32_t segment_size) {
  SegmentName segment;
  uint32_t high = 0, low = 0;
  if (name.size() != 24 || !upper_hex(name) || !read_hex(name.substr(0, 8), segment.timeline) ||
      !read_hex(name.substr(8, 8), high) || !read_hex(name.substr(16, 8), low))
    return std::nullopt;
  const uint64_t per_id = (uint64_t{1} << 32) / segment_size;
  if (low >= per_id) return std::nullopt;
  segment.number = high * per_id + low;
  return segment;
}

std::string segment_file_name(const SegmentName& segment, uint32_t segment_size) {
  const uint64_t per_id = (uint64_t{1} << 32) / segment_size;
  return fmt::format("{:08X}{:08X}{:08X}", segment.timeline, segment.number / per_id, segment.number % per_id);
}

}  // namespace holdfast::engine::postgres
