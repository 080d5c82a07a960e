// Escrow: a copy of what a repair is about to replace, in the repository, and read back before anything is replaced.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "cluster/types.h"
#include "repo/byte_source.h"
#include "repo/format/tree.h"
#include "repo/tree_backup.h"

namespace holdfast::backup {

struct EscrowRequest {
  cluster::DatabaseCluster cluster;
  std::string member;
  std::string folder;  ///< the member's data directory; its server is stopped
  std::string job;     ///< id of the operation: tag job=
  std::string program_version;
};

struct EscrowReport {
  std::string snapshot;  ///< id
  uint64_t files = 0, bytes = 0;
};

/// When the operation began: all snapshots of one operation have this time. Now, if its id does not say.
repo::Timestamp time_of_job(const std::string& job);

/// Stores the folder as a snapshot with the tags engine= cluster= namespace= type=escrow member= instance= (its
/// ordinal) job=, then reads every byte of it back from the repository, each blob's hash checked. A file that cannot be
/// read is a failure, and no snapshot becomes visible: a copy with holes is none. The index must be loaded; the caller
/// holds a shared lock, and `may_commit` is asked before it becomes visible.
Result<EscrowReport> take_escrow(repo::Repository& repository, const EscrowRequest& request,
                                 repo::TreeBackupProgress& progress, const std::function<Status()>& may_commit,
                                 std::stop_token stop);

/// A directory that is elsewhere, entry by entry: each directory before what is in it.
class TreeSource {
 public:
  virtual ~TreeSource() = default;
  struct Entry {
    std::string path;  ///< relative; "" is the directory itself, which comes first
    repo::Node node;   ///< name, content and subtree left out
  };
  /// Nothing after the last one. What came of an entry's content before is skipped.
  virtual Result<std::optional<Entry>> next() = 0;
  /// The content of the file that next() gave last.
  virtual repo::ByteSource& content() = 0;
};

/// The same of a directory that is read by its member's agent; `request.folder` is its path there.
Result<EscrowReport> take_escrow(repo::Repository& repository, const EscrowRequest& request, TreeSource& source,
                                 repo::TreeBackupProgress& progress, const std::function<Status()>& may_commit,
                                 std::stop_token stop);

/// Reads every file of a snapshot; how many files and bytes. "repo.object.damaged" when one cannot be had.
Result<EscrowReport> read_back(repo::Repository& repository, const repo::Snapshot& snapshot, std::stop_token stop);

}  // namespace holdfast::backup
