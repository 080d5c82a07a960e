// Positions of crashed Galera members, found by an operation of its own: for `inspect --fence` and `bootstrap`.
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"
#include "cluster/triage.h"

namespace holdfast::cli {

/// Crash recovery on these members, at the same time: {member: {position} or {error: {class, id, message, hint}}}. One
/// that cannot be recovered does not keep the others from it. `seconds` is the time each has.
Result<codec::Value> recover_positions(Context& context, const cluster::DatabaseCluster& cluster,
                                       const cluster::TriageReport& report, const std::vector<std::string>& members,
                                       int64_t seconds);

}  // namespace holdfast::cli
