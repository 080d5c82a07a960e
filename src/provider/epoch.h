// The epochs of operations (operation/lock.h) as the agents of a cluster know them.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <stop_token>

#include "base/result.h"

namespace holdfast::provider {

class ClusterMembers;

/// Of the operation that is at work; 0 = none yet. Shared by all that asks agents on its behalf.
using CurrentEpoch = std::shared_ptr<std::atomic<uint64_t>>;

/// The highest epoch any agent remembers, 0 = none; agents that do not answer in `limit` are left out. All are asked at
/// the same time.
uint64_t highest_epoch(const ClusterMembers& members, std::chrono::milliseconds limit, std::stop_token stop = {});

/// From here on no agent that answers takes anything from an operation of a lower epoch. "agent.stale_epoch" (refused)
/// when one of them knows a higher one: then this operation is the old one. An agent that does not answer is none that
/// anybody can ask for anything now; it learns the epoch with the first request.
Status fence_members(const ClusterMembers& members, uint64_t epoch, std::chrono::milliseconds limit,
                     std::stop_token stop = {});

}  // namespace holdfast::provider
