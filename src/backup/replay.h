// A stored dump, replayed into a running server by the server's own client. Stops at the first error.
#pragma once

#include <atomic>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "cluster/types.h"
#include "engine/dump_scan.h"
#include "repo/format/snapshot.h"
#include "repo/repository.h"
#include "sql/rows.h"

namespace holdfast::backup {

/// The dump must end with its end marker: a stream that is cut is never finished, the client is killed instead.
/// "backup.replay_failed" (failed) tells what the client said. Returns what the dump held.
Result<engine::DumpCounts> replay_dump(repo::Repository& repository, const repo::Snapshot& snapshot,
                                       const std::string& path, cluster::Engine engine, const sql::Target& target,
                                       std::atomic<uint64_t>* progress, std::stop_token stop);

/// Statements of our own, by the same client.
Status replay_statements(cluster::Engine engine, const sql::Target& target, std::string_view statements,
                         std::stop_token stop);

/// Drops the CREATE ROLE lines of roles that exist already from the head of a pg_dumpall stream: the ALTER ROLE behind
/// each of them says everything, and CREATE ROLE of an existing one would end the replay. Of the role the replay signs
/// in as, the ALTER ROLE goes too: it brings the password of the backup's time, and the next \connect would be refused.
/// Names are quoted as quote_ident() quotes them. Pure.
class RoleFilter {
 public:
  RoleFilter(std::vector<std::string> existing, std::string own)
      : existing_(std::move(existing)), own_(std::move(own)) {}
  /// What of `bytes` (and of what was held back before) is to be written now.
  std::string feed(std::string_view bytes);
  /// The rest, at the end of the stream.
  std::string finish() { return std::exchange(held_, {}); }

 private:
  bool drop(std::string_view line) const;
  std::vector<std::string> existing_;
  std::string own_;
  std::string held_;
  bool in_globals_ = true;
};

}  // namespace holdfast::backup
