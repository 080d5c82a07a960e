// Members as the engine sees them: who is the writer, who follows and how well. How a server is reached is not decided
// here: the caller hands that in.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// How a member's server is reached at this moment, within the deadline; the way there lasts as long as the target does
/// (Target::keep). Called by several threads at once.
using TargetOf =
    std::function<Result<sql::Target>(const cluster::Member& member, Deadline deadline, std::stop_token stop)>;

/// How long one member may take when all are asked at once.
inline constexpr std::chrono::seconds kMemberPatience{10};

/// What one look at a member gave. Unknown is not absent: an unreachable member has `known` false and says why.
struct MemberView {
  const cluster::Member* member = nullptr;
  std::optional<sql::Target> target;  ///< how it was reached; none where no way to it was found
  std::optional<Error> refusal;       ///< it may not be asked at all, which is a matter of its configuration
  bool known = false;
  std::string problem;  ///< why it is unknown, or why it is no source ("replication has stopped: ...")
  bool is_replica = false;
  bool healthy =
      false;  ///< serves, and follows its upstream if it is a replica (Galera: Synced in the primary component)
  double lag_seconds = 0;
  bool filtered = false;  ///< leaves out some of what its upstream has
  /// MariaDB, MySQL: its setting; nullopt = unknown.
  std::optional<bool> read_only;
};

/// The replication filters of SHOW REPLICA STATUS: "Replicate_Ignore_Table shop.log", joined by commas; "" without any.
std::string replica_filters(const sql::Rows& status);

MemberView look_at_member(const cluster::DatabaseCluster& cluster, const cluster::Member& member,
                          const TargetOf& target_of, Deadline deadline, std::stop_token stop);

/// All of them at once, in the cluster's order: one that hangs takes `per_member`, and no time of the others. The views
/// point into `cluster`.
std::vector<MemberView> look_at_members(const cluster::DatabaseCluster& cluster, const TargetOf& target_of,
                                        std::chrono::milliseconds per_member, const std::stop_token& stop);

/// "engine.no_member" (usage) unless `wanted` (name or ordinal) is a member, or empty.
Status check_wanted(const cluster::DatabaseCluster& cluster, const std::string& wanted);

/// The member a backup reads from: the healthy replica without filters with the least lag, else the primary; Galera: a
/// Synced node, the one with the highest ordinal. `wanted` (name or ordinal) overrides the choice but not the health.
/// Errors: "engine.no_source" (unavailable) with each member's problem, or why none may be asked;
/// "engine.two_primaries" (refused) when more than one member is a writer.
Result<MemberView> choose_source(const cluster::DatabaseCluster& cluster, const std::vector<MemberView>& views,
                                 const std::string& wanted);

/// The healthy primary, if there is exactly one.
Result<MemberView> find_primary(const std::vector<MemberView>& views);

}  // namespace holdfast::engine
