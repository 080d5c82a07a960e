// Plans behind the first one of a command: what only shows when a plan is done has one of its own. Pure.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "cluster/triage.h"
#include "operation/plan.h"
#include "repair/plan.h"

namespace holdfast::repair {

/// What was begun in this command, so that nothing is begun twice.
class PlansTried {
 public:
  void add(const operation::Plan& plan);
  size_t count() const { return count_; }
  /// Does it do anything that no plan before it did? Waiting for proof is not doing; the same copy of another donor is
  /// something else.
  bool is_new(const operation::Plan& plan) const;

 private:
  std::set<std::string> done_;
  size_t count_ = 0;
};

/// With a member named, some rungs stand on that choice, and a person chose before the state that `report` tells of.
/// True when `plan` would be part of what is done without a name too.
bool stands_without_a_name(const cluster::TriageReport& report, Request request, const operation::Plan& plan);

}  // namespace holdfast::repair
