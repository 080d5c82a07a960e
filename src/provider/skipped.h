// Transactions that a replica's log passes over though its source's log has them with content.
#pragma once

#include <chrono>
#include <stop_token>
#include <vector>

#include "provider/member_access.h"

namespace holdfast::provider {

/// MariaDB, MySQL: fills `skipped` of each replica in `facts` whose agent has found such, from the log of
/// facts[primary]. What is not known is a reading. Asks the primary's log only where a replica's shows something.
void look_for_skipped(const ClusterMembers& members, std::vector<cluster::MemberFacts>& facts, size_t primary,
                      std::chrono::milliseconds limit, const std::stop_token& stop);

}  // namespace holdfast::provider
