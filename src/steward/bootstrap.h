// Bootstrap: a Galera cluster without a primary component gets one again, from the node that is proven to hold all.
#pragma once

#include <string>
#include <vector>

#include "steward/caller.h"
#include "steward/cluster_access.h"
#include "steward/outcome.h"

namespace holdfast::steward {

struct BootstrapRequest {
  bool dry_run = false;
  EscrowChoice escrow;
  std::vector<std::string> accepted;  ///< losses accepted before they are asked for, NAME[@HASH]
};

/// Crashed nodes have their positions recovered first, unless it is a dry run. Outcome::status besides what
/// plan_bootstrap(), recover_positions() and execute_plan() say: a refusal of plan_bootstrap() whose loss was not
/// accepted, before the plan is proposed; "operation.locked" and "operation.unfinished" as for a repair.
Outcome bootstrap_cluster(ClusterAccess& cluster, const BootstrapRequest& request, const Caller& caller);

}  // namespace holdfast::steward
