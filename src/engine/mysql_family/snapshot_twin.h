// A second snapshot at the very point a dump program reads: commits are held back by a global read lock from before our
// transaction begins until the program's has begun.
#pragma once

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

class SnapshotTwin {
 public:
  /// Waits no longer than ten seconds for the lock; then, or where the account may not take it, an error.
  static Result<SnapshotTwin> open(const sql::Target& target, std::stop_token stop);

  /// The program has its snapshot: commits go on. "engine.snapshot_lost" (unavailable) when that took more than 20 s:
  /// the two snapshots may differ.
  Status release();
  /// The session that holds the snapshot; its time zone is UTC, its character set utf8mb4.
  sql::MariadbConnection take() { return std::move(reader_); }

 private:
  SnapshotTwin(sql::MariadbConnection lock, sql::MariadbConnection reader)
      : lock_(std::move(lock)), reader_(std::move(reader)) {}
  sql::MariadbConnection lock_, reader_;
};

}  // namespace holdfast::engine
