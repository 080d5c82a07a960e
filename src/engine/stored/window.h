// Bytes of a file, read through a window that moves forward.
#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "sys/file.h"

namespace holdfast::engine::stored {

/// Where the bytes come from.
class Source {
 public:
  virtual ~Source() = default;
  virtual uint64_t size() const = 0;
  /// Fills `into` from `at`; fewer bytes at the end of the file (it may have shrunk since size()).
  virtual Result<size_t> read(uint64_t at, MutableByteSpan into) = 0;
};

class FileSource : public Source {
 public:
  /// A regular file; never blocks on anything else.
  static Result<FileSource> open(const std::string& path);
  uint64_t size() const override { return size_; }
  Result<size_t> read(uint64_t at, MutableByteSpan into) override;

 private:
  sys::Fd fd_;
  uint64_t size_ = 0;
};

class MemorySource : public Source {
 public:
  explicit MemorySource(ByteSpan bytes) : bytes_(bytes) {}
  uint64_t size() const override { return bytes_.size(); }
  Result<size_t> read(uint64_t at, MutableByteSpan into) override;

 private:
  ByteSpan bytes_;
};

/// A window that moves forward over a source.
class Window {
 public:
  explicit Window(Source& source);
  uint64_t size() const { return size_; }
  /// The bytes from `at` on, as many as there are up to `count`; valid until the next call.
  Result<ByteSpan> view(uint64_t at, size_t count);
  /// The same where the bytes are in memory already; nothing otherwise.
  ByteSpan peek(uint64_t at, size_t count) const {
    if (at < start_ || at + count > start_ + buffer_.size()) return {};
    return buffer_.span(static_cast<size_t>(at - start_), count);
  }

 private:
  Source& source_;
  uint64_t size_;
  Buffer buffer_;
  uint64_t start_ = 0;
};

}  // namespace holdfast::engine::stored
