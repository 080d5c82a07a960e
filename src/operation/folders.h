// Where operations are kept below the state directory:
//
//   operations/<id>/plan.json, journal.jsonl     one operation
//   operations/locks/<ns>.<cluster>              held (as a lock) by whoever changes the cluster; says who that is
//   operations/epochs/<ns>.<cluster>             the last epoch given out for the cluster
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::operation {

std::string operations_folder(const std::string& state_dir);
std::string lock_file_of(const std::string& state_dir, std::string_view cluster);
std::string epoch_file_of(const std::string& state_dir, std::string_view cluster);
/// A half-made operation of the cluster, to be renamed once it is whole.
std::string staging_folder_of(const std::string& state_dir, std::string_view cluster);

/// Creates `path` and its parents, and makes each new name durable before it returns.
Status make_durable_folder(const std::string& path);

}  // namespace holdfast::operation
