#include "position/scanner.h"

#include <fmt/format.h>

namespace holdfast::position {

namespace {

constexpr size_t kShown = 24;  ///< bytes of a wrong text that are repeated in the error

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

void Scanner::skip_space() {
  while (!at_end() && (text_[at_] == ' ' || (text_[at_] >= '\t' && text_[at_] <= '\r'))) ++at_;
}

bool Scanner::take(char c) {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

Result<uint64_t> Scanner::number(std::string_view name, uint64_t low, uint64_t high) {
  if (!is_digit(peek())) return error(fmt::format("expected {}", name));
  const size_t start = at_;
  uint64_t value = 0;
  bool fits = true;
  while (is_digit(peek())) {
    const auto digit = static_cast<uint64_t>(text_[at_] - '0');
    if (value > (UINT64_MAX - digit) / 10) fits = false;
    value = value * 10 + digit;
    ++at_;
  }
  if (fits && value >= low && value <= high) return value;
  at_ = start;
  return error(fmt::format("{} must be {} to {}", name, low, high));
}

Result<uint32_t> Scanner::hex32(std::string_view name) {
  uint32_t value = 0;
  size_t digits = 0;
  for (; digits <= 8; ++digits) {
    const char c = digits < rest().size() ? rest()[digits] : '\0';
    const char lower = static_cast<char>(c | 0x20);
    if (is_digit(c)) {
      value = value << 4 | static_cast<uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value << 4 | static_cast<uint32_t>(lower - 'a' + 10);
    } else {
      break;
    }
  }
  if (digits == 0 || digits > 8) return error(fmt::format("expected {} of 1 to 8 hexadecimal digits", name));
  at_ += digits;
  return value;
}

std::unexpected<Error> Scanner::error(std::string_view problem) const {
  std::string near(rest().substr(0, kShown));
  for (char& c : near)
    if (c < ' ' || c > '~') c = '?';
  return fail(ErrorClass::usage, "position.invalid",
              fmt::format("{}: {} at byte {}{}", what_, problem, at_,
                          at_end() ? ", where it ends" : ", before '" + near + "'"));
}

}  // namespace holdfast::position
