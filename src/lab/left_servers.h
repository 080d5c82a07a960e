// Servers of the lab that outlive their agents (agent/config.h: server_survives) and have none.
#pragma once

#include <optional>
#include <stop_token>

#include "agent/running_server.h"
#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::lab {

/// The member's server, where it survives its agent and runs.
std::optional<agent::RunningServer> surviving_server(const agent::MemberConfig& config);

/// Ends it, in order or by SIGKILL, and waits for its end; one that does not end in order within 60 seconds is killed.
/// Fine when there is none. For members without an agent.
Status end_surviving_server(const agent::MemberConfig& config, bool orderly, Deadline deadline, std::stop_token stop);

}  // namespace holdfast::lab
