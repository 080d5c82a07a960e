// Operations that are not over: resumed, undone or closed by whoever finds them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "steward/caller.h"
#include "steward/cluster_access.h"

namespace holdfast::steward {

struct OperationRequest {
  std::string operation;  ///< its id, the beginning of one, or "latest"
  bool dry_run = false;   ///< all checks, and nothing is changed
  std::vector<std::string> accepted;
  /// Where copies are stored that are not yet; opened only for a plan that stores any.
  std::optional<std::string> repository;
};

struct FoundOperation {
  std::string id;
  operation::StoredOperation stored;
  operation::Summary summary;
};

struct OperationOutcome {
  std::optional<FoundOperation> before;     ///< as it was found; nothing = there is no such operation
  std::optional<operation::Report> report;  ///< how it ended; nothing when it did not, and for a dry run
  std::optional<FoundOperation> after;      ///< read again, once it was touched
  std::vector<KeptCopy> kept;               ///< of `after`
  Status status;
};

/// The access to the cluster of a plan: which clusters there are is the caller's configuration.
using FindCluster = std::function<Result<std::shared_ptr<ClusterAccess>>(const operation::Plan& plan)>;

/// "operation.not_found" or "operation.ambiguous" (usage).
Result<FoundOperation> find_operation(const Operations& operations, const std::string& name);

/// Continues where the journal ends, in the direction the operation has. Status besides what operation::Executor says:
///   "operation.over" (refused)
///   "operation.no_handler" (refused)                  its verb is not one the steward can carry out
///   "operation.acceptance_not_needed" (usage)         anything but "changed-world:ID"
///   "operation.other_cluster" (refused)               the cluster that was found has another uid than the plan's
///   that of `find_cluster`
OperationOutcome resume_operation(const OperationRequest& request, const FindCluster& find_cluster,
                                  const Caller& caller);
/// Takes back what was done, last step first.
OperationOutcome undo_operation(const OperationRequest& request, const FindCluster& find_cluster, const Caller& caller);
/// Closes it without touching its cluster. "operation.not_accepted" (refused) without "abandon:ID".
OperationOutcome abandon_operation(const OperationRequest& request, const Caller& caller);

/// Where it is and what stopped it, for people: "at swap-m1, past the point of no return: ..."; for one that is over
/// what went wrong, or "".
std::string state_text(const operation::Summary& summary);

}  // namespace holdfast::steward
