// PostgreSQL: a stopped server whose disk is full is freed of WAL that nobody needs, and started. Pure.
#pragma once

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// Adds the steps to `plan`, the first of which cannot be undone, and what must be accepted for them.
///   repair.needs_operator  (refused) which of its WAL is needed is not known, or too little of it is not needed
Status plan_freeing_wal(const cluster::TriageReport& report, const cluster::MemberReport& member,
                        operation::Plan& plan);

}  // namespace holdfast::repair
