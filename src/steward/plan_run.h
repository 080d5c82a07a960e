// One plan: proposed, accepted, executed under a journal, and judged by an observation at its end.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "steward/caller.h"
#include "steward/cluster_access.h"
#include "steward/outcome.h"

namespace holdfast::steward {

struct PlanChoices {
  bool dry_run = false;               ///< the plan is proposed, and that is all
  std::vector<std::string> accepted;  ///< NAME[@HASH]
  EscrowChoice escrow;
  std::function<Status()> last_check = {};  ///< may refuse what was accepted, before anything is changed
};

/// Proposes `run.plan` and executes it; fills in the rest of `run`. Errors: those of check_acceptances(), `last_check`,
/// the repository and operation::Executor; "repair.partial" (partial) when all was done and the cluster is not healthy.
Status execute_plan(ClusterAccess& cluster, PlanRun& run, PlanChoices choices, const Caller& caller);

/// `check`, and when it refuses for want of an acceptance, once more with what the observer accepts; that is added to
/// `accepted`.
Status check_accepted(const operation::Plan& plan, std::vector<std::string>& accepted, Observer& observer,
                      const std::function<Status()>& check);

}  // namespace holdfast::steward
