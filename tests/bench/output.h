// A buffered writer over a file descriptor, and fast appending of the pieces generated text is made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::bench {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) { buffer_.reserve(kFlushAt + kSlack); }
  ~Output() { flush(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  /// The place to append to; call settle() at least every kSlack bytes.
  std::string& text() { return buffer_; }
  void settle() {
    if (buffer_.size() >= kFlushAt) flush();
  }
  void write(std::string_view bytes) {
    buffer_.append(bytes);
    settle();
  }
  /// Throws std::system_error when the write fails.
  void flush();
  uint64_t written() const { return flushed_ + buffer_.size(); }

 private:
  static constexpr size_t kFlushAt = 1 << 20;
  static constexpr size_t kSlack = 64 << 10;
  int fd_;
  std::string buffer_;
  uint64_t flushed_ = 0;
};

void append_number(std::string& to, uint64_t value);
/// Decimal with leading zeros up to `width`.
void append_padded(std::string& to, uint64_t value, unsigned width);
/// `digits` lower-case hex digits of `bits` (at most 16).
void append_hex(std::string& to, uint64_t bits, unsigned digits);

}  // namespace holdfast::bench
