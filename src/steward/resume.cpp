#include "steward/resume.h"

#include <fmt/format.h>

#include "steward/execution.h"

namespace holdfast::steward {

namespace {

Result<FoundOperation> found(const OperationRequest& request, const Caller& caller, OperationOutcome& outcome) {
  outcome.before = TRY(find_operation(caller.operations, request.operation));
  caller.observer.operation_known(outcome.before->id);
  const auto& summary = outcome.before->summary;
  if (summary.open()) return *outcome.before;
  return fail(ErrorClass::refused, "operation.over", fmt::format("operation {} is over: {}", summary.id, summary.state),
              "holdfast operations show " + outcome.before->id);
}

/// Whether the one name that has a meaning here was accepted; any other is an error.
Result<bool> accepts(const OperationRequest& request, const std::string& name) {
  for (const auto& other : request.accepted) {
    if (other != name)
      return fail(ErrorClass::usage, "operation.acceptance_not_needed",
                  fmt::format("--accept={} is not needed here", other),
                  fmt::format("only --accept={} has a meaning here", name));
  }
  return !request.accepted.empty();
}

/// An executor for an operation that was found, and what it works with.
struct Prepared {
  std::shared_ptr<ClusterAccess> cluster;
  std::unique_ptr<CopyKeeper> copies;
  operation::Executor executor;
};

Result<Prepared> prepare(const FoundOperation& it, const FindCluster& find_cluster, const Caller& caller) {
  if (!it.stored.plan || !it.stored.damage.empty())
    return Prepared{{}, {}, caller.operations.executor({.stop = caller.stop})};  // it will refuse
  const operation::Plan& plan = *it.stored.plan;
  if (plan.verb != "repair" && plan.verb != "bootstrap" && plan.verb != "inspect")
    return fail(ErrorClass::refused, "operation.no_handler",
                fmt::format("this program does not know how to carry out a {}", plan.verb),
                "use the version of holdfast that started the operation");
  auto cluster = TRY(find_cluster(plan));
  if (const auto key = key_of(cluster->cluster()); !operation::same_cluster(key, plan.key()))
    return fail(ErrorClass::refused, "operation.other_cluster",
                fmt::format("operation {} belongs to the {} with the uid {}; the one found here has the uid {}", it.id,
                            plan.cluster, plan.cluster_uid, key.uid),
                "--config names the file with the cluster that it belongs to");
  auto copies = std::make_unique<CopyKeeper>(cluster->cluster(), caller.copies, caller.observer);
  // Undoing needs no repository, and resuming only when the copy is not stored yet: then its want is the step's error.
  if (needs_repository(plan)) (void)copies->open();
  auto options =
      TRY(executor_options(*cluster, [access = cluster.get()] { return access->observe({}); }, *copies, caller));
  options.world_now = state_of(*cluster);
  return Prepared{std::move(cluster), std::move(copies), caller.operations.executor(std::move(options))};
}

Status ended(const OperationRequest& request, const Caller& caller, Result<operation::Report> report,
             OperationOutcome& outcome) {
  const std::string& id = outcome.before->id;
  if (auto stored = caller.operations.read(id)) {
    outcome.kept = kept_copies(*stored, request.repository.value_or(""));
    const auto summary = caller.operations.summarise(*stored);
    outcome.after = FoundOperation{id, std::move(*stored), summary};
  }
  if (!report) return fail(std::move(report).error());
  outcome.report = std::move(*report);
  return {};
}

Status resume(const OperationRequest& request, const FindCluster& find_cluster, const Caller& caller,
              OperationOutcome& outcome) {
  const auto it = TRY(found(request, caller, outcome));
  const bool changed = TRY(accepts(request, "changed-world:" + it.id));
  auto prepared = TRY(prepare(it, find_cluster, caller));
  if (request.dry_run) return {};
  const ExecutionScope executing(caller.observer);
  return ended(request, caller, prepared.executor.resume(it.id, changed), outcome);
}

Status undo(const OperationRequest& request, const FindCluster& find_cluster, const Caller& caller,
            OperationOutcome& outcome) {
  const auto it = TRY(found(request, caller, outcome));
  auto prepared = TRY(prepare(it, find_cluster, caller));
  if (request.dry_run) return {};
  const ExecutionScope executing(caller.observer);
  return ended(request, caller, prepared.executor.undo(it.id), outcome);
}

Status abandon(const OperationRequest& request, const Caller& caller, OperationOutcome& outcome) {
  const auto it = TRY(found(request, caller, outcome));
  const std::string name = "abandon:" + it.id;
  if (!TRY(accepts(request, name))) {
    return fail(ErrorClass::refused, "operation.not_accepted",
                fmt::format("operation {} would be closed as it is, {}", it.id, state_text(it.summary)),
                fmt::format("once its cluster is right: holdfast operations abandon {} --accept={}", it.id, name));
  }
  if (request.dry_run) return {};
  return caller.operations.executor({}).abandon(it.id);
}

}  // namespace

Result<FoundOperation> find_operation(const Operations& operations, const std::string& name) {
  FoundOperation found;
  found.id = TRY(operations.find(name));
  found.stored = TRY(operations.read(found.id));
  found.summary = operations.summarise(found.stored);
  return found;
}

OperationOutcome resume_operation(const OperationRequest& request, const FindCluster& find_cluster,
                                  const Caller& caller) {
  OperationOutcome outcome;
  outcome.status = resume(request, find_cluster, caller, outcome);
  return outcome;
}

OperationOutcome undo_operation(const OperationRequest& request, const FindCluster& find_cluster,
                                const Caller& caller) {
  OperationOutcome outcome;
  outcome.status = undo(request, find_cluster, caller, outcome);
  return outcome;
}

OperationOutcome abandon_operation(const OperationRequest& request, const Caller& caller) {
  OperationOutcome outcome;
  outcome.status = abandon(request, caller, outcome);
  return outcome;
}

std::string state_text(const operation::Summary& summary) {
  if (!summary.damage.empty()) return "damaged: " + summary.damage;
  if (summary.state != "running" && summary.state != "unfinished") return summary.error;
  std::string text =
      fmt::format("{}{}", summary.undoing ? "undoing " : "at ", summary.step.empty() ? "-" : summary.step);
  if (summary.past_no_return) text += ", past the point of no return";
  if (!summary.error.empty()) text += ": " + summary.error;
  return text;
}

}  // namespace holdfast::steward
