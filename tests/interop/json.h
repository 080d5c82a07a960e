// JSON in tests goes through a library holdfast's own codec does not use, so that neither hides the other's mistakes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace holdfast::test {

using Json = nlohmann::json;

/// Parses a whole document; a null value when it is none.
inline Json parse_value(const std::string& text) {
  return Json::parse(text, nullptr, false).is_discarded() ? Json() : Json::parse(text);
}

/// One value per line, as restic prints progress and listings; lines that are no JSON are left out.
inline std::vector<Json> parse_lines(const std::string& text) {
  std::vector<Json> values;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    auto value = parse_value(text.substr(at, end - at));
    if (!value.is_null()) values.push_back(std::move(value));
    at = end + 1;
  }
  return values;
}

/// The data.snapshots[] of `holdfast get snapshots -o json`.
inline Json snapshots_of(const std::string& text) {
  const auto envelope = parse_value(text);
  return envelope.is_object() && envelope.contains("data") ? envelope["data"].value("snapshots", Json::array())
                                                           : Json::array();
}

}  // namespace holdfast::test
