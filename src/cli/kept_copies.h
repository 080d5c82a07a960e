// What an operation has put into the repository before it touched anything, and how to have it again.
#pragma once

#include <string>
#include <vector>

#include "cli/output.h"
#include "operation/operations.h"

namespace holdfast::cli {

struct KeptCopy {
  std::string member, type, snapshot;  ///< type: "escrow" (its data directory) or "diverged" (a dump)
  std::string restore;                 ///< the command that gives it back
};

/// Also of an operation that failed or was undone: its copies stay. `repository` stands in the commands; "" = "R".
std::vector<KeptCopy> kept_copies(const operation::StoredOperation& stored, const std::string& repository);
/// A line for each; nothing when there is none.
void print_kept(Output& out, const std::string& operation, const std::vector<KeptCopy>& kept);
codec::Value kept_value(const std::vector<KeptCopy>& kept);

}  // namespace holdfast::cli
