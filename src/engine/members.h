// Members as the engine sees them: who is the writer, who follows and how well.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "engine/login.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// What one look at a member gave. Unknown is not absent: an unreachable member has `known` false and says why.
struct MemberView {
  const cluster::Member* member = nullptr;
  bool known = false;
  std::string problem;  ///< why it is unknown, or why it is no source ("replication has stopped: ...")
  bool is_replica = false;
  bool healthy =
      false;  ///< serves, and follows its upstream if it is a replica (Galera: Synced in the primary component)
  double lag_seconds = 0;
  bool filtered = false;  ///< leaves out some of what its upstream has
};

/// The replication filters of SHOW REPLICA STATUS: "Replicate_Ignore_Table shop.log", joined by commas; "" without any.
std::string replica_filters(const sql::Rows& status);

MemberView look_at_member(const cluster::DatabaseCluster& cluster, const cluster::Member& member, const Login& login,
                          Deadline deadline, std::stop_token stop);

/// The member a backup reads from: the healthy replica without filters with the least lag, else the primary; Galera: a
/// Synced node, the one with the highest ordinal. `wanted` (name or ordinal) overrides the choice but not the health.
/// Errors: "engine.no_source" (unavailable) tells each member's problem; "engine.two_primaries" (refused) when more
/// than one writer shows itself.
Result<MemberView> choose_source(const cluster::DatabaseCluster& cluster, const Login& login, const std::string& wanted,
                                 Deadline deadline, std::stop_token stop);

/// The healthy primary, if there is exactly one.
Result<MemberView> find_primary(const cluster::DatabaseCluster& cluster, const Login& login, Deadline deadline,
                                std::stop_token stop);

}  // namespace holdfast::engine
