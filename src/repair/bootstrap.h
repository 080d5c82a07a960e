// Bringing back a Galera cluster of which no member is in a primary component. Pure: no I/O, no clock.
#pragma once

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// Starts the member that is proven to hold everything as the first of a new component, then the others, one by one.
/// Nobody's data is thrown away: the others join by IST where its write-set cache reaches back far enough.
/// Refusals (class refused):
///   bootstrap.not_galera       (usage)
///   bootstrap.has_primary      a primary component is there: members outside it are repaired, not bootstrapped
///   bootstrap.undeterminable   a position is not known, is only a hint, or two histories differ; says of whom
///   bootstrap.agents           a member's agent does not answer: it might be running elsewhere
Result<operation::Plan> plan_bootstrap(const cluster::TriageReport& report);

}  // namespace holdfast::repair
