// What came of a repair or a bootstrap, as data: callers render it, the steward prints nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/triage.h"
#include "operation/plan.h"
#include "steward/kept_copies.h"

namespace holdfast::steward {

struct Warning {
  std::string id, message;
};

/// One plan and what came of it.
struct PlanRun {
  cluster::TriageReport before;         ///< what the plan was made from
  std::optional<operation::Plan> plan;  ///< nothing: none could be made, and Outcome::status says why
  std::string hash;                     ///< of the plan, 64 digits
  std::vector<std::string> left_alone;  ///< members it does not repair, and why
  std::vector<Warning> warnings;        ///< what should be known before it is executed
  bool further = false;                 ///< made for what was left when the plan before it had ended
  bool proposed = false;                ///< shown to the caller (Observer::plan_proposed)
  std::string operation;                ///< its id; "" = it was not started
  std::optional<cluster::TriageReport> after;
  /// Copies it stored; nothing when it needed no repository, or was not started.
  std::optional<std::vector<KeptCopy>> kept;
};

struct Outcome {
  /// In order. Empty when it was refused before the cluster was observed. The first is the one that a dry run proposes.
  std::vector<PlanRun> runs;
  /// How it ended together; success = the cluster is healthy, or nothing was to be changed.
  Status status;
};

}  // namespace holdfast::steward
