// Making the index say again what the packs hold.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "repo/repository.h"

namespace holdfast::repo {

/// The blobs of a pack by its own header, which must account for every byte of the `size` there are.
Result<std::vector<PackedBlob>> read_pack_header(Repository& repository, const Id& pack, uint64_t size, Codec& codec);

struct RepairReport {
  uint64_t packs = 0;  ///< in the store
  uint64_t headers_read = 0;
  uint64_t packs_added = 0;    ///< were in no (readable) index, or described wrongly
  uint64_t packs_missing = 0;  ///< left the index, because they are not there
  uint64_t indexes_removed = 0, indexes_written = 0;
  std::vector<std::string>
      unreadable;  ///< packs whose header cannot be read: they stay in the store, but not in the index
  bool changed() const { return packs_added > 0 || packs_missing > 0 || indexes_removed > 0 || indexes_written > 0; }
};

/// The index must not be loaded, the lock be exclusive. `read_all` trusts no existing index and reads every header. New
/// index objects are durable before old ones go. Packs marked for deletion keep their marks, unless `read_all` finds
/// their headers good: then they are in the index again. `dry_run` changes nothing.
Result<RepairReport> repair_index(Repository& repository, bool read_all, bool dry_run, std::stop_token stop);

}  // namespace holdfast::repo
