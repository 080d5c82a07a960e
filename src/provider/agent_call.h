// Requests to a member's agent, for what implements provider/member_access.h.
#pragma once

#include <stop_token>
#include <string>

#include "agent/client.h"
#include "base/deadline.h"
#include "base/result.h"
#include "cluster/types.h"
#include "codec/value.h"

namespace holdfast::provider {

/// Over its unix socket where the member has one, else over TLS. Errors: Client::connect(); "provider.external"
/// (refused) for a member without an agent.
Result<agent::Client> connect_agent(const cluster::Member& member, Deadline deadline, std::stop_token stop = {});

/// The answer's fields, or the agent's own error. "agent.unreachable" (unavailable) when it does not answer,
/// "provider.external" (refused) for a member without an agent.
Result<codec::Value> ask_agent(const cluster::Member& member, const std::string& op, codec::Value arguments,
                               Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::provider
