#include "steward/operations.h"

namespace holdfast::steward {

operation::ClusterKey key_of(const cluster::DatabaseCluster& cluster) {
  return operation::ClusterKey(cluster.full_name(), cluster.uid);
}

operation::Executor Operations::executor(operation::ExecutorOptions options) const {
  options.store = store_;
  return operation::Executor(std::move(options));
}

Result<std::string> Operations::find(std::string_view name) const {
  return store_->find(name);
}

Result<operation::StoredOperation> Operations::read(const std::string& id) const {
  return store_->read(id);
}

operation::Summary Operations::summarise(const operation::StoredOperation& stored) const {
  return store_->summary(stored);
}

Status Operations::refuse_if_unfinished(const cluster::DatabaseCluster& cluster, const std::string& verb) const {
  const operation::ClusterKey key = key_of(cluster);
  if (!store_->holder(key) && TRY(store_->unfinished(key)).empty()) return {};
  TRY(store_->acquire({.cluster = key, .operation = "", .verb = verb}));
  return {};
}

cluster::Surroundings Operations::surroundings(const cluster::DatabaseCluster& cluster) const {
  cluster::Surroundings around;
  const auto all = store_->unfinished(key_of(cluster));
  if (!all) return around;
  for (const auto& one : *all)
    if (!one.cluster.empty()) around.operations.push_back({one.id, one.verb, one.state, one.started});
  return around;
}

}  // namespace holdfast::steward
