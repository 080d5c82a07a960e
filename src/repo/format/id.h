// The name of every object and blob: the SHA-256 of its bytes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::repo {

struct Id {
  std::array<uint8_t, 32> bytes{};

  auto operator<=>(const Id&) const = default;
  std::string hex() const;
  /// The first 8 digits, enough for people.
  std::string short_hex() const { return hex().substr(0, 8); }
  /// From exactly 64 lower-case digits, as objects are named.
  static std::optional<Id> parse(std::string_view hex);
  /// The first 8 bytes as a number whose order is the order of ids.
  uint64_t prefix() const {
    uint64_t value;
    std::memcpy(&value, bytes.data(), 8);
    return __builtin_bswap64(value);
  }
};

}  // namespace holdfast::repo

template <>
struct std::hash<holdfast::repo::Id> {
  size_t operator()(const holdfast::repo::Id& id) const { return id.prefix(); }
};
