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

std::string_view next_word(std::string_view& text) {
  const size_t first = std::min(text.find_first_not_of(" \t\r"), text.size());
  const size_t end = std::min(text.find_first_of(" \t\r", first), text.size());
  const std::string_view word = text.substr(first, end - first);
  text.remove_prefix(end);
  return word;
}

bool upper_hex(std::string_view text) {
  return text.find_first_not_of("0123456789ABCDEF") == std::string_view::npos;
}

}  // namespace

Result<TimelineHistory> parse_history(uint32_t timeline, std::string_view text) {
  const auto bad = [&](std::string why) {
    return fail(ErrorClass::failed, "postgres.history", history_file_name(timeline) + ": " + why);
  };
  TimelineHistory history;
  history.timeline = timeline;
  if (text.find('\0') != std::string_view::npos) return bad("it holds zeros");
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string_view parent = next_word(line);
    if (parent.empty() || parent[0] == '#') continue;
    const std::string_view lsn = next_word(line);
    TimelineSwitch step;
    const auto [stop, error] = std::from_chars(parent.data(), parent.data() + parent.size(), step.parent);
    const size_t slash = lsn.find('/');
    uint32_t high = 0, low = 0;
    if (error != std::errc() || stop != parent.data() + parent.size() || slash == std::string_view::npos ||
        !read_hex(lsn.substr(0, slash), high) || !read_hex(lsn.substr(slash + 1), low))
      return bad("a line makes no sense");
    step.at = uint64_t{high} << 32 | low;
    if (step.parent >= timeline || (!history.switches.empty() && step.parent <= history.switches.back().parent))
      return bad("its timelines do not rise");
    history.switches.push_back(step);
  }
  if (history.switches.empty()) return bad("it names no timeline");
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
