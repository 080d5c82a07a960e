// What is kept in the repository, beside the victim's own data directory, where histories have diverged. Pure.
#pragma once

#include "cluster/triage.h"
#include "repair/plan.h"

namespace holdfast::repair {

/// Whether a repair of this member chooses between histories: it has transactions of its own, or the members have come
/// apart and it was named.
bool is_divergence(const cluster::TriageReport& report, const cluster::MemberReport& victim,
                   const cluster::MemberReport& donor);

/// Adds to the plan, before the victim is touched: a dump of each member that runs, the victim too; and a copy of the
/// data directory of a stopped member that holds something of its own. A member of which neither can be had is told in
/// `proposal.remarks`; one that holds something of its own makes it "repair.cannot_keep" (refused).
Status plan_keeping(const cluster::TriageReport& report, const cluster::MemberReport& victim,
                    const cluster::MemberReport& donor, Proposal& proposal);

}  // namespace holdfast::repair
