// A server that others run: SQL by host and port, or by its socket on this machine, and nothing else.
#pragma once

#include "provider/member_access.h"

namespace holdfast::provider {

/// Its files are read from here where its data directory is known and this process may read it.
std::unique_ptr<MemberAccess> external_member(std::shared_ptr<const cluster::DatabaseCluster> cluster,
                                              const cluster::Member& member);

/// "provider.external" (refused): what restores and repairs take is not to be had of this member.
Error no_agent_runs_it(const cluster::Member& member);

/// Logs of a member read by this process, with its own rights, from the data directory it is described with.
cluster::Errant errant_from_here(const cluster::DatabaseCluster& cluster, const cluster::Member& member,
                                 const cluster::Errant& wanted, std::chrono::milliseconds limit,
                                 const std::stop_token& stop);
Result<codec::Value> errant_log_from_here(const cluster::DatabaseCluster& cluster, const cluster::Member& member,
                                          const ErrantLogRequest& request, engine::ErrantLogSink& to,
                                          const std::stop_token& stop);

}  // namespace holdfast::provider
