// holdfast bootstrap: which Galera node begins the cluster anew, proven, and the others behind it.
#include "repair/bootstrap.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "cli/carry_out.h"
#include "cli/cluster_options.h"
#include "cli/operation_handlers.h"
#include "cli/recover.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "operation/accept.h"
#include "provider/recover.h"

namespace holdfast::cli {

using codec::Value;

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
  auto before = look_at(cluster, context.stop);
  TRY_VOID(refuse_if_interrupted(context));
  auto first_try = repair::plan_bootstrap(before, request);
  if (!first_try && first_try.error().id == "bootstrap.not_recovered" && !options.flag("dry-run")) {
    request.not_recovered = TRY(recover_crashed(context, cluster, before));
    TRY_VOID(refuse_if_interrupted(context));
    before = look_at(cluster, context.stop);
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
  return carry_out(context, cluster,
                   {.before = before,
                    .plan = std::move(bootstrap.plan),
                    .left_alone = bootstrap.left_alone,
                    .accepted = options.list("accept")},
                   [&](const Value& told) { context.out.set_data(told); });
}

}  // namespace holdfast::cli
