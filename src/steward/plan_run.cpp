#include "steward/plan_run.h"

#include <fmt/format.h>

#include <iterator>
#include <set>

#include "operation/accept.h"
#include "operation/journal.h"
#include "repair/last_look.h"
#include "repair/step_kinds.h"
#include "steward/execution.h"

namespace holdfast::steward {

namespace {

/// Positions prove which transactions a donor has; whether its rows are the same, only a comparison shows.
void warn_of_donors_not_compared(PlanRun& run) {
  const auto& cluster = run.before.cluster;
  std::set<std::string> donors;
  for (const auto& step : run.plan->steps)
    if (repair::is<repair::kind::MakeSideCopy>(step))
      donors.insert(repair::takes<repair::kind::MakeSideCopy>(step).donor);
  for (const auto& donor : donors)
    if (!cluster.compared || !cluster.compared->covers(donor))
      run.warnings.push_back(
          {"repair.donor_not_compared",
           fmt::format("the contents of {} were never compared with another member's; holdfast compare -c {} "
                       "shows whether they are the same",
                       donor, cluster.full_name())});
}

}  // namespace

Status check_accepted(const operation::Plan& plan, std::vector<std::string>& accepted, Observer& observer,
                      const std::function<Status()>& check) {
  auto checked = check();
  if (checked || checked.error().error_class != ErrorClass::refused || checked.error().id == "operation.plan_changed")
    return checked;
  auto more = observer.ask_acceptance(plan, checked.error());
  if (more.empty()) return checked;
  std::ranges::move(more, std::back_inserter(accepted));
  return check();
}

Status execute_plan(ClusterAccess& cluster, PlanRun& run, PlanChoices choices, const Caller& caller) {
  operation::Plan& plan = *run.plan;
  warn_of_donors_not_compared(run);
  plan.created = operation::utc_now();
  run.hash = operation::plan_hash(plan);
  run.proposed = true;
  caller.observer.plan_proposed(run);
  if (plan.steps.empty() || choices.dry_run) return {};
  TRY_VOID(check_accepted(plan, choices.accepted, caller.observer,
                          [&] { return operation::check_acceptances(plan, choices.accepted); }));
  if (choices.last_check) TRY_VOID(choices.last_check());

  const bool stores = needs_repository(plan);
  CopyKeeper copies(cluster.cluster(), caller.copies, caller.observer);
  if (stores) {
    TRY_VOID(copies.open());
    TRY_VOID(copies.load_index());
  }
  const auto observe = [&] { return cluster.observe({}); };
  auto options = TRY(executor_options(cluster, observe, copies, caller));
  options.world_now = state_of(cluster);
  bool needs_more = false;  // a member that runs was found to
  options.on_event = [&, show = std::move(options.on_event)](const operation::Event& event) {
    show(event);
    needs_more = needs_more || (event.result && !(*event.result)["healthy"].boolean(true));
  };
  const ExecutionScope executing(caller.observer);
  auto executor = caller.operations.executor(std::move(options));
  const auto done = executor.execute(plan, choices.accepted);
  run.operation = executor.operation();
  run.after = done && !needs_more
                  ? repair::look_when_settled(plan, observe, Deadline::in(caller.pace.settle), caller.stop)
                  : observe();
  caller.observer.observed(Observed::after, *run.after);
  if (stores && !run.operation.empty()) {
    if (const auto stored = caller.operations.read(run.operation)) {
      run.kept = kept_copies(*stored, choices.escrow.name());
      caller.observer.copies_kept(run.operation, *run.kept);
    }
  }
  if (!done) return fail(done.error());
  if (run.after->healthy) return {};
  const std::string name = cluster.cluster().full_name();
  return fail(ErrorClass::partial, "repair.partial", fmt::format("did what was planned; {} is not healthy yet", name),
              fmt::format("holdfast triage -c {0}; then the next step: holdfast repair -c {0} --dry-run", name));
}

}  // namespace holdfast::steward
