// Operations as the steward's verbs need them, wherever they are kept.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cluster/triage.h"
#include "operation/executor.h"
#include "operation/store.h"

namespace holdfast::steward {

/// The cluster as stores of operations know it.
operation::ClusterKey key_of(const cluster::DatabaseCluster& cluster);

class Operations {
 public:
  explicit Operations(std::shared_ptr<operation::OperationStore> store) : store_(std::move(store)) {}

  /// Everything of `options` but where operations are kept.
  operation::Executor executor(operation::ExecutorOptions options) const;
  /// As of the store.
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
  std::shared_ptr<operation::OperationStore> store_;
};

}  // namespace holdfast::steward
