// How the steward reaches one cluster: observes it, knows its epochs, does the steps of its plans.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>

#include "cluster/triage.h"
#include "operation/handler.h"
#include "operation/plan.h"
#include "repair/accounts.h"
#include "repair/handlers.h"

namespace holdfast::steward {

/// One thread at a time.
class ClusterAccess {
 public:
  virtual ~ClusterAccess() = default;

  virtual const cluster::DatabaseCluster& cluster() const = 0;
  /// Asks all members at the same time; reads only. A member that hangs costs its own timeout.
  virtual cluster::TriageReport observe(std::stop_token stop, const cluster::Surroundings& around = {}) = 0;
  /// Makes the `errant` part of each member exact, from its logs.
  virtual void look_up_errant(cluster::TriageReport& report, std::stop_token stop) = 0;
  /// Whether members can log in where the plan has them follow.
  virtual repair::AccountChecks check_accounts(const operation::Plan& plan, std::stop_token stop) = 0;

  /// The highest epoch that any member knows; 0 = none.
  virtual uint64_t highest_epoch() = 0;
  /// Makes the members refuse lower epochs; see operation::ExecutorOptions::fence.
  virtual Status fence(uint64_t epoch) = 0;
  /// Of every kind of step that plans of this cluster have.
  virtual Result<operation::HandlerMap> handlers(repair::HandlerServices services, std::stop_token stop) = 0;
};

/// The members as the cluster's resource describes them. `per_member`: how long each may take to answer.
std::unique_ptr<ClusterAccess> access_cluster(cluster::DatabaseCluster cluster,
                                              std::chrono::milliseconds per_member = std::chrono::seconds(5));

}  // namespace holdfast::steward
