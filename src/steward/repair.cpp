#include "steward/repair.h"

#include <fmt/format.h>

#include "repair/adopt.h"
#include "steward/further_plans.h"
#include "steward/plan_run.h"
#include "steward/repair_plan.h"

namespace holdfast::steward {

namespace {

/// How often a plan that the cluster overtakes is made again.
constexpr int kMostTries = 3;

Result<int> ordinal_of(const cluster::DatabaseCluster& cluster, const std::string& wanted) {
  std::string known;
  for (const auto& member : cluster.members) {
    if (member.name.str() == wanted || std::to_string(member.ordinal) == wanted) return member.ordinal;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", member.ordinal, member.name.str());
  }
  return fail(ErrorClass::usage, "repair.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted),
              "one of: " + known);
}

Status repair(ClusterAccess& cluster, const RepairRequest& request, const Caller& caller, std::vector<PlanRun>& runs) {
  if (!request.dry_run) TRY_VOID(caller.operations.refuse_if_unfinished(cluster.cluster(), "repair"));
  repair::Request wanted;
  if (!request.member.empty()) wanted.ordinal = TRY(ordinal_of(cluster.cluster(), request.member));
  wanted.has_repository = request.escrow.repository.has_value();
  wanted.no_escrow = request.escrow.none;
  wanted.copy_rate = request.copy_rate;
  for (int tries = 1;; ++tries) {
    const auto before = cluster.observe(caller.stop);
    TRY_VOID(refuse_if_interrupted(caller));
    caller.observer.observed(Observed::before, before);
    runs.assign(1, {.before = before});
    if (request.adopt) wanted.adoption = repair::survey_adoption(before, wanted.ordinal.value_or(-1), caller.stop);
    runs[0] = TRY(propose_repair(cluster, wanted, before, caller.stop));
    PlanRun& run = runs[0];
    PlanChoices choices{.dry_run = request.dry_run, .accepted = request.accepted, .escrow = request.escrow};
    if (wanted.adoption)
      choices.last_check = [&] {
        return repair::rehearse_adoption(before, *wanted.ordinal, *wanted.adoption, caller.stop);
      };
    const bool asks = !run.plan->losses.empty() || !request.accepted.empty();
    repair::PlansTried tried;
    tried.add(*run.plan);
    auto ended = execute_plan(cluster, run, std::move(choices), caller);
    // Nothing was started. A plan that needed no acceptance may be made again.
    if (!ended && ended.error().id == "operation.plan_changed" && !asks && tries < kMostTries) {
      caller.observer.note("the cluster changed after this plan was made: making another one");
      continue;
    }
    if (wanted.adoption) return ended;
    return execute_further_plans(cluster, request, wanted, runs, std::move(tried), std::move(ended), caller);
  }
}

}  // namespace

Outcome repair_cluster(ClusterAccess& cluster, const RepairRequest& request, const Caller& caller) {
  Outcome outcome;
  outcome.status = repair(cluster, request, caller, outcome.runs);
  return outcome;
}

}  // namespace holdfast::steward
