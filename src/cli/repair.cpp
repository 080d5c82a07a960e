// holdfast repair and holdfast bootstrap: look, plan, show, and do what is proven to be safe, under a journal.
#include "repair/handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>

#include "backup/diverged.h"
#include "backup/escrow.h"
#include "cli/cluster_options.h"
#include "cli/kept_copies.h"
#include "cli/operation_handlers.h"
#include "cli/recover.h"
#include "cli/repository_session.h"
#include "cli/signals.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "operation/accept.h"
#include "operation/executor.h"
#include "operation/journal.h"
#include "operation/lock.h"
#include "operation/operations.h"
#include "provider/observe.h"
#include "provider/recover.h"
#include "repair/accounts.h"
#include "repair/adopt.h"
#include "repair/bootstrap.h"
#include "repair/last_look.h"
#include "repair/plan.h"
#include "repair/world.h"

namespace holdfast::cli {

using codec::Value;

namespace {

constexpr std::chrono::seconds kMemberPatience{5};

cluster::TriageReport look(const cluster::DatabaseCluster& cluster, std::stop_token stop) {
  return provider::triage_clusters({cluster}, kMemberPatience, std::move(stop))[0];
}

/// By name or by ordinal.
Result<int> ordinal_of(const cluster::DatabaseCluster& cluster, const std::string& wanted) {
  std::string known;
  for (const auto& member : cluster.members) {
    if (member.name.str() == wanted || std::to_string(member.ordinal) == wanted) return member.ordinal;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", member.ordinal, member.name.str());
  }
  return fail(ErrorClass::usage, "repair.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted),
              "one of: " + known);
}

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
  backup::DivergedRequest request{cluster, TRY(password_of(context, cluster)), member, job,
                                  "holdfast " HOLDFAST_VERSION};
  auto kept =
      TRY(backup::dump_diverged(*session.repository, request, [&] { return session.confirm(); }, std::move(stop)));
  if (!kept.undumpable.empty()) {
    context.out.warning("repair.no_dump", fmt::format("no dump of {} is kept: {}", member, kept.undumpable));
    return Value::object({{"unproven", "no dump is kept: " + kept.undumpable}});
  }
  return Value::object(
      {{"snapshot", kept.snapshot}, {"path", kept.path}, {"position", kept.position}, {"bytes", kept.bytes}});
}

/// Shows the plan and, unless --dry-run, carries it out; looks again at the end. `left_alone`: what it does not mend.
/// `last_look` may refuse what was accepted, before anything begins.
Exit carry_out(Context& context, const cluster::DatabaseCluster& cluster, const cluster::TriageReport& before,
               operation::Plan plan, const std::vector<std::string>& left_alone,
               const std::vector<std::string>& remarks = {}, const std::function<Status()>& last_look = {}) {
  const Options& options = context.options;
  for (const auto& name : left_alone) context.out.note("left alone: " + name);
  for (const auto& remark : remarks) context.out.warning("repair.remark", remark);
  plan.created = operation::utc_now();
  auto data = Value::object({{"before", triage_value(before)},
                             {"skipped", Value::list_of(left_alone)},
                             {"plan", operation::plan_value(plan)}});
  context.out.set_data(data);
  if (plan.steps.empty()) {
    context.out.line("nothing to repair");
    return {};
  }
  context.out.line(operation::plan_text(plan, {.details = options.count("verbose") > 0}));
  if (options.flag("dry-run")) {
    context.out.line("nothing was changed (--dry-run)");
    return {};
  }
  TRY_VOID(operation::check_acceptances(plan, options.list("accept")));
  if (last_look) TRY_VOID(last_look());

  operation::ExecutorOptions run;
  run.state_dir = state_dir_of(context);
  std::optional<RepositorySession> session;
  if (needs_repository(plan)) {
    session = TRY(open_repository(context, LockNeed::shared));
    TRY_VOID(session->repository->load_index());
  }
  repair::Doors doors;
  doors.triage = [&] { return look(cluster, {}); };
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
  run.world_now = [&]() -> Result<Value> { return repair::world_of(look(cluster, {})); };
  run.on_event = [&](const operation::Event& event) { tell_event(context.out, event); };
  operation::Executor executor(std::move(run));
  auto done = executor.execute(plan, options.list("accept"));
  if (!executor.operation().empty()) {
    context.out.set_operation(executor.operation());
    data.set("operation", executor.operation());
  }
  const auto look_now = [&] { return look(cluster, {}); };
  const auto after =
      done ? repair::look_when_settled(plan, look_now, Deadline::in(std::chrono::seconds(10)), context.stop)
           : look_now();
  data.set("after", triage_value(after));
  context.out.set_data(data);
  context.out.line();
  print_triage(context.out, after, false);
  if (session && !executor.operation().empty()) {
    if (const auto stored = operation::read_operation(state_dir_of(context), executor.operation())) {
      const auto kept = kept_copies(*stored, options.text("backups-path"));
      print_kept(context.out, stored->id, kept);
      data.set("kept", kept_value(kept));
      context.out.set_data(data);
    }
  }
  if (!done) return fail(std::move(done).error());
  if (after.healthy) return {};
  return fail(
      ErrorClass::partial, "repair.partial",
      fmt::format("did what was planned; {} is not healthy yet", cluster.full_name()),
      fmt::format("holdfast triage -c {0}; then the next step: holdfast repair -c {0} --dry-run", cluster.full_name()));
}

Status refuse_if_interrupted(const Context& context) {
  if (!context.stop.stop_requested()) return {};
  return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted; nothing was changed");
}

}  // namespace

