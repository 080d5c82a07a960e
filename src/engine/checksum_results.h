// Checksums of tables at one point: what a sidecar keeps and a restore compares.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/dump_scan.h"

namespace holdfast::engine {

struct TableChecksum {
  uint64_t rows = 0;
  std::string sum;       ///< decimal digits; no order of the rows changes it
  bool history = false;  ///< system-versioned, former rows included
};

struct ChecksumResults {
  std::map<TableName, TableChecksum> sums;
  std::map<TableName, std::string> without;  ///< tables that have none, and why
};

}  // namespace holdfast::engine
