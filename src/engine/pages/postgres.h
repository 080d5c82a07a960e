// PostgreSQL's page checksum.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace holdfast::engine::pages {

/// Of a page whose size is a multiple of 128 bytes; what its checksum field holds now does not matter. `block`: the
/// page's number in its relation's fork, over all segments. About 10 GB/s with AVX2.
uint16_t postgres_checksum(ByteSpan page, uint32_t block);

}  // namespace holdfast::engine::pages
