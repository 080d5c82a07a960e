// Zstandard frames, with the compressor's parameters set one by one instead of by level.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace holdfast::codec {

/// What kind of compressor to run; see docs/decisions on how these were measured.
enum class ZstdProfile {
  stream,  ///< dumps and text: matches of 7 bytes and more, found by MatchFinder or by libzstd's strategy fast
  small,   ///< JSON of trees, indexes and snapshots: level 3
  best,    ///< level 11, for those who ask
};

/// One per worker thread; keeps its tables between frames. A frame depends on the plain bytes and the processor only.
class ZstdCompressor {
 public:
  /// `proved_later`: the caller decodes each frame and compares it with the plain bytes, so that what our match search
  /// found need not be played back here as well.
  explicit ZstdCompressor(ZstdProfile profile, bool proved_later = false);
  ~ZstdCompressor();
  ZstdCompressor(ZstdCompressor&&) noexcept;
  ZstdCompressor& operator=(ZstdCompressor&&) noexcept;

  /// The most bytes a frame of `size` plain bytes can take.
  static size_t bound(size_t size);
  /// Compresses into `into` (at least bound() long); the frame's size. Frames name their content size, have no
  /// checksum.
  Result<size_t> compress(ByteSpan plain, MutableByteSpan into);
  Buffer compress(ByteSpan plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// One per worker thread.
class ZstdDecompressor {
 public:
  ZstdDecompressor();
  ~ZstdDecompressor();
  ZstdDecompressor(ZstdDecompressor&&) noexcept;
  ZstdDecompressor& operator=(ZstdDecompressor&&) noexcept;

  /// Decodes one frame whose plain size is known: fills `into` exactly or fails with "codec.zstd"
  /// (verification_failed).
  Status decompress(ByteSpan frame, MutableByteSpan into);
  /// Decodes one frame of unknown size up to `limit` plain bytes.
  Result<Buffer> decompress(ByteSpan frame, size_t limit);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::codec
