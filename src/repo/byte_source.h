// Where a stream's bytes come from.
#pragma once

#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "sys/mapped_file.h"

namespace holdfast::repo {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills at least one byte of `into` and returns how many; 0 means the stream has ended well. A producer that failed
  /// is an error, never an end. Called from one thread, not necessarily the one that made the source.
  virtual Result<size_t> read(MutableByteSpan into) = 0;
  /// Bytes to come, where that can be known (a regular file); 0 otherwise. For progress only.
  virtual uint64_t size_hint() const { return 0; }
  /// All bytes to come as memory, where they are a file: read() is then not used. failed() must be asked at the end.
  virtual std::shared_ptr<const sys::MappedFile> mapped() { return nullptr; }
};

/// Reads a descriptor that stays owned by the caller. Pipes are widened to 1 MiB, so that the producer is not woken for
/// every 64 KiB.
std::unique_ptr<ByteSource> read_descriptor(int fd);
/// Reads bytes in memory, which must outlive the source.
std::unique_ptr<ByteSource> read_memory(ByteSpan bytes);

}  // namespace holdfast::repo
