// A directory tree like a server's: sources, text, logs, images that do not compress, a few large files, links.
#pragma once

#include <cstdint>
#include <string>

namespace holdfast::bench {

struct TreeOptions {
  uint64_t files = 20'000;
  uint64_t size = 2'000'000'000;  ///< bytes in files, met within one per cent (for 1000 files and more)
  uint64_t seed = 1;
};

/// Fills `directory`, which is created and must not hold anything yet.
void write_tree(const TreeOptions& options, const std::string& directory);

}  // namespace holdfast::bench
