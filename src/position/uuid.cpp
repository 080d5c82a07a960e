#include "position/uuid.h"

#include "position/scanner.h"

namespace holdfast::position {

namespace {

constexpr size_t kLength = 36;

bool is_dash_place(size_t i) {
  return i == 8 || i == 13 || i == 18 || i == 23;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

Result<Uuid> Uuid::parse(std::string_view text) {
  Scanner scanner(text, "UUID");
  Uuid uuid = TRY(scan(scanner));
  if (!scanner.at_end()) return scanner.error("nothing may follow");
  return uuid;
}

Result<Uuid> Uuid::scan(Scanner& scanner) {
  const std::string_view text = scanner.rest().substr(0, kLength);
  Uuid uuid;
  size_t digits = 0;
  for (size_t i = 0; i < kLength; ++i) {
    if (i >= text.size()) return scanner.error("expected a UUID of 36 characters");
    if (is_dash_place(i)) {
      if (text[i] != '-') return scanner.error("expected a UUID of 36 characters");
      continue;
    }
    const int value = hex_value(text[i]);
    if (value < 0) return scanner.error("expected a UUID of 36 characters");
    uint8_t& byte = uuid.bytes[digits / 2];
    byte = static_cast<uint8_t>(byte << 4 | value);
    ++digits;
  }
  scanner.advance(kLength);
  return uuid;
}

std::string Uuid::to_string() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(kLength);
  for (const uint8_t byte : bytes) {
    if (is_dash_place(text.size())) text += '-';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace holdfast::position
