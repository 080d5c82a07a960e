#include "cli/operation_handlers.h"

#include <fmt/format.h>

#include "lab/lab.h"
#include "operation/lock.h"
#include "operation/operations.h"

namespace holdfast::cli {

const std::map<std::string_view, OperationFactory>& operation_factories() {
  static const std::map<std::string_view, OperationFactory> factories = {
      {"repair", repair_support}, {"bootstrap", repair_support}, {"inspect", repair_support}};
  return factories;
}

Result<OperationSupport> operation_handlers(Context& context, const operation::Plan& plan) {
  const auto found = operation_factories().find(plan.verb);
  if (found != operation_factories().end()) return found->second(context, plan);
  return fail(ErrorClass::refused, "operation.no_handler",
              fmt::format("this program does not know how to carry out a {}", plan.verb),
              "use the version of holdfast that began the operation");
}

std::string state_dir_of(const Context& context) {
  const std::string named = context.options.text("state-dir");
  return named.empty() ? lab::default_state_dir() : named;
}

void add_epochs(operation::ExecutorOptions& options, const cluster::DatabaseCluster& cluster,
                const provider::CurrentEpoch& current) {
  static constexpr std::chrono::seconds kPatience{5};
  options.min_epoch = provider::highest_epoch(cluster, kPatience);
  options.fence = [cluster, current](uint64_t epoch) {
    *current = epoch;
    return provider::fence_members(cluster, epoch, kPatience);
  };
}

Status refuse_if_unfinished(const Context& context, const cluster::DatabaseCluster& cluster, const std::string& verb) {
  if (context.options.flag("dry-run")) return {};
  const std::string state = state_dir_of(context);
  const bool held = operation::lock_holder(state, cluster.full_name()).has_value();
  if (!held && TRY(operation::unfinished_operations(state, cluster.full_name())).empty()) return {};
  TRY(operation::ClusterLock::acquire(state, {.cluster = cluster.full_name(), .operation = "", .verb = verb}));
  return {};
}

cluster::Surroundings surroundings(const Context& context, const cluster::DatabaseCluster& cluster) {
  cluster::Surroundings around;
  const auto all = operation::list_operations(state_dir_of(context));
  if (!all) return around;
  for (const auto& one : *all)
    if (one.cluster == cluster.full_name() &&
        (one.state == "running" || one.state == "unfinished" || one.state == "damaged"))
      around.operations.push_back({one.id, one.verb, one.state, one.started});
  return around;
}

void tell_event(Output& out, const operation::Event& event) {
  out.event(operation::record_type_name(event.type),
            codec::Value::object({{"operation", event.operation},
                                  {"step", event.step ? codec::Value(event.step->id) : codec::Value()},
                                  {"error", event.error ? error_value(*event.error) : codec::Value()}}));
  if (event.type == operation::RecordType::begun) out.note("operation " + event.operation);
  if (!event.step) return;
  if (event.type == operation::RecordType::step_started) out.note("  " + event.step->title);
  if (event.type == operation::RecordType::step_done) {
    const auto told = [&](const char* key) { return event.result ? (*event.result)[key].text() : std::string(); };
    const std::string unproven = told("unproven"), remark = told("remark");
    out.note(unproven.empty() ? "    proved: " + event.step->proof : "    not proved, and told instead: " + unproven);
    if (!remark.empty()) out.note("    but: " + remark);
  }
  if (event.type == operation::RecordType::step_undo_started) out.note("  undo: " + event.step->undo);
}

}  // namespace holdfast::cli
