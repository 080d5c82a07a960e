// holdfast inspect --fence: the look that may change files: where crashed Galera members stand, from InnoDB itself.
#include "repair/inspect.h"

#include <fmt/format.h>

#include "cli/cluster_options.h"
#include "cli/operation_handlers.h"
#include "cli/recover.h"
#include "cli/signals.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "operation/executor.h"
#include "operation/journal.h"
#include "provider/errant.h"
#include "provider/observe.h"
#include "provider/recover.h"
#include "repair/handlers.h"

namespace holdfast::cli {

namespace {

using provider::RecoverStep;

struct Outcome {
  RecoverStep step;
  bool wanted = true;  ///< not another one than -i names
  std::optional<Error> error;
};

std::string_view word(RecoverStep::Kind kind) {
  switch (kind) {
    case RecoverStep::Kind::recover:
      return "recovered";
    case RecoverStep::Kind::known:
      return "known";
    case RecoverStep::Kind::running:
      return "running";
    case RecoverStep::Kind::withheld:
      return "withheld";
  }
  return "?";
}

Error error_from(const codec::Value& told) {
  Error error{ErrorClass::failed, told["id"].text(), told["message"].text(), told["hint"].text(), {}};
  for (int i = 0; i <= static_cast<int>(ErrorClass::interrupted); ++i)
    if (error_class_name(static_cast<ErrorClass>(i)) == told["class"].text())
      error.error_class = static_cast<ErrorClass>(i);
  return error;
}

/// The members that must be recovered, as one operation.
Status recover_all(Context& context, const cluster::DatabaseCluster& cluster, const cluster::TriageReport& report,
                   std::vector<Outcome>& outcomes) {
  std::vector<std::string> names;
  for (const auto& outcome : outcomes)
    if (outcome.step.kind == RecoverStep::Kind::recover && outcome.wanted) names.push_back(outcome.step.member.str());
  const auto told = TRY(recover_positions(context, cluster, report, names,
                                          std::max<int64_t>(1, context.options.integer("timeout").value_or(300))));
  for (auto& outcome : outcomes) {
    const auto of_member = told.find(outcome.step.member.str());
    if (of_member == told.end()) continue;
    if (of_member->second)
      outcome.step.position = *of_member->second;
    else
      outcome.error = of_member->second.error();
  }
  return {};
}

Result<std::vector<Outcome>> choose(Context& context, const cluster::DatabaseCluster& cluster,
                                    const cluster::TriageReport& report) {
  const std::string instance = context.options.text("instance");
  std::vector<Outcome> outcomes;
  bool found = instance.empty();
  for (auto& step : provider::plan_recovery(report)) {
    const auto* described = cluster.find(step.member.str());
    const bool named = instance == step.member.str() || (described && instance == std::to_string(described->ordinal));
    found = found || named;
    if (named && step.kind == RecoverStep::Kind::running)
      return fail(
          ErrorClass::refused, "inspect.running",
          fmt::format("{}: {}; it answers for itself, and its files are not touched", step.member.str(), step.why),
          "holdfast triage -c " + cluster.full_name());
    outcomes.push_back({std::move(step), instance.empty() || named, std::nullopt});
  }
  if (!found)
    return fail(ErrorClass::usage, "inspect.no_member",
                fmt::format("{} has no member {}", cluster.full_name(), instance), "holdfast get status");
  return outcomes;
}

void print_outcomes(Output& out, const std::vector<Outcome>& outcomes, bool dry_run) {
  size_t width = 0;
  for (const auto& o : outcomes) width = std::max(width, o.step.member.str().size());
  for (const auto& o : outcomes) {
    const auto& s = o.step;
    std::string text;
    if (o.error)
      text = "not recovered: " + o.error->to_string();
    else if (s.kind == RecoverStep::Kind::recover && (dry_run || !o.wanted))
      text = o.wanted ? "would be recovered: mariadbd --wsrep-recover" : "not recovered: not named by -i";
    else if (s.kind == RecoverStep::Kind::recover)
      text = fmt::format("{} (recovered by mariadbd --wsrep-recover)", s.position);
    else
      text = s.position.empty() ? "left alone: " + s.why : fmt::format("{} ({})", s.position, s.why);
    out.line(fmt::format("  {:{}}  {}", s.member.str(), width, text));
  }
  out.line();
}

codec::Value outcomes_value(const std::vector<Outcome>& outcomes) {
  codec::Value list{codec::Value::List()};
  for (const auto& o : outcomes)
    list.push(
        codec::Value::object({{"name", o.step.member.str()},
                              {"result", o.error     ? "failed"
                                         : !o.wanted ? "not_named"
                                                     : word(o.step.kind)},
                              {"position", o.step.position.empty() ? codec::Value() : codec::Value(o.step.position)},
                              {"why", o.error ? codec::Value(o.error->to_string()) : codec::Value(o.step.why)}}));
  return list;
}

}  // namespace

Result<std::map<std::string, Result<std::string>>> recover_positions(Context& context,
                                                                     const cluster::DatabaseCluster& cluster,
                                                                     const cluster::TriageReport& report,
                                                                     const std::vector<std::string>& members,
                                                                     int64_t seconds) {
  std::map<std::string, Result<std::string>> found;
  if (members.empty()) return found;
  auto plan = repair::plan_inspection(report, members, seconds);
  plan.created = operation::utc_now();
  operation::ExecutorOptions run;
  run.state_dir = state_dir_of(context);
  repair::HandlerServices services;
  services.triage = [&] { return report; };
  add_epochs(run, cluster, services.epoch);
  run.handlers = TRY(repair::repair_handlers(cluster, std::move(services), context.stop));
  run.stop = context.stop;
  run.on_event = [&](const operation::Event& event) { tell_event(context.out, event); };
  const SignalShield shield;
  operation::Executor executor(std::move(run));
  auto done = executor.execute(plan);
  if (!executor.operation().empty()) context.out.set_operation(executor.operation());
  if (!done) return fail(std::move(done).error());
  const codec::Value told = done->steps[0].result.value_or(codec::Value());
  for (const auto& [name, of_member] : told.members()) {
    if (const auto* error = of_member.find("error"))
      found.emplace(name, fail(error_from(*error)));
    else
      found.emplace(name, of_member["position"].text());
  }
  return found;
}

Exit run_inspect(Context& context) {
  if (!context.options.flag("fence"))
    return fail(ErrorClass::usage, "inspect.fence",
                "inspect runs crash recovery on stopped members, so it must be asked for with --fence",
                "holdfast triage looks without changing anything");
  const auto cluster = TRY(selected_cluster(context));
  if (cluster.engine != cluster::Engine::galera)
    return fail(ErrorClass::refused, "inspect.engine",
                fmt::format("{} is {}: triage reads all of its members without changing anything", cluster.full_name(),
                            cluster::engine_name(cluster.engine)),
                "holdfast triage -c " + cluster.full_name());
  TRY_VOID(refuse_if_unfinished(context, cluster, "inspect"));
  const auto limit = std::chrono::seconds(std::max<int64_t>(1, context.options.integer("member-timeout").value_or(5)));
  auto report = provider::triage_clusters({cluster}, limit, context.stop)[0];
  auto outcomes = TRY(choose(context, cluster, report));
  const bool dry_run = context.options.flag("dry-run");
  if (!dry_run) {
    TRY_VOID(recover_all(context, cluster, report, outcomes));
    report = provider::triage_clusters({cluster}, limit, context.stop)[0];
    provider::look_up_errant(report, limit, context.stop);
  }
  auto data = triage_value(report);
  data.set("recovery", outcomes_value(outcomes));
  context.out.set_data(std::move(data));
  print_outcomes(context.out, outcomes, dry_run);
  print_triage(context.out, report, context.options.count("verbose") > 0);
  for (const auto& o : outcomes)
    if (o.error) return fail(Error(*o.error).with_context("recovering " + o.step.member.str()));
  return triage_verdict(report);
}

}  // namespace holdfast::cli
