// Copies that a repair kept (type=escrow: a member's data directory; type=diverged: its dump): finding one, and getting
// it back into an empty folder.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "repo/tree_restore.h"

namespace holdfast::backup {

struct KeptWanted {
  std::string ns, cluster, engine;  ///< "" = any
  std::string member;               ///< name or ordinal
  std::string snapshot;             ///< id, "latest", or the id of the operation that kept it (its job)
  std::string type;                 ///< "escrow", "diverged"; "" = as the snapshot named, else escrow
};

struct KeptCopy {
  repo::Snapshot snapshot;
  std::string type, member;
  std::string folder;  ///< in the snapshot: what stands in it is the copy
  std::string dump;    ///< name of the dump in it; "" for a data directory
};

/// Whether a snapshot's tags name this member. Ordinals: by the tag instance=, else by the end of the name.
bool is_of_member(const repo::Snapshot& snapshot, const std::string& member);

/// The newest that fits, or the one named. Errors (refused, but for the first):
///   cli.no_cluster           (usage) latest, and neither cluster nor job is named
///   repo.snapshot.not_found  there is none; the hint names what there is of the member
///   restore.wrong_snapshot   the one named is no such copy
///   restore.wrong_cluster    ... of another cluster
///   restore.wrong_member     ... of another member
Result<KeptCopy> choose_kept(repo::Repository& repository, const KeptWanted& wanted);

/// Restores the copy so that `into` is the data directory (owner and mode too), or holds the dump and its sidecar. The
/// index must be loaded. "restore.not_empty" (refused) when something is in `into`.
Result<repo::RestoreResult> restore_kept(repo::Repository& repository, const KeptCopy& copy, const std::string& into,
                                         const repo::RestoreOptions& options, repo::RestoreProgress& progress,
                                         std::stop_token stop);

}  // namespace holdfast::backup
