// From configuration to members that can be reached: which clusters there are, and how to sign in to each member.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/types.h"
#include "engine/login.h"
#include "engine/members.h"
#include "sql/rows.h"
#include "sys/environment.h"

namespace holdfast::provider {

/// Clusters of the given files and directories (*.yaml, *.yml of a directory, not deeper) and of
/// `<state_dir>/clusters`, where the lab describes its own. The same namespace/name twice: files given win over the
/// lab; twice among the files given, or one uid for two clusters there, is "config.duplicate". A given path that is not
/// there is "config.not_found" (usage).
Result<std::vector<cluster::DatabaseCluster>> load_clusters(const std::vector<std::string>& paths,
                                                            const std::string& state_dir);

/// Which of them a command means; empty fields match everything.
struct Selection {
  std::string engine, ns, name;
};
std::vector<cluster::DatabaseCluster> select(const std::vector<cluster::DatabaseCluster>& clusters,
                                             const Selection& selection);
/// Exactly one, or "cluster.not_found" / "cluster.ambiguous" (usage) naming what there is.
Result<cluster::DatabaseCluster> select_one(const std::vector<cluster::DatabaseCluster>& clusters,
                                            const Selection& selection);

/// How the members of a cluster are signed in to (MemberAccess::sql_as), with credentials that are read once, here:
/// what a backup or a comparison is handed.
Result<engine::TargetOf> targets_of(const cluster::DatabaseCluster& cluster,
                                    const engine::EnvironmentLookup& env = sys::variable);
/// How clients do, by host and port or a socket: never through an agent. Errors: engine/login.h.
Result<sql::Target> client_target_of(const cluster::DatabaseCluster& cluster, const cluster::Member& member);

}  // namespace holdfast::provider
