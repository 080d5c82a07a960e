// What a repair does once its first plan is carried out, or has failed.
#pragma once

#include <vector>

#include "cli/carry_out.h"
#include "repair/further.h"
#include "repair/plan.h"

namespace holdfast::cli {

/// `data` of the envelope: of the first plan, with those behind it as "further"; "after" and "kept" are of them all.
class Account {
 public:
  explicit Account(Output& out) : out_(out) {}

  /// What is known of the plan at work; see carry_out().
  void tell(codec::Value plan);
  /// Whether the plan at work has become an operation.
  bool has_begun() const { return plans_.back().find("operation") != nullptr; }
  void begin_another() { plans_.emplace_back(); }
  void forget_the_last();
  void healthy_after_all(const cluster::TriageReport& seen);

 private:
  void publish();

  Output& out_;
  std::vector<codec::Value> plans_ = {codec::Value()};
};

/// The plan for what `seen` tells, or why there is none. `request` comes back as it was.
Result<Work> plan_for(const Context& context, const cluster::DatabaseCluster& cluster, repair::Request& request,
                      cluster::TriageReport seen);

/// A plan was carried out, or failed and was undone, and showed what nobody had seen: a member that was started is
/// found to be damaged, a donor could not be read. Goes on with plans that do something that no plan before them did,
/// stand without a person's choice, and lose nothing. `done` is how the first one ended; returns how it all did:
///   success                  the cluster is healthy
///   repair.partial           something was carried out; the message says what keeps the rest, or what failed
///   operation.failed_undone  nothing was carried out
///   what ended an operation otherwise, unchanged: nothing is begun after it
Exit mend_the_rest(Context& context, const cluster::DatabaseCluster& cluster, repair::Request& request, Account account,
                   repair::PlansTried tried, Exit done);

}  // namespace holdfast::cli
