// The whole of nlohmann JSON plus readers that do not throw. For .cpp files only.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

#include "codec/json.h"

namespace holdfast::codec {

/// object[key], or null when `object` is no object or has no such key.
inline const Json& json_at(const Json& object, std::string_view key) {
  static const Json null;
  if (!object.is_object()) return null;
  auto found = object.find(std::string(key));
  return found == object.end() ? null : *found;
}
inline std::string json_string(const Json& object, std::string_view key, std::string otherwise = {}) {
  const Json& value = json_at(object, key);
  return value.is_string() ? value.get<std::string>() : otherwise;
}
inline int64_t json_int(const Json& object, std::string_view key, int64_t otherwise = 0) {
  const Json& value = json_at(object, key);
  return value.is_number() ? value.get<int64_t>() : otherwise;
}
inline bool json_bool(const Json& object, std::string_view key, bool otherwise = false) {
  const Json& value = json_at(object, key);
  return value.is_boolean() ? value.get<bool>() : otherwise;
}

}  // namespace holdfast::codec
