// Deciding what a prune removes and rewrites: restic's rules.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "repo/format/blob.h"
#include "repo/index_objects.h"
#include "repo/reference_walk.h"

namespace holdfast::repo {

struct PruneLimits {
  std::optional<double> max_unused_percent = 5;  ///< of what stays; wins over max_unused_bytes
  uint64_t max_unused_bytes = 0;                 ///< UINT64_MAX: any amount
  uint64_t max_repack_bytes = UINT64_MAX;
  bool repack_small = false;
  bool repack_cacheable_only = false;
  bool repack_uncompressed = false;
  size_t pack_size = 16 * 1024 * 1024;
  int64_t orphan_grace_seconds = 3600;  ///< how long a pack that is in no index stays after it was first seen so
};

/// Bytes and blobs of a kind.
struct Amount {
  uint64_t blobs = 0, bytes = 0;
  void add(uint64_t size) {
    ++blobs;
    bytes += size;
  }
};

struct PruneStats {
  Amount used, duplicate, unused;  ///< before
  Amount removed;                  ///< go with packs that hold nothing else
  Amount repacked, repacked_away;  ///< rewritten, and what of it is not written again
  uint64_t packs = 0, packs_removed = 0, packs_repacked = 0, packs_kept = 0;
  uint64_t orphans_removed = 0, orphans_bytes = 0, orphans_waiting = 0;
  /// Bytes the packs lose.
  uint64_t freed() const { return removed.bytes + repacked_away.bytes + orphans_bytes; }
  uint64_t unused_after() const { return duplicate.bytes + unused.bytes - removed.bytes - repacked_away.bytes; }
};

enum class PackAction : uint8_t {
  keep,
  remove,  ///< nothing in it is used
  repack,  ///< what is used moves to new packs
  forget,  ///< it is not there, and nobody needs it: it only leaves the index
};

struct PackFacts {
  uint64_t stored_size = 0;  ///< of the object
  bool present = false;
  uint64_t used_bytes = 0, unused_bytes = 0;
  uint32_t used_blobs = 0, unused_blobs = 0, duplicate_blobs = 0;
  bool data = false, trees = false;
  bool uncompressed = false;
  PackAction action = PackAction::keep;

  bool mixed() const { return data && trees; }
};

/// Pure: from the index, the used blobs (bit set at the first entry of each used blob) and the packs there are, decides
/// the action of every pack and which entries a repack copies. "repo.prune.missing" (verification_failed) when a used
/// blob has no copy in a pack that is there and as long as the index says.
struct PackDecision {
  std::vector<PackFacts> packs;      // by number
  std::vector<uint32_t> repack;      // pack numbers, worst first
  std::unique_ptr<EntrySet> copies;  // entries to copy when their pack is repacked
  PruneStats stats;
};
Result<PackDecision> decide_packs(const BlobIndex& index, const PackTable& table, const EntrySet& used,
                                  const std::vector<std::optional<uint64_t>>& sizes, unsigned version,
                                  const PruneLimits& limits);

}  // namespace holdfast::repo
