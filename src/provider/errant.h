// Looking errant transactions up in the logs of the members that have them.
#pragma once

#include <chrono>
#include <stop_token>

#include "cluster/triage.h"
#include "provider/member_access.h"

namespace holdfast::provider {

/// Makes the `errant` part of each member that has one exact, from its logs (MemberFiles::errant). Reads only; members
/// at the same time, each `per_member` at most. What could not be looked at says why in errant.unseen.
void look_up_errant(const ClusterMembers& members, cluster::TriageReport& report, std::chrono::milliseconds per_member,
                    std::stop_token stop = {});

/// Transactions of a member (`Errant::transactions`), looked up in its own logs. What cannot be looked at is said in
/// `unseen`.
cluster::Errant look_up_transactions(MemberAccess& member, const std::string& transactions,
                                     std::chrono::milliseconds limit, const std::stop_token& stop);

}  // namespace holdfast::provider
