// Finds what repeats in a blob, for the zstd compressor: where libzstd's own fast search waits for one table lookup and
// one branch after the other, this one works on 512 positions at a time, in steps that do not depend on each other.
//
// 1. Sample. Every position gets an 8-bit hash of its 4 bytes; the local minima (one position in three) are the
//    samples. The bytes alone decide, so two equal stretches of 10 bytes or so have a sample in common.
// 2. Look up. Only samples enter the hash table, keyed by the 7 bytes around them. An entry holds the position and, in
//    its upper bits, 9 more bits of the hash: hardly any false candidate is ever looked at.
// 3. Join. Samples in a row that agree on the offset are one run; its first sample stands for it.
// 4. Measure. 64 bytes around sample and candidate are compared at once: the mask has the length in both directions.
// 5. Choose. A run is dropped if the one before it reaches as far, or if the one after it reaches farther from (nearly)
//    the same start; what is left is taken greedily. Dropping is done 16 runs at a time and without branches.
// 6. Fill. In the literals between matches, the last offset is tried again: rows and records repeat at one distance.
//
// Stretches without any match are skipped in growing strides, matches longer than a step are jumped over. Candidates
// are always compared byte by byte, so a hash collision costs time, never correctness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "codec/match_sequence.h"

namespace holdfast::codec {

/// One per worker thread; 256 KiB of table.
class MatchFinder {
 public:
  static constexpr size_t kMinInput =
      64 << 10;  ///< below, libzstd finds more: distant matches do not make up for sampling yet
  static constexpr size_t kMaxInput = 8 << 20;  ///< positions have 23 bits
  static constexpr size_t kBlock = 128 << 10;   ///< zstd's block size: no sequence crosses such a border
  static constexpr unsigned kMinLength = 4;     ///< no match is shorter

  /// Whether this processor has what the search needs (AVX-512 with VBMI2: Ice Lake, Zen 4 and later).
  static bool supported();

  MatchFinder();
  ~MatchFinder();
  /// The sequences of `input` (kMinInput to kMaxInput bytes), block by block; valid until the next call. They depend on
  /// the input alone. Never reads outside of `input`. Nothing here proves that they restore it: a mistake of ours or of
  /// the memory is found by restores(), or by decoding what was made of them.
  std::span<const Sequence> find(ByteSpan input);
  /// Whether playing the sequences back gives `input` again. Needs supported().
  static bool restores(ByteSpan input, std::span<const Sequence> sequences);

 private:
  struct Tables;
  std::unique_ptr<Tables> tables_;
  std::unique_ptr<Sequence[]> sequences_;  // room for the worst case, hardly touched
  size_t capacity_ = 0;
};

}  // namespace holdfast::codec
