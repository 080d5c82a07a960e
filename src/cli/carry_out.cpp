#include "cli/carry_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <set>

#include "backup/diverged.h"
#include "backup/escrow.h"
#include "cli/cluster_options.h"
#include "cli/kept_copies.h"
#include "cli/operation_handlers.h"
#include "cli/repository_session.h"
#include "cli/signals.h"
#include "cli/triage_view.h"
#include "operation/accept.h"
#include "operation/executor.h"
#include "operation/journal.h"
#include "operation/operations.h"
#include "provider/observe.h"
#include "repair/handlers.h"
#include "repair/last_look.h"
#include "repair/world.h"

namespace holdfast::cli {

using codec::Value;

namespace {

constexpr std::chrono::seconds kMemberPatience{5};

bool needs_repository(const operation::Plan& plan) {
  return std::ranges::any_of(
      plan.steps, [](const operation::Step& step) { return step.kind == "take_escrow" || step.kind == "dump_member"; });
}

Result<Value> keep_copy(RepositorySession& session, const cluster::DatabaseCluster& cluster, const std::string& member,
                        const std::string& folder, const std::string& job, std::stop_token stop) {
  backup::EscrowRequest request{cluster, member, folder, job, "holdfast " HOLDFAST_VERSION};
  repo::TreeBackupProgress progress;
  auto kept = TRY(
      backup::take_escrow(*session.repository, request, progress, [&] { return session.confirm(); }, std::move(stop)));
  return Value::object({{"snapshot", kept.snapshot}, {"files", kept.files}, {"bytes", kept.bytes}});
}

Result<Value> keep_dump(Context& context, RepositorySession& session, const cluster::DatabaseCluster& cluster,
                        const std::string& member, const std::string& job, std::stop_token stop) {
  backup::DivergedRequest request{cluster, TRY(login_of(context, cluster)), member, job, "holdfast " HOLDFAST_VERSION};
  auto kept =
      TRY(backup::dump_diverged(*session.repository, request, [&] { return session.confirm(); }, std::move(stop)));
  if (!kept.undumpable.empty()) {
    context.out.warning("repair.no_dump", fmt::format("no dump of {} is kept: {}", member, kept.undumpable));
    return Value::object({{"unproven", "no dump is kept: " + kept.undumpable}});
  }
  return Value::object(
      {{"snapshot", kept.snapshot}, {"path", kept.path}, {"position", kept.position}, {"bytes", kept.bytes}});
}

/// Positions prove which transactions a donor has; whether its rows are the same, only a comparison shows.
std::vector<std::string> donors_not_compared(const Work& work) {
  const auto& cluster = work.before.cluster;
  std::set<std::string> donors;
  for (const auto& step : work.plan.steps)
    if (step.kind == "make_side_copy") donors.insert(step.arguments["donor"].text());
  std::vector<std::string> remarks;
  for (const auto& donor : donors)
    if (!cluster.compared || !cluster.compared->covers(donor))
      remarks.push_back(
          fmt::format("the contents of {} were never compared with another member's; holdfast compare -c {} "
                      "shows whether they are the same",
                      donor, cluster.full_name()));
  return remarks;
}

}  // namespace

cluster::TriageReport look_at(const cluster::DatabaseCluster& cluster, std::stop_token stop) {
  return provider::triage_clusters({cluster}, kMemberPatience, std::move(stop))[0];
}

Status refuse_if_interrupted(const Context& context) {
  if (!context.stop.stop_requested()) return {};
  return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted; nothing was changed");
}

Exit carry_out(Context& context, const cluster::DatabaseCluster& cluster, Work work,
               const std::function<void(const Value&)>& tell) {
  const Options& options = context.options;
  operation::Plan& plan = work.plan;
  for (const auto& name : work.left_alone) context.out.note("left alone: " + name);
  for (const auto& remark : work.remarks) context.out.warning("repair.remark", remark);
  for (const auto& remark : donors_not_compared(work)) context.out.warning("repair.donor_not_compared", remark);
  plan.created = operation::utc_now();
  auto data = Value::object({{"before", triage_value(work.before)},
                             {"skipped", Value::list_of(work.left_alone)},
                             {"plan", operation::plan_value(plan)}});
  tell(data);
  if (plan.steps.empty()) {
    context.out.line("nothing to repair");
    return {};
  }
  context.out.line(operation::plan_text(plan, {.details = options.count("verbose") > 0}));
  if (options.flag("dry-run")) {
    context.out.line("nothing was changed (--dry-run)");
    return {};
  }
  TRY_VOID(operation::check_acceptances(plan, work.accepted));
  if (work.last_look) TRY_VOID(work.last_look());

  operation::ExecutorOptions run;
  run.state_dir = state_dir_of(context);
  std::optional<RepositorySession> session;
  if (needs_repository(plan)) {
    session = TRY(open_repository(context, LockNeed::publish));
    TRY_VOID(session->repository->load_index());
  }
  repair::Doors doors;
  doors.triage = [&] { return look_at(cluster); };
  doors.escrow = [&](const std::string& member, const std::string& folder, const std::string& job,
                     std::stop_token stop) {
    return keep_copy(*session, cluster, member, folder, job, std::move(stop));
  };
  doors.dump = [&](const std::string& member, const std::string& job, std::stop_token stop) {
    return keep_dump(context, *session, cluster, member, job, std::move(stop));
  };
  add_epochs(run, cluster, doors.epoch);
  run.handlers = TRY(repair::repair_handlers(cluster, std::move(doors), context.stop));
  const SignalShield shield;
  run.stop = context.stop;
  run.world_now = [&]() -> Result<Value> { return repair::world_of(look_at(cluster)); };
  bool needs_more = false;  // a member that runs was found to
  run.on_event = [&](const operation::Event& event) {
    tell_event(context.out, event);
    needs_more = needs_more || (event.result && !(*event.result)["healthy"].boolean(true));
  };
  operation::Executor executor(std::move(run));
  auto done = executor.execute(plan, work.accepted);
  if (!executor.operation().empty()) {
    context.out.set_operation(executor.operation());
    data.set("operation", executor.operation());
  }
  const auto look_now = [&] { return look_at(cluster); };
  const auto after = done && !needs_more ? repair::look_when_settled(
                                               plan, look_now, Deadline::in(std::chrono::seconds(10)), context.stop)
                                         : look_now();
  data.set("after", triage_value(after));
  tell(data);
  context.out.line();
  print_triage(context.out, after, false);
  if (session && !executor.operation().empty()) {
    if (const auto stored = operation::read_operation(state_dir_of(context), executor.operation())) {
      const auto kept = kept_copies(*stored, options.text("backups-path"));
      print_kept(context.out, stored->id, kept);
      data.set("kept", kept_value(kept));
      tell(data);
    }
  }
  if (!done) return fail(std::move(done).error());
  if (after.healthy) return {};
  return fail(
      ErrorClass::partial, "repair.partial",
      fmt::format("did what was planned; {} is not healthy yet", cluster.full_name()),
      fmt::format("holdfast triage -c {0}; then the next step: holdfast repair -c {0} --dry-run", cluster.full_name()));
}

/// For `operations resume` and `operations undo` of a repair.
Result<OperationSupport> repair_support(Context& context, const operation::Plan& plan) {
  const auto clusters = TRY(known_clusters(context));
  for (const auto& cluster : clusters) {
    if (cluster.full_name() != plan.cluster) continue;
    OperationSupport support;
    repair::Doors doors;
    doors.triage = [cluster] { return look_at(cluster); };
    if (needs_repository(plan)) {
      // Undoing needs no repository, and resuming only when the copy is not taken yet: its want is told there.
      auto opened = open_repository(context, LockNeed::publish);
      std::shared_ptr<RepositorySession> session;
      if (opened) session = std::make_shared<RepositorySession>(std::move(*opened));
      const Error why = opened ? Error{} : opened.error();
      doors.escrow = [session, why, cluster](const std::string& member, const std::string& folder,
                                             const std::string& job, std::stop_token stop) -> Result<Value> {
        if (!session) return fail(why);
        TRY_VOID(session->repository->load_index());
        return keep_copy(*session, cluster, member, folder, job, std::move(stop));
      };
      doors.dump = [session, why, cluster, &context](const std::string& member, const std::string& job,
                                                     std::stop_token stop) -> Result<Value> {
        if (!session) return fail(why);
        TRY_VOID(session->repository->load_index());
        return keep_dump(context, *session, cluster, member, job, std::move(stop));
      };
    }
    operation::ExecutorOptions epochs;
    add_epochs(epochs, cluster, doors.epoch);
    support.handlers = TRY(repair::repair_handlers(cluster, std::move(doors), context.stop));
    support.min_epoch = epochs.min_epoch;
    support.fence = std::move(epochs.fence);
    support.world_now = [cluster]() -> Result<Value> { return repair::world_of(look_at(cluster)); };
    return support;
  }
  return fail(ErrorClass::usage, "cluster.not_found", "the cluster " + plan.cluster + " is not known here",
              "--config names the file with it");
}

}  // namespace holdfast::cli
