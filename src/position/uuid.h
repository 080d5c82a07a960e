// A UUID as database servers print it: 36 characters, lower case.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::position {

class Scanner;

struct Uuid {
  std::array<uint8_t, 16> bytes{};

  /// The whole text, in either case, no spaces or braces. Errors: position.invalid.
  static Result<Uuid> parse(std::string_view text);
  /// The next 36 characters.
  static Result<Uuid> scan(Scanner& scanner);
  std::string to_string() const;
  bool is_zero() const { return *this == Uuid{}; }
  auto operator<=>(const Uuid&) const = default;
};

}  // namespace holdfast::position
