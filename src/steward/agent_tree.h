// A stopped member's data directory as its agent reads it, for a copy in the repository.
#pragma once

#include <memory>
#include <stop_token>

#include "backup/escrow.h"
#include "cluster/types.h"

namespace holdfast::steward {

/// Errors: provider/member_tree.h.
Result<std::unique_ptr<backup::TreeSource>> agent_tree(const cluster::Member& member, std::stop_token stop);

}  // namespace holdfast::steward
