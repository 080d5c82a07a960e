// Triage, once or until stopped: what is known of a cluster, what is not, and what it means. Reads only.
#pragma once

#include <chrono>

#include "steward/caller.h"
#include "steward/cluster_access.h"

namespace holdfast::steward {

/// Observes the cluster, with its operations that are not over, and makes the transactions that only one member has
/// exact. After a stop request the report is no verdict.
cluster::TriageReport triage_cluster(ClusterAccess& cluster, const Caller& caller);

/// Calls Observer::refreshed() with a new report, `interval` after the one before it, until a stop is requested.
void watch_cluster(ClusterAccess& cluster, std::chrono::milliseconds interval, const Caller& caller);

}  // namespace holdfast::steward
