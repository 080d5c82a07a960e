// Content-defined chunking by Rabin fingerprints, with the cut points of restic's chunker.
//
// A chunk ends at the first length of at least 512 KiB where the fingerprint of its last 64 bytes has 20 low zero bits,
// or at 8 MiB, or where the data ends. The decision depends on nothing but the chunk's own bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "repo/format/chunker_lanes.h"

namespace holdfast::repo {

inline constexpr size_t kMinChunk = 512 * 1024;
inline constexpr size_t kMaxChunk = 8 * 1024 * 1024;

/// True for an irreducible polynomial of degree 53 over GF(2), the only ones a repository may name.
bool is_chunker_polynomial(uint64_t polynomial);
/// A polynomial from random 64-bit numbers that `next` supplies.
uint64_t find_chunker_polynomial(uint64_t (*next)());

/// Immutable after construction; one object serves all threads.
class Chunker {
 public:
  /// `wide` takes the vector code of ChunkerLanes. The cuts are the same.
  explicit Chunker(uint64_t polynomial, bool wide = ChunkerLanes::supported());

  /// Where the chunk that starts at data[0] ends. Without a cut inside `data`: data.size() if `at_end` (the data ends
  /// there), otherwise nothing (at least kMaxChunk bytes always yield a cut). Lengths below `first_length` are known
  /// not to be cuts: a caller that got nothing and now has more data passes the size it asked about, plus one.
  std::optional<size_t> next_cut(ByteSpan data, bool at_end, size_t first_length = 0) const;

  /// Whether a chunk may end where `chunk` does: never false for a chunk that next_cut() found before the end of its
  /// data. Costs as much as 64 bytes of next_cut().
  bool may_end(ByteSpan chunk) const;

 private:
  size_t first_cut(const uint8_t* data, size_t from, size_t to) const;
  size_t scan(const uint8_t* data, size_t from, size_t to) const;
  size_t scan_lanes(const uint8_t* data, size_t from, size_t lane) const;
  uint64_t fingerprint(const uint8_t* window) const;
  // hash stays below 2^53: bits 53 to 60 of (hash << 8) are cleared by mod_.
  uint64_t step(uint64_t hash, uint8_t old_byte, uint8_t new_byte) const {
    return (hash << 8) ^ mod_[hash >> 45] ^ out_[old_byte] ^ new_byte;
  }

  std::array<uint64_t, 256> mod_;  // mod_[b] clears byte b above degree 53 and adds its remainder
  std::array<uint64_t, 256> out_;  // out_[b] removes byte b from the window, one step ahead
  std::optional<ChunkerLanes> lanes_;
};

}  // namespace holdfast::repo
