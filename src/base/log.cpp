#include "base/log.h"

#include <unistd.h>

#include <atomic>
#include <string>

namespace holdfast {
namespace {
std::atomic<LogLevel> g_level{LogLevel::warn};
constexpr std::string_view kNames[] = {"debug", "info", "warning", "error"};
}  // namespace

void set_log_level(LogLevel level) {
  g_level = level;
}
bool log_enabled(LogLevel level) {
  return level >= g_level.load(std::memory_order_relaxed);
}

void write_log(LogLevel level, std::string_view text) {
  std::string line = fmt::format("{}: {}\n", kNames[static_cast<int>(level)], text);
  // One write per line, so lines of several threads do not mix.
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) return;
}

}  // namespace holdfast
