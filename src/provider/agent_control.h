// Control of a member's server through its agent.
#pragma once

#include <memory>
#include <stop_token>

#include "cluster/types.h"
#include "engine/member_control.h"
#include "provider/epoch.h"

namespace holdfast::provider {

/// See MemberAccess::control(). An agent that does not answer now is asked when something is to be done.
Result<std::unique_ptr<engine::MemberControl>> control_by_agent(const cluster::Member& member,
                                                                const std::stop_token& stop, const CurrentEpoch& epoch);

}  // namespace holdfast::provider
