// A member's logical dump, kept on divergence: <namespace>/<cluster>/<ordinal>-mysqldump.sql (or -pgdumpall.sql) and
// its sidecar, as a snapshot of its own. Tags as those of a backup, but type=diverged, with job= and instance=.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "backup/backup_cluster.h"

namespace holdfast::backup {

struct DivergedRequest {
  cluster::DatabaseCluster cluster;
  engine::TargetOf target_of;  ///< how its members are reached
  std::string member;
  std::string job;  ///< id of the operation: tag job=, and its start is the snapshot's time
  std::string program_version;
};

struct DivergedReport {
  std::string snapshot;    ///< id; empty when there is no dump
  std::string path;        ///< of the dump in it
  std::string undumpable;  ///< why the member gave no dump; nothing was stored then
  std::string position;    ///< what the dump holds
  uint64_t bytes = 0, rows = 0;
};

/// "shop/shop-mariadb/1-mysqldump.sql"
std::string diverged_path(const cluster::DatabaseCluster& cluster, const cluster::Member& member);

/// Dumps the member as it is, whatever it lacks, and reads every byte back. A member that gives no whole dump is a
/// report with `undumpable`; an error is of the repository, or an interruption. One that this job has stored already is
/// read back and not made again. The index must be loaded; the caller holds a shared lock.
Result<DivergedReport> dump_diverged(repo::Repository& repository, const DivergedRequest& request,
                                     const std::function<Status()>& may_commit, std::stop_token stop);

}  // namespace holdfast::backup
