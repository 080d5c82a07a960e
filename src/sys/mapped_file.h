// A regular file as memory: reading it costs no copy.
//
// A file that shrinks while it is mapped would end the process with SIGBUS. Here the missing pages read as zeros
// instead and failed() says so: whoever uses the bytes asks it before trusting them. What others write to the file
// shows in the bytes at any moment: whoever reads them twice may see two contents.
#pragma once

#include <atomic>

#include "base/bytes.h"
#include "base/result.h"
#include "sys/file.h"

namespace holdfast::sys {

class MappedFile {
 public:
  /// Maps the file from the descriptor's current position to its end. Fails for what is no regular file, or nothing to
  /// map ("sys.not_mappable"). At most 64 files are mapped at once. The caller's descriptor may be closed
  /// afterwards.
  static Result<MappedFile> map(int fd);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();

  ByteSpan bytes() const { return bytes_; }
  /// Bytes read so far were missing or unreadable in the file, or its end has moved towards its start. Ask after
  /// reading. Thread-safe.
  bool failed() const;

  /// Reads `range` ahead in the background.
  static void will_need(ByteSpan range);
  /// Makes `range` present now, in one call instead of a fault for every few pages.
  static void need_now(ByteSpan range);
  /// Takes `range` out of this process's memory, except for the page it ends in, which belongs to what follows. It may
  /// still be read, at the cost of new faults.
  static void release(ByteSpan range);

 private:
  MappedFile() = default;
  void* base_ = nullptr;
  size_t length_ = 0;
  ByteSpan bytes_;
  int slot_ = -1;
  Fd fd_;                  // our own
  uint64_t file_end_ = 0;  // when it was mapped
};

}  // namespace holdfast::sys
