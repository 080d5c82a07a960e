// Byte views, and a byte buffer whose growth leaves new bytes uninitialised (a vector would clear gigabytes for
// nothing).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <string_view>
#include <utility>

namespace holdfast {

using ByteSpan = std::span<const uint8_t>;
using MutableByteSpan = std::span<uint8_t>;

inline ByteSpan as_bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Owns one growable block of bytes; movable only. 64 readable bytes always follow capacity() (parsers read ahead).
class Buffer {
 public:
  static constexpr size_t kPadding = 64;

  Buffer() = default;
  explicit Buffer(size_t size) { resize(size); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer moved(std::move(other));
    swap(moved);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  static Buffer copy_of(ByteSpan bytes) {
    Buffer buffer;
    buffer.append(bytes);
    return buffer;
  }

  uint8_t* data() { return data_; }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  size_t capacity() const { return capacity_; }
  uint8_t& operator[](size_t i) { return data_[i]; }
  const uint8_t& operator[](size_t i) const { return data_[i]; }

  /// Keeps the first min(size, size()) bytes; new bytes are uninitialised.
  void resize(size_t size) {
    if (size > capacity_) reserve(size > capacity_ * 2 ? size : capacity_ * 2);
    size_ = size;
  }
  void reserve(size_t capacity) {
    if (capacity <= capacity_) return;
    auto* grown = static_cast<uint8_t*>(std::realloc(data_, capacity + kPadding));
    if (!grown) throw std::bad_alloc();
    data_ = grown;
    capacity_ = capacity;
  }
  /// Gives back what is allocated beyond size().
  void shrink() {
    if (size_ == capacity_) return;
    if (auto* smaller = static_cast<uint8_t*>(std::realloc(data_, size_ + kPadding))) {
      data_ = smaller;
      capacity_ = size_;
    }
  }
  void append(ByteSpan bytes) {
    if (bytes.empty()) return;
    const size_t at = size_;
    resize(at + bytes.size());
    std::memcpy(data_ + at, bytes.data(), bytes.size());  // NOLINT(clang-analyzer-core.*): resize() has allocated
  }
  void append(std::string_view text) { append(as_bytes(text)); }
  void clear() { size_ = 0; }

  ByteSpan span() const { return {data_, size_}; }
  ByteSpan span(size_t offset, size_t length) const { return {data_ + offset, length}; }
  operator ByteSpan() const { return span(); }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace holdfast
