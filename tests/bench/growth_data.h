// A repository as years of use leave it: millions of blobs, thousands of snapshots; real packs, indexes and trees, made
// without a program under test.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::bench {

struct GrowthOptions {
  uint64_t blobs = 2'000'000;  ///< data blobs, tiny ones: what grows with them is the index, not the bytes
  uint64_t snapshots = 5'000;  ///< each holds one file made of blobs / snapshots blobs of its own
  uint64_t blobs_per_pack = 100;
  uint64_t seed = 1;
};

/// Makes the repository at `directory` (must not exist); it opens with `password`, fast.
void write_grown_repository(const GrowthOptions& options, const std::string& directory, const std::string& password);

}  // namespace holdfast::bench
