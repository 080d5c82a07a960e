// A file built like an InnoDB tablespace (.ibd): 16 KiB pages with valid checksums, records, a page directory; extents
// that are allocated but never used are zeros.
#pragma once

#include <cstdint>

#include "tests/bench/output.h"

namespace holdfast::bench {

struct InnodbOptions {
  uint64_t size = 1ull << 30;  ///< bytes, rounded down to whole pages
  double zero_share = 0.5;     ///< share of pages that are all zeros
  double changed_share = 0;    ///< share of the used pages that hold another version
  uint64_t seed = 1;
};

void write_innodb(const InnodbOptions& options, Output& out);

}  // namespace holdfast::bench
