// Errant transactions with their bytes, from the logs of the member that has them.
#pragma once

#include <stop_token>
#include <string>

#include "cluster/types.h"
#include "engine/adoptable.h"

namespace holdfast::provider {

struct ErrantLogRequest {
  std::string transactions;  ///< Errant::transactions
  bool altered = false;      ///< see engine::ErrantLogOptions
  engine::ErrantLogFiles::Limits limits;
  Deadline deadline = Deadline::never();  ///< for the search; what then comes may take its time
};

/// Through the member's agent. From its data directory, with the rights of this process, only where it has no agent, or
/// none answers, and the directory is known. `folder` exists and is ours; the files are made in it. Errors: the agent's
/// ("agent.too_old", "agent.not_permitted"), "agent.unreachable", "provider.external", and of
/// engine::ErrantLogFiles.
Result<engine::ErrantLog> fetch_errant_log(const cluster::DatabaseCluster& cluster, const cluster::Member& member,
                                           const ErrantLogRequest& request, const std::string& folder,
                                           std::stop_token stop = {});

/// The same as engine::read_adoptable() reads it.
Result<engine::Adoptable> fetch_adoptable(const cluster::DatabaseCluster& cluster, const cluster::Member& member,
                                          const std::string& transactions, Deadline deadline,
                                          std::stop_token stop = {});

}  // namespace holdfast::provider
