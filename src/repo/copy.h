// Copying snapshots, with all they need, into another repository.
#pragma once

#include <functional>
#include <stop_token>
#include <vector>

#include "repo/blob_saver.h"
#include "repo/repository.h"

namespace holdfast::repo {

struct CopyReport {
  std::vector<Snapshot> copied;   ///< as they are in the destination
  std::vector<Snapshot> skipped;  ///< of the source: the destination has them already
  uint64_t blobs = 0, bytes = 0;  ///< plain, sent to the destination
  uint64_t bytes_stored = 0;
};

/// Copies `snapshots` of `source`. Blobs are compared by their content ids, so data that is there already is not sent
/// again, whatever the two repositories' chunkers are. A snapshot that the destination holds (same `original`, and
/// equal in everything a backup records) is skipped. Blobs are durable and indexed before the first snapshot appears.
/// Both indexes must be loaded; shared locks are enough. `on_bytes` (may be empty) counts plain bytes, from several
/// threads; `on_total` tells how many there will be; `still_locked` (may be empty) is asked before the first snapshot
/// becomes visible.
Result<CopyReport> copy_snapshots(Repository& source, Repository& destination, const std::vector<Snapshot>& snapshots,
                                  const SaverOptions& saver, const std::function<void(uint64_t)>& on_total,
                                  const std::function<void(uint64_t)>& on_bytes,
                                  const std::function<Status()>& still_locked, std::stop_token stop);

}  // namespace holdfast::repo
