// Crash recovery on stopped Galera members, as an operation: what inspect --fence does, and bootstrap first of all.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cluster/triage.h"

namespace holdfast::cli {

/// The position of each of these members, or why it could not be recovered. `seconds` is the time each has.
Result<std::map<std::string, Result<std::string>>> recover_positions(Context& context,
                                                                     const cluster::DatabaseCluster& cluster,
                                                                     const cluster::TriageReport& report,
                                                                     const std::vector<std::string>& members,
                                                                     int64_t seconds);

}  // namespace holdfast::cli
