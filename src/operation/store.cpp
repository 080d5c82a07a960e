#include "operation/store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace holdfast::operation {

Summary OperationStore::summary(const StoredOperation& stored) const {
  Summary summary = summarise(stored);
  if (summary.state != phase_name(Phase::forward)) return summary;
  if (auto owner = holder(summary.key()); owner && owner->operation == stored.id) {
    summary.state = "running";
    summary.owner = std::move(owner);
  }
  return summary;
}

Result<std::vector<Summary>> OperationStore::list() const {
  std::vector<Summary> all;
  for (const auto& id : TRY(ids())) {
    auto stored = read(id);
    if (!stored) continue;  // removed since it was listed
    all.push_back(summary(*stored));
  }
  return all;
}

Result<std::vector<Summary>> OperationStore::unfinished(const ClusterKey& cluster) const {
  std::vector<Summary> all = TRY(list());
  std::erase_if(all, [&](const Summary& summary) { return !summary.blocks(cluster); });
  return all;
}

Result<std::string> OperationStore::find(std::string_view name) const {
  const auto all = TRY(ids());
  if (name == "latest" && !all.empty()) return all.back();
  std::vector<std::string> fits;
  for (const auto& id : all) {
    if (id == name) return id;
    if (!name.empty() && id.starts_with(name)) fits.push_back(id);
  }
  if (fits.size() == 1) return fits.front();
  if (fits.empty()) return fail(not_found(name));
  return fail(ErrorClass::usage, "operation.ambiguous",
              fmt::format("{} operations begin with {}: {}", fits.size(), name, fmt::join(fits, ", ")),
              "give more of the id");
}

Status OperationStore::refuse_if_unfinished(const LockRequest& request) const {
  for (const Summary& other : TRY(unfinished(request.cluster))) {
    if (other.id == request.operation || request.beside_unfinished) continue;
    const std::string what = other.damage.empty() ? fmt::format("{} of {} is unfinished", other.verb, other.cluster)
                                                  : fmt::format("it is not known how far it came: {}", other.damage);
    const std::string hint =
        other.damage.empty()
            ? fmt::format(
                  "holdfast operations show {0}; then: holdfast operations resume {0}, or: holdfast operations "
                  "undo {0}",
                  other.id)
            : fmt::format("holdfast operations show {0}; once the cluster is right: holdfast operations abandon {0}",
                          other.id);
    return fail(ErrorClass::conflict, "operation.unfinished",
                fmt::format("operation {} is in the way: {}", other.id, what), hint);
  }
  return {};
}

Status OperationStore::check_lock(const ClusterLock& lock, const Plan& plan) {
  if (same_cluster(lock.cluster(), plan.key())) return {};
  return fail(ErrorClass::bug, "operation.wrong_lock",
              fmt::format("an operation of {} under the lock of {}", plan.cluster, lock.cluster().name));
}

Error OperationStore::not_found(std::string_view name) {
  return Error{ErrorClass::usage,
               "operation.not_found",
               fmt::format("there is no operation {}", name),
               "holdfast operations list",
               {}};
}

}  // namespace holdfast::operation