/// For `operations resume` and `operations undo` of a repair.
Result<OperationSupport> repair_support(Context& context, const operation::Plan& plan) {
  const auto clusters = TRY(known_clusters(context));
  for (const auto& cluster : clusters) {
    if (cluster.full_name() != plan.cluster) continue;
    OperationSupport support;
    repair::Doors doors;
    doors.triage = [cluster] { return look(cluster, {}); };
    if (needs_repository(plan)) {
      // Undoing needs no repository, and resuming only when the copy is not taken yet: its want is told there.
      auto opened = open_repository(context, LockNeed::shared);
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
    support.world_now = [cluster]() -> Result<Value> { return repair::world_of(look(cluster, {})); };
    return support;
  }
  return fail(ErrorClass::usage, "cluster.not_found", "the cluster " + plan.cluster + " is not known here",
              "--config names the file with it");
}

Exit run_repair(Context& context) {
  const Options& options = context.options;
  const auto cluster = TRY(selected_cluster(context));
  TRY_VOID(refuse_if_unfinished(context, cluster, "repair"));
  repair::Request request;
  if (const std::string wanted = options.text("instance"); !wanted.empty())
    request.ordinal = TRY(ordinal_of(cluster, wanted));
  request.has_repository = options.given("backups-path");
  request.no_escrow = options.flag("no-escrow");
  for (int looks = 1;; ++looks) {
    const auto before = look(cluster, context.stop);
    TRY_VOID(refuse_if_interrupted(context));
    print_triage(context.out, before, false);
    context.out.line();
    context.out.set_data(Value::object({{"before", triage_value(before)}}));
    if (options.flag("adopt"))
      request.adoption = repair::survey_adoption(before, request.ordinal.value_or(-1), context.stop);
    auto proposal = TRY(repair::plan_repair(before, request));
    request.refused_accounts = repair::refused_accounts(cluster, proposal.plan, context.stop);
    if (!request.refused_accounts.empty()) proposal = TRY(repair::plan_repair(before, request));
    request.refused_accounts.clear();
    const bool asks = !proposal.plan.losses.empty() || !options.list("accept").empty();
    const auto rehearse = [&]() -> Status {
      if (!request.adoption) return {};
      return repair::rehearse_adoption(before, *request.ordinal, *request.adoption, context.stop);
    };
    auto done =
        carry_out(context, cluster, before, std::move(proposal.plan), proposal.skipped, proposal.remarks, rehearse);
    // Nothing was begun. A plan that nobody had to agree to may be made anew.
    if (done || done.error().id != "operation.plan_changed" || asks || looks == 3) return done;
    context.out.note("meanwhile the cluster is no longer as it was seen: looking again");
  }
}

namespace {

/// Crashed members know their position in InnoDB alone; what could not be recovered, and why.
Result<std::map<std::string, std::string>> recover_crashed(Context& context, const cluster::DatabaseCluster& cluster,
                                                           const cluster::TriageReport& report) {
  std::vector<std::string> crashed;
  for (const auto& step : provider::plan_recovery(report))
    if (step.kind == provider::RecoverStep::Kind::recover) crashed.push_back(step.member.str());
  std::map<std::string, std::string> failed;
  for (const auto& [member, position] : TRY(recover_positions(context, cluster, report, crashed, 300))) {
    context.out.note(member + ": " +
                     (position ? *position + " (recovered from InnoDB)" : position.error().to_string()));
    if (!position) failed[member] = position.error().message;
  }
  return failed;
}

/// The first refusal whose loss nobody accepted; its hint is what would accept it.
Status check_refusals(const repair::Bootstrap& bootstrap, const std::vector<std::string>& accepted,
                      const std::string& command) {
  std::set<std::string> given;
  for (const auto& text : accepted) given.insert(TRY(operation::parse_acceptance(text)).name);
  std::string flags;
  std::optional<Error> first;
  for (const auto& loss : bootstrap.plan.losses) {
    if (given.contains(loss.acceptance)) continue;
    flags += fmt::format(" --accept={}@{}", loss.acceptance, operation::short_hash(bootstrap.plan));
    const auto refusal = bootstrap.refusals.find(loss.acceptance);
    if (!first && refusal != bootstrap.refusals.end()) first = refusal->second;
  }
  if (!first) return {};
  first->hint = fmt::format("if the cluster is to go on without it: {}{}", command, flags);
  return fail(std::move(*first));
}

}  // namespace

Exit run_bootstrap(Context& context) {
  const Options& options = context.options;
  const auto cluster = TRY(selected_cluster(context));
  TRY_VOID(refuse_if_unfinished(context, cluster, "bootstrap"));
  repair::BootstrapRequest request;
  request.has_repository = options.given("backups-path");
  request.no_escrow = options.flag("no-escrow");
  auto before = look(cluster, context.stop);
  TRY_VOID(refuse_if_interrupted(context));
  auto first_try = repair::plan_bootstrap(before, request);
  if (!first_try && first_try.error().id == "bootstrap.not_recovered" && !options.flag("dry-run")) {
    request.not_recovered = TRY(recover_crashed(context, cluster, before));
    TRY_VOID(refuse_if_interrupted(context));
    before = look(cluster, context.stop);
  }
  print_triage(context.out, before, false);
  context.out.line();
  auto data = Value::object({{"before", triage_value(before)}});
  context.out.set_data(data);
  auto bootstrap = TRY(repair::plan_bootstrap(before, request));
  if (!options.flag("dry-run")) {
    data.set("plan", operation::plan_value(bootstrap.plan));
    context.out.set_data(data);
    TRY_VOID(check_refusals(
        bootstrap, options.list("accept"),
        "holdfast bootstrap -c " + cluster.full_name() + (request.has_repository ? " -r REPOSITORY" : "")));
  }
  return carry_out(context, cluster, before, std::move(bootstrap.plan), bootstrap.left_alone);
}

}  // namespace holdfast::cli
