// What an operation has stored in the repository before it replaced anything, and how to restore it.
#pragma once

#include <string>
#include <vector>

#include "operation/journal.h"

namespace holdfast::steward {

struct KeptCopy {
  std::string member, type, snapshot;  ///< type: "escrow" (its data directory) or "diverged" (a dump)
  std::string restore;                 ///< the command that gives it back
};

/// Also of an operation that failed or was undone: its copies are kept. `repository` is named in the commands; "" =
/// "R".
std::vector<KeptCopy> kept_copies(const operation::StoredOperation& stored, const std::string& repository);

}  // namespace holdfast::steward
