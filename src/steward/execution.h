// What every operation of the steward is executed with.
#pragma once

#include <functional>

#include "operation/executor.h"
#include "steward/caller.h"
#include "steward/cluster_access.h"

namespace holdfast::steward {

/// Handlers of the cluster, with `observe` as what they see of it and `copies` for what they store; the epochs its
/// members know and the way they learn ours; stop and events of the caller. Asks the members. `copies` and `caller`
/// must outlive the executor.
Result<operation::ExecutorOptions> executor_options(ClusterAccess& cluster,
                                                    std::function<cluster::TriageReport()> observe, CopyKeeper& copies,
                                                    const Caller& caller);

/// The cluster's state now, as in Plan::world.
std::function<Result<codec::Value>()> state_of(ClusterAccess& cluster);

}  // namespace holdfast::steward
