// A dump loaded by SQL alone, into databases of a server on which nothing of ours runs: absent ones, and others where
// that was accepted by name. Until everything is proved, what was there is kept, and a failure brings it back.
#pragma once

#include "backup/restore_cluster.h"
#include "backup/sql_place.h"
#include "engine/members.h"

namespace holdfast::backup {

struct SqlRestoreRequest {
  RestoreRequest restore;              ///< choices.databases is decided here
  std::string cluster;                 ///< full name
  std::string member;                  ///< whose server it is
  std::vector<std::string> databases;  ///< only these; empty = all of users that the snapshot has
  std::set<std::string> replace;       ///< may be replaced
  bool older_server = false;           ///< accepted: a version older than the dump's
  bool undo_remains = false;           ///< accepted: what another restore left is undone first
};

/// What would be done; shown before anything is.
struct SqlRestorePlan {
  DumpContent content;
  std::vector<std::string> created, replaced;
  std::set<std::string> of_server;  ///< in the snapshot with tables of users, and not restored
};

struct SqlRestoreReport {
  RestoreReport restored;
  std::vector<std::string> created, replaced;
  std::vector<std::string> kept;  ///< sentences: old content that could not be removed
};

/// The one member that accepts writes; Galera: the first that is ready. "restore.no_primary" (unavailable) when there
/// is none, "restore.two_primaries" (refused) when there are more.
Result<engine::MemberView> place_to_restore(const cluster::DatabaseCluster& cluster,
                                            const std::vector<engine::MemberView>& views);

/// Reads the dump once, and the server: refuses what cannot be done, and changes nothing but remains, where that was
/// accepted. Errors beside those of SqlPlace: "restore.unfinished", "restore.no_databases", "restore.older_server",
/// "restore.replace_database" (refused).
Result<SqlRestorePlan> plan_sql_restore(repo::Repository& repository, const SqlRestoreRequest& request, SqlPlace& place,
                                        std::stop_token stop);

/// Errors: class failed (or that of the proof) when everything is as it was, needs_operator when not.
Result<SqlRestoreReport> restore_over_sql(repo::Repository& repository, const SqlRestoreRequest& request,
                                          const SqlRestorePlan& plan, const sql::Target& server, SqlPlace& place,
                                          std::stop_token stop);

/// Whether `server` is older than `dump`, by what servers say of their version: of PostgreSQL by the first number, of
/// the others by the first two. Pure.
bool is_older(cluster::Engine engine, std::string_view server, std::string_view dump);

}  // namespace holdfast::backup
