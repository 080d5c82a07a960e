// The operations there are, for looking at them. Changes nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "operation/journal.h"
#include "operation/lock.h"
#include "operation/state.h"

namespace holdfast::operation {

struct Summary {
  std::string id, cluster, verb;
  std::string state;           ///< running, unfinished, done, undone, failed, abandoned, damaged
  std::string started, ended;  ///< UTC; empty when not so
  std::string step;            ///< the one in flight, or next
  bool undoing = false;
  bool past_no_return = false;
  std::string plan_hash;           ///< 12 digits
  std::string error;               ///< what went wrong last
  std::string damage;              ///< why its journal cannot be used
  std::optional<LockOwner> owner;  ///< while running
};
codec::Value summary_value(const Summary& summary);

Summary summarise(const std::string& state_dir, const StoredOperation& stored);
/// Oldest first; also damaged ones.
Result<std::vector<Summary>> list_operations(const std::string& state_dir);
/// Those of a cluster that stand in the way of others: unfinished, or damaged. One whose cluster cannot be read stands
/// in everybody's way.
Result<std::vector<Summary>> unfinished_operations(const std::string& state_dir, std::string_view cluster);
/// The full id of the one operation whose id begins so, or "latest". "operation.not_found" or "operation.ambiguous"
/// (usage).
Result<std::string> find_operation(const std::string& state_dir, std::string_view name);

}  // namespace holdfast::operation
