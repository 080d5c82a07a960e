// Small files of /proc, read while their processes come and go.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "sys/file.h"

namespace holdfast::agent {

/// "" where it cannot be read.
inline std::string proc_text(const std::string& path) {
  auto text = sys::read_file(path);
  return text ? std::string(as_text(text->span())) : std::string();
}

/// "a\0b\0" of arguments and environments.
inline std::vector<std::string> proc_list(const std::string& path) {
  std::vector<std::string> list;
  const std::string all = proc_text(path);
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('\0', at), all.size());
    list.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return list;
}

/// -1 where it is not a number as a whole.
inline pid_t proc_number(std::string_view text) {
  pid_t value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

}  // namespace holdfast::agent
