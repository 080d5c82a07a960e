// Structured log lines on stderr. Quiet by default: a person reads the rendered result, the log explains it under -v.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace holdfast {

enum class LogLevel { debug, info, warn, error };

/// Lines below this level are dropped; default warn. Thread-safe.
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
/// Writes one line "LEVEL text" to stderr. Thread-safe.
void write_log(LogLevel level, std::string_view text);

template <class... Args>
void log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
  if (log_enabled(level)) write_log(level, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace holdfast
