// The operations of one state directory. Here alone the steward knows where they are kept.
#pragma once

#include <string>
#include <string_view>

#include "cluster/triage.h"
#include "operation/executor.h"
#include "operation/operations.h"

namespace holdfast::steward {

class Operations {
 public:
  explicit Operations(std::string state_dir) : state_dir_(std::move(state_dir)) {}

  /// Everything of `options` but where operations are kept.
  operation::Executor executor(operation::ExecutorOptions options) const;
  /// operation::find_operation(), read_operation() and summarise().
  Result<std::string> find(std::string_view name) const;
  Result<operation::StoredOperation> read(const std::string& id) const;
  operation::Summary summarise(const operation::StoredOperation& stored) const;

  /// Before anything is planned: what an operation at work, or an unfinished one, has half done is not a state to plan
  /// from ("operation.locked" or "operation.unfinished", conflict).
  Status refuse_if_unfinished(const cluster::DatabaseCluster& cluster, const std::string& verb) const;
  /// What triage must know beside the members: operations that are not over. What cannot be read is left out: whatever
  /// would change the cluster is refused by refuse_if_unfinished().
  cluster::Surroundings surroundings(const cluster::DatabaseCluster& cluster) const;

 private:
  std::string state_dir_;
};

}  // namespace holdfast::steward
