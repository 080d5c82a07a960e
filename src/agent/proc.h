// Small files of /proc, read while their processes come and go.
#pragma once

#include <sys/types.h>

#include <charconv>
#include <string>
#include <string_view>

#include "sys/file.h"

namespace holdfast::agent {

/// "" where it cannot be read.
inline std::string proc_text(const std::string& path) {
  auto text = sys::read_file(path);
  return text ? std::string(as_text(text->span())) : std::string();
}

/// -1 where it is not a number as a whole.
inline pid_t proc_number(std::string_view text) {
  pid_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

}  // namespace holdfast::agent
