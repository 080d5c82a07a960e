// A snapshot of directories and files, stored as restic stores them.
//
// A file whose size, modification time, change time and inode are those of the parent snapshot is taken over without
// reading, as long as it was last changed before that snapshot began; everything else is read in full.
//
// Directories are walked by descriptor (source_directory.h): who may rename in a target, or above it, leads the backup
// nowhere else.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "repo/path_filter.h"
#include "repo/stream_backup.h"

namespace holdfast::repo {

struct TreeBackupOptions {
  std::vector<std::string> excludes;
  bool one_file_system = false;
  bool whole = false;  ///< with a single file that cannot be read, no snapshot is published
};

struct TreeBackupResult {
  Snapshot snapshot;
  std::vector<std::string> problems;  ///< files that could not be read, and why; the snapshot lacks them
};

struct TreeBackupProgress {
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> files{0};
};

/// Backs up `targets` (see plan_targets()). The index must be loaded, the caller holds a shared lock. Without one
/// readable target nothing is stored ("backup.no_target"). `publish` false stops before the snapshot (dry run).
/// `still_locked` (may be empty) is asked before the index and before the snapshot become visible.
Result<TreeBackupResult> back_up_trees(Repository& repository, const std::vector<std::string>& targets,
                                       const TreeBackupOptions& options, const SaverOptions& saver,
                                       SnapshotOptions snapshot, bool publish, TreeBackupProgress& progress,
                                       const std::function<Status()>& still_locked, std::stop_token stop);

}  // namespace holdfast::repo
