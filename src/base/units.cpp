#include "base/units.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

namespace holdfast {

std::string human_size(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::optional<uint64_t> parse_size(std::string_view text) {
  double value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (problem != std::errc{} || !(value >= 0)) return std::nullopt;
  std::string unit(end, text.data() + text.size());
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (unit.ends_with("ib")) {
    unit.resize(unit.size() - 2);
    if (unit.empty()) return std::nullopt;
  } else if (unit.ends_with('b')) {
    unit.pop_back();
  }
  static constexpr std::string_view kLetters = "kmgtp";
  if (unit.size() > 1 || (unit.size() == 1 && kLetters.find(unit[0]) == std::string_view::npos)) return std::nullopt;
  if (!unit.empty()) value *= std::exp2(10.0 * static_cast<double>(kLetters.find(unit[0]) + 1));
  if (value >= 1.8e19) return std::nullopt;
  return static_cast<uint64_t>(value);
}

std::string human_rate(uint64_t bytes, std::chrono::duration<double> span) {
  if (span.count() <= 0) return "-";
  return human_size(static_cast<uint64_t>(static_cast<double>(bytes) / span.count())) + "/s";
}

std::string human_span(std::chrono::duration<double> span) {
  const double seconds = span.count();
  if (seconds < 59.95) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

}  // namespace holdfast
