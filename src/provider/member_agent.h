// Members under our agents, as a restore needs them; and a server of our own in a folder, for restores into a new
// place.
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "cluster/types.h"
#include "engine/member_control.h"
#include "provider/epoch.h"

namespace holdfast::provider {

/// One control per member. "provider.external" (refused) for a cluster whose servers we do not run. With `epoch` every
/// request that changes something carries it, as soon as it is set.
Result<std::vector<std::unique_ptr<engine::MemberControl>>> control_members(const cluster::DatabaseCluster& cluster,
                                                                            std::stop_token stop,
                                                                            const CurrentEpoch& epoch = nullptr);

/// A stand-alone server in `folder` (made, or empty): data/, etc/, log/ and admin.password are created in it. The
/// server is run by this process and ends with it. "restore.not_empty" (refused) when something is there already.
Result<std::unique_ptr<engine::MemberControl>> control_folder(const std::string& folder, cluster::Engine engine,
                                                              const std::string& name, std::stop_token stop);

}  // namespace holdfast::provider
