#include "codec/hex.h"

#include <array>

namespace holdfast::codec {
namespace {

constexpr std::array<uint8_t, 256> kDigit = [] {
  std::array<uint8_t, 256> table{};
  table.fill(0xff);
  for (uint8_t i = 0; i < 10; ++i) table['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) {
    table['a' + i] = static_cast<uint8_t>(10 + i);
    table['A' + i] = static_cast<uint8_t>(10 + i);
  }
  return table;
}();

}  // namespace

std::string to_hex(ByteSpan bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(bytes.size() * 2, '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kDigits[bytes[i] >> 4];
    text[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return text;
}

bool from_hex(std::string_view text, MutableByteSpan into) {
  if (text.size() != into.size() * 2) return false;
  uint8_t bad = 0;
  for (size_t i = 0; i < into.size(); ++i) {
    const uint8_t high = kDigit[static_cast<uint8_t>(text[2 * i])];
    const uint8_t low = kDigit[static_cast<uint8_t>(text[2 * i + 1])];
    bad |= static_cast<uint8_t>(high | low);
    into[i] = static_cast<uint8_t>(high << 4 | (low & 15));
  }
  return bad < 16;
}

}  // namespace holdfast::codec
