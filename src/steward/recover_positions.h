// Crash recovery on stopped Galera members, to learn their positions: what an inspection does, and a bootstrap first.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "steward/caller.h"
#include "steward/cluster_access.h"

namespace holdfast::steward {

/// As one operation. The position of each of these members, or why it could not be recovered; `limit` is the time each
/// has.
Result<std::map<std::string, Result<std::string>>> recover_positions(ClusterAccess& cluster,
                                                                     const cluster::TriageReport& report,
                                                                     const std::vector<std::string>& members,
                                                                     std::chrono::seconds limit, const Caller& caller);

}  // namespace holdfast::steward
