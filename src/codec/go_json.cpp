#include "codec/go_json.h"

#include <algorithm>
#include <iterator>

#include "codec/utf8.h"

namespace holdfast::codec {
namespace {

struct Range {
  uint32_t first, last;
};
constexpr Range kPrintable[] = {
#include "codec/go_printable.inc"
};

bool printable(uint32_t code) {
  if (code < 0x80) return code >= 0x20 && code < 0x7f;
  const auto* at = std::upper_bound(std::begin(kPrintable), std::end(kPrintable), code,
                                    [](uint32_t value, const Range& range) { return value < range.first; });
  return at != std::begin(kPrintable) && code <= (at - 1)->last;
}

// Decodes one code point by the Unicode standard's table 3-7 (as Go does); 0 bytes for an invalid sequence.
size_t decode(std::string_view text, uint32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const uint8_t lead = byte(0);
  if (lead < 0x80) {
    code = lead;
    return 1;
  }
  if (lead >= 0xc2 && lead <= 0xdf && tail(1)) {
    code = (lead & 0x1fu) << 6 | (byte(1) & 0x3fu);
    return 2;
  }
  if (lead >= 0xe0 && lead <= 0xef && tail(1) && tail(2)) {
    code = (lead & 0x0fu) << 12 | (byte(1) & 0x3fu) << 6 | (byte(2) & 0x3fu);
    return code >= 0x800 && (code < 0xd800 || code > 0xdfff) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4 && tail(1) && tail(2) && tail(3)) {
    code = (lead & 0x07u) << 18 | (byte(1) & 0x3fu) << 12 | (byte(2) & 0x3fu) << 6 | (byte(3) & 0x3fu);
    return code >= 0x10000 && code <= 0x10ffff ? 4 : 0;
  }
  return 0;
}

void append_hex(std::string& out, uint32_t value, int digits) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15];
}

// What stands behind the backslash for characters with a short escape; 0 for all others.
char escape_letter(uint32_t code) {
  switch (code) {
    case '"':
    case '\\':
      return static_cast<char>(code);
    case '\a':
      return 'a';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    default:
      return 0;
  }
}

}  // namespace

bool is_utf8(std::string_view text) {
  uint32_t code = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t length = decode(text.substr(i), code);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<uint8_t>(text[i]);
    if (c < 0x80) {
      ++i;
      if (const char letter = escape_letter(c); letter != 0 && c != '\a' && c != '\v') {  // JSON knows no \a, no \v
        out += '\\';
        out += letter;
      } else if (c < 0x20 || c == '<' || c == '>' || c == '&') {
        out += "\\u";
        append_hex(out, c, 4);
      } else {
        out += static_cast<char>(c);
      }
      continue;
    }
    uint32_t code = 0;
    const size_t length = decode(text.substr(i), code);
    if (length == 0) {
      out += "\\ufffd";
      ++i;
    } else if (code == 0x2028 || code == 0x2029) {
      out += "\\u";
      append_hex(out, code, 4);
      i += length;
    } else {
      out.append(text, i, length);
      i += length;
    }
  }
  out += '"';
}

std::string go_quote(std::string_view name) {
  std::string out;
  out.reserve(name.size());
  for (size_t i = 0; i < name.size();) {
    uint32_t code = 0;
    const size_t length = decode(name.substr(i), code);
    if (length == 0) {
      out += "\\x";
      append_hex(out, static_cast<uint8_t>(name[i]), 2);
      ++i;
      continue;
    }
    if (const char letter = escape_letter(code)) {
      out += '\\';
      out += letter;
    } else if (printable(code)) {
      out.append(name, i, length);
    } else if (code < 0x20 || code == 0x7f) {
      out += "\\x";
      append_hex(out, code, 2);
    } else if (code < 0x10000) {
      out += "\\u";
      append_hex(out, code, 4);
    } else {
      out += "\\U";
      append_hex(out, code, 8);
    }
    i += length;
  }
  return out;
}

bool go_unquote(std::string_view quoted, std::string& name) {
  name.clear();
  for (size_t i = 0; i < quoted.size();) {
    if (quoted[i] != '\\') {
      if (quoted[i] == '"' || quoted[i] == '\n') return false;
      name += quoted[i++];
      continue;
    }
    if (++i == quoted.size()) return false;
    const char kind = quoted[i++];
    int digits = 0, base = 16;
    switch (kind) {
      case 'a':
        name += '\a';
        continue;
      case 'b':
        name += '\b';
        continue;
      case 'f':
        name += '\f';
        continue;
      case 'n':
        name += '\n';
        continue;
      case 'r':
        name += '\r';
        continue;
      case 't':
        name += '\t';
        continue;
      case 'v':
        name += '\v';
        continue;
      case '\\':
      case '"':
        name += kind;
        continue;
      case 'x':
        digits = 2;
        break;
      case 'u':
        digits = 4;
        break;
      case 'U':
        digits = 8;
        break;
      default:
        if (kind < '0' || kind > '7') return false;
        digits = 3;
        base = 8;
        --i;
    }
    uint64_t value = 0;
    for (int k = 0; k < digits; ++k, ++i) {
      if (i == quoted.size()) return false;
      const char c = quoted[i];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : 99;
      if (digit >= base) return false;
      value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
    }
    if (kind == 'u' || kind == 'U') {
      if (value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return false;
      append_utf8(name, static_cast<uint32_t>(value));
    } else {
      if (value > 255) return false;
      name += static_cast<char>(value);
    }
  }
  return true;
}

}  // namespace holdfast::codec
