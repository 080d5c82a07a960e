#include "tests/bench/output.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <system_error>

namespace holdfast::bench {

void Output::flush() {
  const char* at = buffer_.data();
  size_t left = buffer_.size();
  while (left > 0) {
    const ssize_t n = ::write(fd_, at, left);
    if (n < 0) {
      if (errno == EINTR) continue;
      const int error_number = errno;
      buffer_.clear();  // the destructor flushes too and must not throw
      throw std::system_error(error_number, std::generic_category(), "writing generated data");
    }
    at += n;
    left -= static_cast<size_t>(n);
  }
  flushed_ += buffer_.size();
  buffer_.clear();
}

void append_number(std::string& to, uint64_t value) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  to.append(digits, end);
}

void append_padded(std::string& to, uint64_t value, unsigned width) {
  char digits[20];
  for (unsigned i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  to.append(digits, width);
}

void append_hex(std::string& to, uint64_t bits, unsigned digits) {
  static constexpr char kHex[] = "0123456789abcdef";
  char text[16];
  for (unsigned i = 0; i < digits; ++i, bits >>= 4) text[i] = kHex[bits & 15];
  to.append(text, digits);
}

}  // namespace holdfast::bench
