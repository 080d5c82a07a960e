#include "steward/bootstrap.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <set>

#include "operation/accept.h"
#include "provider/recover.h"
#include "repair/bootstrap.h"
#include "steward/plan_run.h"
#include "steward/recover_positions.h"

namespace holdfast::steward {

namespace {

/// For each crashed node.
constexpr std::chrono::seconds kRecoveryLimit{300};

/// Crashed nodes have their position in InnoDB alone; what could not be recovered, and why.
Result<std::map<std::string, std::string>> recover_crashed(ClusterAccess& cluster, const cluster::TriageReport& report,
                                                           const Caller& caller) {
  std::vector<std::string> crashed;
  for (const auto& step : provider::plan_recovery(report))
    if (step.kind == provider::RecoverStep::Kind::recover) crashed.push_back(step.member.str());
  std::map<std::string, std::string> failed;
  for (const auto& [member, position] : TRY(recover_positions(cluster, report, crashed, kRecoveryLimit, caller))) {
    caller.observer.note(member + ": " +
                         (position ? *position + " (recovered from InnoDB)" : position.error().to_string()));
    if (!position) failed[member] = position.error().message;
  }
  return failed;
}

/// The first refusal whose loss is not accepted; its hint is what would accept it.
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
  first->hint = fmt::format("to continue without it: {}{}", command, flags);
  return fail(std::move(*first));
}

Status bootstrap(ClusterAccess& cluster, const BootstrapRequest& request, const Caller& caller,
                 std::vector<PlanRun>& runs) {
  if (!request.dry_run) TRY_VOID(caller.operations.refuse_if_unfinished(cluster.cluster(), "bootstrap"));
  repair::BootstrapRequest wanted;
  wanted.has_repository = request.escrow.repository.has_value();
  wanted.no_escrow = request.escrow.none;
  auto before = cluster.observe(caller.stop);
  TRY_VOID(refuse_if_interrupted(caller));
  const auto first_try = repair::plan_bootstrap(before, wanted);
  if (!first_try && first_try.error().id == "bootstrap.not_recovered" && !request.dry_run) {
    wanted.not_recovered = TRY(recover_crashed(cluster, before, caller));
    TRY_VOID(refuse_if_interrupted(caller));
    before = cluster.observe(caller.stop);
  }
  caller.observer.observed(Observed::before, before);
  runs.push_back({.before = before});
  PlanRun& run = runs[0];
  auto planned = TRY(repair::plan_bootstrap(before, wanted));
  run.plan = planned.plan;
  run.left_alone = planned.left_alone;
  PlanChoices choices{.dry_run = request.dry_run, .accepted = request.accepted, .escrow = request.escrow};
  if (!request.dry_run) {
    const std::string command =
        "holdfast bootstrap -c " + cluster.cluster().full_name() + (request.escrow.repository ? " -r REPOSITORY" : "");
    TRY_VOID(check_accepted(planned.plan, choices.accepted, caller.observer,
                            [&] { return check_refusals(planned, choices.accepted, command); }));
  }
  return execute_plan(cluster, run, std::move(choices), caller);
}

}  // namespace

Outcome bootstrap_cluster(ClusterAccess& cluster, const BootstrapRequest& request, const Caller& caller) {
  Outcome outcome;
  outcome.status = bootstrap(cluster, request, caller, outcome.runs);
  return outcome;
}

}  // namespace holdfast::steward
