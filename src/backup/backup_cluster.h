// A cluster's dump as a snapshot: <namespace>/<cluster>/mysqldump.sql (or pgdumpall.sql) and, beside it, what is known
// about it: mysqldump.sql.json (backup/sidecar.h).
//
// Tags: engine= cluster= namespace= type=backup method=dump member= position=, and notes= with the kinds of what the
// dump does not carry. Snapshot time is the start of the job.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/types.h"
#include "engine/dump.h"
#include "engine/members.h"
#include "repo/stream_backup.h"

namespace holdfast::backup {

struct BackupRequest {
  cluster::DatabaseCluster cluster;
  engine::TargetOf target_of;  ///< how its members are reached
  std::string member;          ///< -i; empty = choose
  repo::SaverOptions saver;
  std::string hostname;  ///< of the snapshot; empty = this host
  std::vector<std::string> extra_tags;
  std::string program_version;
  bool checksums = false;  ///< of the tables, at the dump's own point: kept in the sidecar
  bool dry_run = false;    ///< chooses and connects, stores nothing
};

struct BackupReport {
  repo::Snapshot snapshot;  ///< without id for a dry run
  std::string member;
  bool from_replica = false;
  std::string primary;  ///< of the replica that was read; empty when it was not found
  engine::DumpInfo info;
};

/// "shop/shop-mariadb"
std::string snapshot_folder(const cluster::DatabaseCluster& cluster);
/// "pgdumpall.settings.sql" beside "pgdumpall.sql": the server's own settings, if it has any.
std::string settings_path(const std::string& dump_path);

/// Where a member's dump goes, and as what.
struct DumpPlace {
  std::string path;            ///< "shop/shop-mariadb/mysqldump.sql"; the sidecar is beside it, + ".json"
  std::string type;            ///< tag type=
  repo::Timestamp started;     ///< of the job: the snapshot's time
  std::chrono::seconds stall;  ///< how long the dump program may be silent
};

/// The servers that a dump is read from.
struct DumpServers {
  sql::Target source;
  std::optional<sql::Target> primary;  ///< of a replica, when it was found
  std::vector<sql::Target> nodes;      ///< Galera: the other members that answer
  bool all_nodes = true;               ///< Galera: every other member is among them
};

/// Of Galera: nodes and all_nodes, as the members were seen.
void take_other_nodes(DumpServers& servers, const std::vector<engine::MemberView>& views, std::string_view source);

/// Stores the dump of report.member and fills the report. `source_failed`, when given, is set when the failure is the
/// member's or the dump program's, not the repository's.
Status store_dump(repo::Repository& repository, const BackupRequest& request, const DumpServers& servers,
                  const DumpPlace& place, BackupReport& report, const std::vector<std::string>& remarks,
                  std::atomic<uint64_t>* progress, const std::function<Status()>& may_commit, std::stop_token stop,
                  bool* source_failed = nullptr);

/// Nothing becomes visible unless the dump program ended well and its end marker was seen. The repository's index must
/// be loaded; the caller holds a shared lock, and `may_commit` is asked right before the snapshot is published.
Result<BackupReport> back_up_cluster(repo::Repository& repository, const BackupRequest& request,
                                     std::atomic<uint64_t>* progress, const std::function<Status()>& may_commit,
                                     std::stop_token stop);

}  // namespace holdfast::backup
