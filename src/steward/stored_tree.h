// A stopped member's data directory as whoever runs it sends it, for a copy in the repository.
#pragma once

#include <memory>
#include <stop_token>

#include "backup/escrow.h"
#include "provider/member_access.h"

namespace holdfast::steward {

/// Errors: MemberFiles::tree(), provider/member_tree.h.
Result<std::unique_ptr<backup::TreeSource>> stored_tree(provider::MemberAccess& member, std::stop_token stop);

}  // namespace holdfast::steward
