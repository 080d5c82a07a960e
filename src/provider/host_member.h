// A server that our agent runs, on this host or on another one: everything goes through the agent.
#pragma once

#include "provider/member_access.h"

namespace holdfast::provider {

/// Where its agent is gone, and is one of this machine, its files are read from here as far as this process may.
std::unique_ptr<MemberAccess> host_member(std::shared_ptr<const cluster::DatabaseCluster> cluster,
                                          const cluster::Member& member);

}  // namespace holdfast::provider
