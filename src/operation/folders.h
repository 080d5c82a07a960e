// Where operations are kept below the state directory:
//
//   operations/<id>/plan.json, journal.jsonl     one operation
//   operations/locks/<ns>.<cluster>              held (as a lock) by whoever changes the cluster; says who that is
//   operations/epochs/<ns>.<cluster>             the last epoch given out for the cluster
//
// A cluster that has a uid has files named "@<uid>" beside these, see file_lock.h.
#pragma once

#include <string>

#include "base/result.h"
#include "operation/cluster_key.h"

namespace holdfast::operation {

std::string operations_folder(const std::string& state_dir);
/// Of its uid if it has one, else of its name.
std::string lock_file_of(const std::string& state_dir, const ClusterKey& cluster);
std::string epoch_file_of(const std::string& state_dir, const ClusterKey& cluster);
/// A half-made operation of the cluster, to be renamed once it is whole.
std::string staging_folder_of(const std::string& state_dir, const ClusterKey& cluster);

/// Creates `path` and its parents, and makes each new name durable before it returns.
Status make_durable_folder(const std::string& path);

}  // namespace holdfast::operation
