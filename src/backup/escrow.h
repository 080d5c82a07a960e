// Escrow: a copy of what a repair is about to replace, in the repository, and read back before anything is replaced.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "cluster/types.h"
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

/// Reads every file of a snapshot; how many files and bytes. "repo.object.damaged" when one cannot be had.
Result<EscrowReport> read_back(repo::Repository& repository, const repo::Snapshot& snapshot, std::stop_token stop);

}  // namespace holdfast::backup
