// A stream that looks like mysqldump's: several tables, extended INSERTs of about 1 MiB, an end marker.
#pragma once

#include <cstdint>

#include "tests/bench/output.h"

namespace holdfast::bench {

struct SqlOptions {
  uint64_t size = 2'000'000'000;  ///< bytes of the unchanged stream, met within one per cent
  uint64_t seed = 1;
  /// Which rows hold another version than the stream of the same size and seed with `none` has.
  enum class Change { none, runs, random } change = Change::none;
  /// runs: share of a repository's chunks (about 1.5 MiB each) that runs of 1000 changed rows touch.
  /// random: share of rows changed, each for itself.
  double share = 1.0 / 3;
  uint64_t change_seed = 1;
};

void write_sql(const SqlOptions& options, Output& out);

}  // namespace holdfast::bench
