// What differs between engines when a cluster is rebuilt around a refilled primary.
#pragma once

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/replay_choices.h"
#include "engine/member_control.h"

namespace holdfast::backup {

/// Server arguments for loading a dump fast: no binary log, no flush per commit. The server is restarted without them.
std::vector<std::string> loading_args(cluster::Engine engine);

/// A session opened before the replay: the dump brings the accounts of its own time, with passwords that may be old
/// ones. Afterwards it sets those the cluster works with, and the position new writes continue from.
class AccountKeeper {
 public:
  virtual ~AccountKeeper() = default;
  static Result<std::unique_ptr<AccountKeeper>> open(cluster::Engine engine, const engine::MemberSetup& setup,
                                                     std::stop_token stop);
  virtual Status restore_accounts(std::stop_token stop) = 0;
  virtual Status set_position(const std::string& position, std::stop_token stop) = 0;
};

/// members[0] is filled and stopped. Gives the others their data where that is done by copying, and tells the servers
/// the position their own history continues from.
Status copy_to_replicas(cluster::Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                        const std::string& position, const Say& say);
/// Starts all members and waits until every one is healthy and replicates. `own_channels`: RestoreRequest's.
Status start_cluster(cluster::Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                     const std::map<std::string, std::string>& own_channels, const Say& say, std::stop_token stop);

}  // namespace holdfast::backup
