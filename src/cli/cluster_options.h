// Which database cluster a verb works on, from --config, the lab's own files and -c -n -e.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cluster/types.h"
#include "engine/members.h"
#include "operation/store.h"

namespace holdfast::cli {

/// <state-dir>: --state-dir, or where this user's state is.
std::string state_dir_of(const Context& context);
/// Where operations are kept: below that directory.
std::shared_ptr<operation::OperationStore> operation_store(const Context& context);
/// Every DatabaseCluster of --config (files or directories) and of <state-dir>/clusters.
Result<std::vector<cluster::DatabaseCluster>> known_clusters(Context& context);
/// The one -c -n -e name. "cli.no_cluster" (usage) lists what there is; more than one fit is "cli.ambiguous_cluster".
Result<cluster::DatabaseCluster> selected_cluster(Context& context);
/// How the cluster's servers are reached (provider::targets_of), with this caller's environment.
Result<engine::TargetOf> targets_of(const Context& context, const cluster::DatabaseCluster& cluster);

/// What -c -n -e say about a backup whose cluster need not exist any more.
struct ClusterSelector {
  std::string cluster, ns, engine;
  bool matches(std::string_view its_cluster, std::string_view its_namespace, std::string_view its_engine) const {
    return (cluster.empty() || cluster == its_cluster) && (ns.empty() || ns == its_namespace) &&
           (engine.empty() || engine == its_engine);
  }
};
/// "-c shop/orders" names the namespace too.
ClusterSelector cluster_selector(const Options& options);

}  // namespace holdfast::cli
