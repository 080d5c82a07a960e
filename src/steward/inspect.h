// Inspection: recover the positions of crashed Galera members (may change files), and judge the cluster with them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "provider/recover.h"
#include "steward/caller.h"
#include "steward/cluster_access.h"

namespace holdfast::steward {

struct InspectRequest {
  std::string member;  ///< by name or ordinal; "" = every crashed one
  bool dry_run = false;
  std::chrono::seconds limit{300};  ///< for each member
};

struct MemberRecovery {
  provider::RecoverStep step;  ///< with the position that was recovered
  bool wanted = true;          ///< it is not another one than the request names
  std::optional<Error> error;
};

struct InspectOutcome {
  std::vector<MemberRecovery> members;
  std::optional<cluster::TriageReport> report;  ///< at the end; nothing when `status` is a refusal
  /// Of the request, not of what was found: a member that could not be recovered has its own error.
  Status status;
};

/// Refusals:
///   "inspect.engine"       (refused) not Galera
///   "inspect.running"      (refused) the member named runs
///   "inspect.no_member"    (usage)
///   "operation.locked", "operation.unfinished" (conflict) another operation is in the way
InspectOutcome inspect_cluster(ClusterAccess& cluster, const InspectRequest& request, const Caller& caller);

}  // namespace holdfast::steward
