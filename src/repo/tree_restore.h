// Writing the files of a snapshot back to a file system.
//
// Packs are read in large neighbouring ranges and decoded on all processors; every blob's hash is verified before a
// byte of it is written. A file is written beside its place and takes it when it is whole: an interrupt leaves each
// file old or new, and a file with a damaged blob is named and what was in its place stays. Nothing outside the
// selection is touched, and no symbolic link below the target is followed (repo/restore_place.h).
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "repo/path_filter.h"
#include "repo/repository.h"

namespace holdfast::repo {

enum class Overwrite { always, if_changed, if_newer, never };

struct RestoreOptions {
  std::vector<std::string> includes;  ///< patterns; empty: everything
  std::vector<std::string> excludes;
  Overwrite overwrite = Overwrite::always;
  bool sparse = false;  ///< leave holes where a blob is all zeros
  bool verify = false;  ///< read everything back and compare hashes
  bool dry_run = false;
};

struct RestoreProgress {
  std::atomic<uint64_t> total_bytes{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> files{0};
};

struct RestoreResult {
  uint64_t files = 0, directories = 0, others = 0, skipped = 0;
  uint64_t bytes = 0;
  uint64_t verified_files = 0;
  std::vector<std::string> problems;  ///< what could not be set or created; the rest was restored
  std::vector<std::string> damaged;   ///< files left out because their data is damaged
};

/// Restores `snapshot` below `target`, each file at its full path in the snapshot. The index must be loaded. A damaged
/// tree or an unreachable store ends the restore; damaged files and problems are listed in the result.
Result<RestoreResult> restore_tree(Repository& repository, const Snapshot& snapshot, const std::string& target,
                                   const RestoreOptions& options, RestoreProgress& progress, std::stop_token stop);

}  // namespace holdfast::repo
