// What a repair does when its first plan has been executed, or has failed.
#pragma once

#include <vector>

#include "repair/further.h"
#include "repair/plan.h"
#include "steward/caller.h"
#include "steward/cluster_access.h"
#include "steward/outcome.h"
#include "steward/repair.h"

namespace holdfast::steward {

/// A plan was executed, or failed and was undone, and showed what was not known before: a member that was started is
/// found to be damaged, a donor could not be read. Continues with plans that do something that no plan before them did,
/// need no decision, and lose nothing; at most as many as the cluster has members, and two. `ended` is how the first
/// one ended; `runs` has it, and gets the others. Returns how they ended together:
///   success                  the cluster is healthy
///   repair.partial           something was executed; the message says why the rest was not, or what failed
///   operation.failed_undone  nothing was executed
///   cli.interrupted          stopped between two plans
///   what ended an operation otherwise, unchanged: nothing is started after it
Status execute_further_plans(ClusterAccess& cluster, const RepairRequest& request, const repair::Request& wanted,
                             std::vector<PlanRun>& runs, repair::PlansTried tried, Status ended, const Caller& caller);

}  // namespace holdfast::steward
