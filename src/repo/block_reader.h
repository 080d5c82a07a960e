// Reads a stream ahead of its consumer, in large blocks from a fixed set.
#pragma once

#include <condition_variable>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "repo/byte_source.h"

namespace holdfast::repo {

/// One piece of the stream. Room for `kHeadroom` bytes lies in front of it, where the consumer puts what the previous
/// block left over, so that chunks that span blocks become contiguous.
struct Block {
  static constexpr size_t kHeadroom = 8 * 1024 * 1024;
  static constexpr size_t kSize = 16 * 1024 * 1024;

  std::unique_ptr<uint8_t[]> memory{new uint8_t[kHeadroom + kSize]};  // uninitialised: untouched pages cost nothing
  size_t size = 0;
  bool last = false;

  uint8_t* begin() { return memory.get() + kHeadroom; }
};

class BlockReader {
 public:
  /// `source` must outlive the reader.
  explicit BlockReader(ByteSource& source, size_t blocks = 4);
  ~BlockReader();

  /// The next block; its memory returns to the reader when the last holder lets go. The last block (perhaps empty) is
  /// marked; do not ask again after it. Fails with the source's error.
  Result<std::shared_ptr<Block>> next();

 private:
  struct Pool {
    Mutex mutex;
    std::condition_variable changed;
    std::vector<std::unique_ptr<Block>> free GUARDED_BY(mutex);
    std::vector<std::shared_ptr<Block>> ready GUARDED_BY(mutex);
    std::optional<Error> error GUARDED_BY(mutex);
    bool closing GUARDED_BY(mutex) = false;
  };
  static void run(ByteSource& source, const std::shared_ptr<Pool>& pool);

  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>();
  std::jthread thread_;
};

}  // namespace holdfast::repo
