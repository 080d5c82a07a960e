#include "cli/recover_positions.h"

#include "cli/operation_handlers.h"
#include "cli/signals.h"
#include "operation/executor.h"
#include "operation/journal.h"
#include "repair/handlers.h"
#include "repair/inspect.h"

namespace holdfast::cli {

Result<codec::Value> recover_positions(Context& context, const cluster::DatabaseCluster& cluster,
                                       const cluster::TriageReport& report, const std::vector<std::string>& members,
                                       int64_t seconds) {
  if (members.empty()) return codec::Value::object();
  auto plan = repair::plan_inspection(report, members, std::max<int64_t>(1, seconds));
  plan.created = operation::utc_now();
  operation::ExecutorOptions run;
  run.state_dir = state_dir_of(context);
  repair::Doors doors;
  doors.triage = [&] { return report; };
  run.handlers = TRY(repair::repair_handlers(cluster, std::move(doors), context.stop));
  run.stop = context.stop;
  run.on_event = [&](const operation::Event& event) { tell_event(context.out, event); };
  add_epochs(run, cluster);
  const SignalShield shield;
  operation::Executor executor(std::move(run));
  auto done = executor.execute(plan);
  if (!executor.operation().empty()) context.out.set_operation(executor.operation());
  if (!done) return fail(std::move(done).error());
  return done->steps[0].result.value_or(codec::Value());
}

}  // namespace holdfast::cli
