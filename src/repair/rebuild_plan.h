// A member made anew beside its old data directory: a copy is kept, the successor is proven, then it takes the place.
// Pure.
#pragma once

#include "cluster/triage.h"
#include "repair/plan.h"

namespace holdfast::repair {

/// Adds the steps, and what is lost with them. The gates are the caller's. `holds_data`: false for one proven to be
/// empty.
void plan_rebuild(const cluster::TriageReport& report, const Request& request, const cluster::MemberReport& member,
                  const cluster::MemberReport& donor, bool holds_data, Proposal& proposal);

}  // namespace holdfast::repair
