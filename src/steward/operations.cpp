#include "steward/operations.h"

#include "operation/journal.h"
#include "operation/lock.h"

namespace holdfast::steward {

operation::Executor Operations::executor(operation::ExecutorOptions options) const {
  options.state_dir = state_dir_;
  return operation::Executor(std::move(options));
}

Result<std::string> Operations::find(std::string_view name) const {
  return operation::find_operation(state_dir_, name);
}

Result<operation::StoredOperation> Operations::read(const std::string& id) const {
  return operation::read_operation(state_dir_, id);
}

operation::Summary Operations::summarise(const operation::StoredOperation& stored) const {
  return operation::summarise(state_dir_, stored);
}

Status Operations::refuse_if_unfinished(const cluster::DatabaseCluster& cluster, const std::string& verb) const {
  const std::string name = cluster.full_name();
  const bool held = operation::lock_holder(state_dir_, name).has_value();
  if (!held && TRY(operation::unfinished_operations(state_dir_, name)).empty()) return {};
  TRY(operation::ClusterLock::acquire(state_dir_, {.cluster = name, .operation = "", .verb = verb}));
  return {};
}

cluster::Surroundings Operations::surroundings(const cluster::DatabaseCluster& cluster) const {
  cluster::Surroundings around;
  const auto all = operation::list_operations(state_dir_);
  if (!all) return around;
  for (const auto& one : *all)
    if (one.cluster == cluster.full_name() &&
        (one.state == "running" || one.state == "unfinished" || one.state == "damaged"))
      around.operations.push_back({one.id, one.verb, one.state, one.started});
  return around;
}

}  // namespace holdfast::steward
