// A cluster brought back from a dump: the old data directories are moved aside, the primary is made anew from the dump,
// the others from it. Until the new primary serves, any failure puts everything back as it was.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "backup/replay.h"
#include "backup/row_proof.h"
#include "codec/value.h"
#include "engine/member_control.h"
#include "engine/mysql_family/memory_tables.h"

namespace holdfast::backup {

/// Newest (or named) snapshot of exactly this kind of backup: by type tag and by the dump's path, never another kind.
/// "repo.snapshot.not_found" (refused) when there is none, "restore.wrong_snapshot" (refused) when the named one is not
/// it.
struct SnapshotChoice {
  repo::Snapshot snapshot;
  std::string path;  ///< of the dump in it
};
Result<SnapshotChoice> choose_snapshot(repo::Repository& repository, const std::string& ns, const std::string& cluster,
                                       std::optional<cluster::Engine> engine, const std::string& name,
                                       const std::string& type);
/// The sidecar beside the dump; null when there is none.
Result<codec::Value> read_sidecar(repo::Repository& repository, const SnapshotChoice& choice);

struct RestoreReport {
  ReplayReport replayed;
  RowProof proof;
  std::string position;
  engine::MemoryTables memory;         ///< rows that a server forgets when it ends
  std::string memory_file;             ///< where they are, for a server that is not started here
  std::vector<std::string> set_aside;  ///< where the old data directories are
  std::vector<std::string> members;    ///< healthy again
};

/// How what was restored is compared with the source.
enum class Verify {
  as_kept,    ///< checksums where the backup has them, else rows
  rows,       ///< the number of rows of each table
  checksums,  ///< the backup must have them
};

struct RestoreRequest {
  cluster::Engine engine = cluster::Engine::mariadb;
  SnapshotChoice choice;
  codec::Value sidecar;
  ReplayChoices choices;
  Verify verify = Verify::as_kept;
  bool server_settings = false;                 ///< run what is in settings_path() too
  std::function<void(const std::string&)> say;  ///< one line per step
  std::atomic<uint64_t>* progress = nullptr;
  /// MariaDB, MySQL: of replicas by name, the connection noted of it that leads to the member it is to follow.
  std::map<std::string, std::string> own_channels;
};

/// All members of the cluster, one of them primary. Errors: class failed when everything was put back, needs_operator
/// when not.
Result<RestoreReport> restore_cluster(repo::Repository& repository, const RestoreRequest& request,
                                      std::vector<std::unique_ptr<engine::MemberControl>>& members,
                                      std::stop_token stop);

/// A fresh stand-alone server in an empty place: made, filled, verified, stopped.
Result<RestoreReport> restore_into(repo::Repository& repository, const RestoreRequest& request,
                                   engine::MemberControl& server, std::stop_token stop);

}  // namespace holdfast::backup
