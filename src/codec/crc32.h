// Checksums of other programs' files: CRC-32 (binary logs) and CRC-32C (PostgreSQL).
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace holdfast::codec {

/// CRC-32 as zlib and MySQL compute it; `so_far` continues an earlier piece.
uint32_t crc32(ByteSpan bytes, uint32_t so_far = 0);
/// CRC-32C (Castagnoli), finished value; `so_far` continues an earlier piece. About 10 GB/s with SSE 4.2, 0.4 without.
uint32_t crc32c(ByteSpan bytes, uint32_t so_far = 0);

}  // namespace holdfast::codec
