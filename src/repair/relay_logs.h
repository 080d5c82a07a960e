// MySQL: relay logs that cannot be read are fetched again. Pure but for the handler.
#pragma once

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// The member's logs are damaged, and everything in them is proven to be with the one that takes writes, which still
/// has in its own logs what the member has not applied.
bool can_fetch_logs_anew(const cluster::TriageReport& report, const cluster::MemberReport& member);
operation::Step fetching_step(const std::string& member, const std::string& leader);

}  // namespace holdfast::repair
