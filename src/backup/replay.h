// A stored dump, replayed into a running server.
#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <string>

#include "backup/replay_choices.h"
#include "cluster/types.h"
#include "repo/format/snapshot.h"
#include "repo/repository.h"
#include "sql/rows.h"

namespace holdfast::backup {

/// Where and how to replay.
struct ReplayTarget {
  cluster::Engine engine = cluster::Engine::mariadb;
  sql::Target server;
  std::string tablespace_dir;  ///< PostgreSQL: where tablespaces go that no choice gives a place
  ReplayChoices choices;
  Say say;  ///< a line now and then while one statement takes long
};

/// The whole dump, in pieces. "restore.no_dump" (refused) when the snapshot has none at `path`,
/// "restore.incomplete_dump" (verification_failed) when it does not end with its end marker.
Result<engine::DumpCounts> read_dump(repo::Repository& repository, const repo::Snapshot& snapshot,
                                     const std::string& path, cluster::Engine engine,
                                     const std::function<Status(ByteSpan)>& into, std::stop_token stop);

/// The dump must end with its end marker: a stream that is cut is never finished. MariaDB and MySQL:
/// backup/mysql_replay.h, PostgreSQL: backup/postgres_replay.h; what failed is in the report, for the caller to accept
/// or not.
Result<ReplayReport> replay_dump(repo::Repository& repository, const repo::Snapshot& snapshot, const std::string& path,
                                 const ReplayTarget& target, std::atomic<uint64_t>* progress, std::stop_token stop);

/// Statements of our own, by the client of MariaDB or MySQL: "backup.replay_failed" (failed) tells what it said.
Status replay_statements(cluster::Engine engine, const sql::Target& target, std::string_view statements,
                         std::stop_token stop);

}  // namespace holdfast::backup
