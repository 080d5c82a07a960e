// Reads the small texts positions come in, one piece after another, and says where a text stops being one.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::position {

class Scanner {
 public:
  /// `what` names the text in errors: "GTID set". The text must outlive the scanner.
  Scanner(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  bool at_end() const { return at_ == text_.size(); }
  /// The next character, '\0' at the end.
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  std::string_view rest() const { return text_.substr(at_); }
  void advance(size_t count) { at_ += count; }
  void skip_space();
  bool take(char c);
  /// Decimal digits, no sign; leading zeros are allowed.
  Result<uint64_t> number(std::string_view name, uint64_t low, uint64_t high);
  /// 1 to 8 hexadecimal digits.
  Result<uint32_t> hex32(std::string_view name);
  /// "position.invalid", with what was expected, where, and what stands there.
  std::unexpected<Error> error(std::string_view problem) const;

 private:
  std::string_view text_, what_;
  size_t at_ = 0;
};

}  // namespace holdfast::position
