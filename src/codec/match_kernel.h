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
};

/// Writes the sequences of data[0, size), at least kMargin bytes, to `out` (room for size / 4 + 2 * blocks) and returns
/// how many.
size_t find_matches(Scratch& scratch, const uint8_t* data, uint32_t size, uint32_t block, Sequence* out);

}  // namespace kernel
}  // namespace holdfast::codec
