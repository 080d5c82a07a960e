// The inner loops of MatchFinder. Their source file is compiled for a newer processor than the rest of the program, so
// it (and this header) must not use anything inline that other files use, too: the linker keeps one copy of such a
// function, and that could be the one an older processor cannot run.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "codec/match_sequence.h"

namespace holdfast::codec {

namespace kernel {

inline constexpr unsigned kTableBits = 16;
inline constexpr uint32_t kStrip = 512;  // positions worked on at a time, a multiple of 64
inline constexpr uint32_t kSlack = 64;   // vectors are stored whole
inline constexpr uint32_t kBefore = 16;  // keeps what follows aligned
inline constexpr uint32_t kMargin = 72;  // the last bytes of the input are not sampled: loads reach that far
inline constexpr uint32_t kPositionBits = 23;

struct Runs {
  uint32_t start[kStrip + kSlack], end[kStrip + kSlack], offset[kStrip + kSlack];
};

struct Scratch {
  alignas(64) uint32_t table[1 << kTableBits];  // position | 9 bits of the hash above it
  uint32_t sample[kBefore + kStrip + kSlack];   // from kBefore on: positions, ascending; the last one of the strip
                                                // before stands in front of them
  uint32_t candidate[kStrip + kSlack];          // earlier positions with the same key; >= the sample's own if none
  uint32_t run_sample[kStrip + kSlack], run_candidate[kStrip + kSlack];
  Runs runs;

  // What is carried from block to block.
  const uint8_t* data;
  uint32_t size;
  unsigned table_bits;
  uint32_t stride;       // strips from one to the next: grows where nothing repeats
  uint32_t taken;        // all before is in sequences
  uint32_t last_offset;  // 0: no match yet
};

/// Starts with a new input, data[0, size), at least kMargin bytes.
void begin(Scratch& scratch, const uint8_t* data, uint32_t size);
/// Writes the sequences of the next block, data[start, end), to `out` (room for a quarter of its bytes and 2) and
/// returns how many.
size_t find_block(Scratch& scratch, uint32_t start, uint32_t end, Sequence* out);
/// Whether playing the sequences back gives data[0, size) again.
bool restores(const uint8_t* data, uint32_t size, const Sequence* sequences, size_t count);

}  // namespace kernel
}  // namespace holdfast::codec
