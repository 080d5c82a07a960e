// Replicas that say they are up to date and get nothing.
#pragma once

#include <span>
#include <stop_token>
#include <vector>

#include "provider/member_access.h"

namespace holdfast::provider {

/// Looks again at replicas that lack what the writer `offered` when it was first asked, until it has come, or for a
/// few seconds; puts silent_seconds into the streams through which nothing came at all meanwhile. Costs nothing when
/// all have it. Never for longer than `per_member`.
void look_for_silence(const ClusterMembers& members, std::vector<cluster::MemberFacts>& facts, size_t writer,
                      const std::string& offered, std::chrono::milliseconds per_member, const std::stop_token& stop);

}  // namespace holdfast::provider
