#pragma once

#include <stdint.h>

namespace holdfast::codec {

/// `literals` bytes as they are, then `length` bytes equal to those `offset` back; offset 0 ends a block. Laid out as
/// ZSTD_Sequence.
struct Sequence {
  uint32_t offset, literals, length, unused;
};

}  // namespace holdfast::codec
