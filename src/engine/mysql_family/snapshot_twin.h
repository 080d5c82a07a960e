// More snapshots at the very point a dump program reads: commits are held back by a global read lock from before our
// transactions begin until the program's has begun.
#pragma once

#include <vector>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

class SnapshotTwin {
 public:
  /// Waits no longer than ten seconds for the lock; then, or where the account may not take it, an error.
  static Result<SnapshotTwin> open(const sql::Target& target, size_t snapshots, std::stop_token stop);

  /// The program has its snapshot: commits go on. "engine.snapshot_lost" (unavailable) when that took more than 20 s:
  /// the two snapshots may differ.
  Status release();
  /// A session that holds the snapshot, another one each time; its time zone is UTC, its character set utf8mb4.
  sql::MariadbConnection take();

 private:
  SnapshotTwin(sql::MariadbConnection lock, std::vector<sql::MariadbConnection> readers)
      : lock_(std::move(lock)), readers_(std::move(readers)) {}
  sql::MariadbConnection lock_;
  std::vector<sql::MariadbConnection> readers_;
};

}  // namespace holdfast::engine
