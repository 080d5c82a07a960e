// holdfast inspect --fence: the look that may change files: where crashed Galera members stand, from InnoDB itself.
#include <fmt/format.h>

#include <thread>

#include "cli/cluster_options.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "provider/errant.h"
#include "provider/observe.h"
#include "provider/recover.h"

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

/// The members that must be recovered, at the same time; each has its own time.
void recover_all(Context& context, const cluster::DatabaseCluster& cluster, std::vector<Outcome>& outcomes) {
  const auto limit = std::chrono::seconds(std::max<int64_t>(1, context.options.integer("timeout").value_or(300)));
  std::vector<std::jthread> threads;
  for (auto& outcome : outcomes) {
    if (outcome.step.kind != RecoverStep::Kind::recover || !outcome.wanted) continue;
    threads.emplace_back([&cluster, &outcome, limit, stop = context.stop] {
      auto position = provider::recover_member(cluster, outcome.step.member, Deadline::in(limit), stop);
      if (position)
        outcome.step.position = *position;
      else
        outcome.error = position.error();
    });
  }
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
  const auto limit = std::chrono::seconds(std::max<int64_t>(1, context.options.integer("member-timeout").value_or(5)));
  auto report = provider::triage_clusters({cluster}, limit, context.stop)[0];
  auto outcomes = TRY(choose(context, cluster, report));
  const bool dry_run = context.options.flag("dry-run");
  if (!dry_run) {
    recover_all(context, cluster, outcomes);
    if (context.stop.stop_requested())
      return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted",
                  "what was recovered stays known: look again");
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
