// The chunker's fingerprint at 64 places of the data at once; only for CPUs with AVX-512 and GFNI.
//
// A step of the fingerprint, h' = h * x^8 + new byte + remainders of the top byte and of the byte that leaves, is
// linear in the bits of h and of both bytes. So it can be written as matrices of bits, and the vgf2p8affineqb
// instruction multiplies 64 bytes by an 8x8 matrix of bits at once. The lengths to test are divided into 64 lanes that
// follow each other; a register holds one byte of each lane. Seven such registers ("planes") hold 64 fingerprints
// g = h * x^3: scaled like that, the eight bits that a step shifts out at the top are just plane 6. One step is
//   plane[j] = plane[j-1] + reduce[j] * plane[6] + leave[j] * old (+ enter[j] * new for j = 0 and 1)
// where + is xor. The bytes of a lane lie side by side in memory, so 64 bytes of each lane are first transposed: column
// i then holds byte i of all lanes. The window is 64 bytes long: the column that was new 64 steps ago is now the old.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace holdfast::repo {

/// Immutable after construction; one object serves all threads.
class ChunkerLanes {
 public:
  static constexpr size_t kLanes = 64;
  /// A lane holds a multiple of this many lengths.
  static constexpr size_t kUnit = 64;

  /// True when this CPU and its system have the instructions. Without them nothing else here may be called.
  static bool supported();
  /// From Chunker's tables: what replaces the byte above degree 53, and what removes the byte that leaves the window.
  ChunkerLanes(const std::array<uint64_t, 256>& mod, const std::array<uint64_t, 256>& out);

  /// The first cut among the kLanes * lane lengths from `from` on, or SIZE_MAX. Reads no byte before
  /// data[from - 65] and none behind the last of these lengths.
  size_t scan(const uint8_t* data, size_t from, size_t lane) const;

 private:
  std::array<uint64_t, 7> reduce_;
  std::array<uint64_t, 7> leave_;
  std::array<uint64_t, 2> enter_;
};

}  // namespace holdfast::repo
