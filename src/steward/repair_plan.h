// The plan of a repair for what was observed.
#pragma once

#include <stop_token>

#include "repair/plan.h"
#include "steward/cluster_access.h"
#include "steward/outcome.h"

namespace holdfast::steward {

/// The plan for `seen`, or why there is none. Replication accounts are tried first: members that could not log in where
/// they would follow are refused or left alone.
Result<PlanRun> propose_repair(ClusterAccess& cluster, repair::Request request, cluster::TriageReport seen,
                               std::stop_token stop);

}  // namespace holdfast::steward
