// Repair: observe, plan, execute what is proven to be safe; then what that has shown, if it needs no decision.
#pragma once

#include <string>
#include <vector>

#include "steward/caller.h"
#include "steward/cluster_access.h"
#include "steward/outcome.h"

namespace holdfast::steward {

struct RepairRequest {
  std::string member;  ///< by name or ordinal; "" = every member that can be repaired
  bool adopt = false;  ///< what only the member has is written into the primary (repair/adopt.h)
  bool dry_run = false;
  EscrowChoice escrow;
  uint64_t copy_rate = 0;  ///< bytes a second that a copy of a member reads from its donor; 0 = as fast as it goes
  std::vector<std::string> accepted;  ///< losses accepted before they are asked for, NAME[@HASH]
};

/// Blocking; one thread. Outcome::status besides what plan_repair(), execute_plan() and execute_further_plans() say:
///   "operation.locked", "operation.unfinished" (conflict)  another operation is in the way; nothing was observed
///   "repair.no_member" (usage)
///   "cli.interrupted"                                      stopped before anything was changed, or between two plans
Outcome repair_cluster(ClusterAccess& cluster, const RepairRequest& request, const Caller& caller);

}  // namespace holdfast::steward
