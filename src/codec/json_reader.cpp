#include "codec/json_reader.h"

#include <cstring>

#include "codec/utf8.h"

namespace holdfast::codec {
namespace {
constexpr size_t kMaxDepth = 128;

// Four hex digits at `p`; -1 if they are not.
int32_t hex4(const char* p, const char* end) {
  if (end - p < 4) return -1;
  int32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = p[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value << 4 | digit;
  }
  return value;
}
}  // namespace

void JsonReader::reject(std::string_view what) {
  if (!problem_.empty()) return;
  problem_ = std::string(what) + " at byte " + std::to_string(at_ - begin_);
  at_ = end_;
}

void JsonReader::blank() {
  while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
}

bool JsonReader::expect(char c) {
  blank();
  if (at_ < end_ && *at_ == c) {
    ++at_;
    return true;
  }
  if (ok()) reject(std::string("expected '") + c + "'");
  return false;
}

bool JsonReader::enter_object() {
  if (!expect('{')) return false;
  if (first_.size() >= kMaxDepth) return reject("nested too deep"), false;
  first_.push_back(true);
  return true;
}

bool JsonReader::enter_array() {
  if (!expect('[')) return false;
  if (first_.size() >= kMaxDepth) return reject("nested too deep"), false;
  first_.push_back(true);
  return true;
}

// Moves to the next element of the innermost container; false (and out of it) at its end.
bool JsonReader::element(char close) {
  if (!ok() || first_.empty()) return false;
  blank();
  if (at_ < end_ && *at_ == close) {
    ++at_;
    first_.pop_back();
    return false;
  }
  if (first_.back()) {
    first_.back() = false;
    if (at_ == end_) reject("unexpected end");
    return ok();
  }
  if (!expect(',')) return false;
  blank();
  if (at_ < end_ && *at_ == close) reject("a comma with nothing after it");
  return ok();
}

std::optional<std::string_view> JsonReader::next_key() {
  if (!element('}')) return std::nullopt;
  const std::string_view key = string_view();
  if (!expect(':')) return std::nullopt;
  return key;
}

bool JsonReader::next_element() {
  return element(']');
}

std::string_view JsonReader::string_view() {
  if (!expect('"')) return {};
  const char* from = at_;
  while (at_ < end_ && *at_ != '"' && *at_ != '\\' && static_cast<unsigned char>(*at_) >= 0x20) ++at_;
  if (at_ == end_) return reject("a string without end"), std::string_view{};
  if (*at_ == '"') return {from, static_cast<size_t>(at_++ - from)};
  return decode_string(from);
}

std::string_view JsonReader::decode_string(const char* from) {
  scratch_.assign(from, at_);
  while (at_ < end_) {
    const char c = *at_++;
    if (c == '"') return scratch_;
    if (static_cast<unsigned char>(c) < 0x20) return reject("a control character in a string"), std::string_view{};
    if (c != '\\') {
      scratch_ += c;
      continue;
    }
    if (at_ == end_) break;
    switch (*at_++) {
      case '"':
        scratch_ += '"';
        break;
      case '\\':
        scratch_ += '\\';
        break;
      case '/':
        scratch_ += '/';
        break;
      case 'b':
        scratch_ += '\b';
        break;
      case 'f':
        scratch_ += '\f';
        break;
      case 'n':
        scratch_ += '\n';
        break;
      case 'r':
        scratch_ += '\r';
        break;
      case 't':
        scratch_ += '\t';
        break;
      case 'u': {
        int32_t code = hex4(at_, end_);
        if (code < 0) return reject("a bad \\u escape"), std::string_view{};
        at_ += 4;
        if (code >= 0xd800 && code < 0xdc00 && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
          const int32_t low = hex4(at_ + 2, end_);
          if (low >= 0xdc00 && low < 0xe000) {
            at_ += 6;
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
          }
        }
        if (code >= 0xd800 && code < 0xe000) code = 0xfffd;  // half a pair, as Go reads it
        append_utf8(scratch_, static_cast<uint32_t>(code));
        break;
      }
      default:
        return reject("an unknown escape"), std::string_view{};
    }
  }
  return reject("a string without end"), std::string_view{};
}

uint64_t JsonReader::unsigned_integer() {
  blank();
  const char* from = at_;
  uint64_t value = 0;
  bool overflow = false;
  while (at_ < end_ && *at_ >= '0' && *at_ <= '9') {
    overflow |= __builtin_mul_overflow(value, uint64_t{10}, &value);
    overflow |= __builtin_add_overflow(value, static_cast<uint64_t>(*at_ - '0'), &value);
    ++at_;
  }
  const bool leading_zero = at_ - from > 1 && *from == '0';
  const bool more = at_ < end_ && (*at_ == '.' || *at_ == 'e' || *at_ == 'E');
  if (at_ == from || overflow || more || leading_zero) {
    reject("expected an unsigned integer");
    return 0;
  }
  return value;
}

int64_t JsonReader::integer() {
  blank();
  const bool negative = at_ < end_ && *at_ == '-';
  if (negative) ++at_;
  const uint64_t value = unsigned_integer();
  if (value > static_cast<uint64_t>(INT64_MAX)) return reject("an integer out of range"), 0;
  return negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

bool JsonReader::literal(std::string_view word) {
  blank();
  if (static_cast<size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) return false;
  at_ += word.size();
  return true;
}

bool JsonReader::boolean() {
  if (literal("true")) return true;
  if (!literal("false")) reject("expected true or false");
  return false;
}

bool JsonReader::null() {
  return literal("null");
}

std::string_view JsonReader::raw() {
  blank();
  const char* from = at_;
  if (at_ == end_) return reject("unexpected end"), std::string_view{};
  switch (*at_) {
    case '{':
      enter_object();
      while (next_key()) skip();
      break;
    case '[':
      enter_array();
      while (next_element()) skip();
      break;
    case '"':
      string_view();
      break;
    case 't':
    case 'f':
      boolean();
      break;
    case 'n':
      if (!null()) reject("unexpected word");
      break;
    default: {
      const char* number = at_;
      while (at_ < end_ && std::strchr("+-0123456789.eE", *at_) && *at_) ++at_;
      if (at_ == number) reject("unexpected character");
    }
  }
  return ok() ? std::string_view(from, static_cast<size_t>(at_ - from)) : std::string_view{};
}

bool JsonReader::finished() {
  blank();
  if (ok() && (at_ != end_ || !first_.empty())) reject("bytes after the document");
  return ok();
}

}  // namespace holdfast::codec
