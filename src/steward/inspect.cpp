#include "steward/inspect.h"

#include <fmt/format.h>

#include "steward/recover_positions.h"

namespace holdfast::steward {

using provider::RecoverStep;

namespace {

Result<std::vector<MemberRecovery>> choose(const cluster::TriageReport& report, const std::string& wanted) {
  const auto& cluster = report.cluster;
  std::vector<MemberRecovery> members;
  bool found = wanted.empty();
  for (auto& step : provider::plan_recovery(report)) {
    const auto* described = cluster.find(step.member.str());
    const bool named = wanted == step.member.str() || (described && wanted == std::to_string(described->ordinal));
    found = found || named;
    if (named && step.kind == RecoverStep::Kind::running)
      return fail(
          ErrorClass::refused, "inspect.running",
          fmt::format("{}: {}; it answers for itself, and its files are not touched", step.member.str(), step.why),
          "holdfast triage -c " + cluster.full_name());
    members.push_back({std::move(step), wanted.empty() || named, std::nullopt});
  }
  if (!found)
    return fail(ErrorClass::usage, "inspect.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted),
                "holdfast get status");
  return members;
}

/// The members that must be recovered, as one operation.
Status recover_all(ClusterAccess& cluster, const InspectRequest& request, const cluster::TriageReport& report,
                   std::vector<MemberRecovery>& members, const Caller& caller) {
  std::vector<std::string> names;
  for (const auto& member : members)
    if (member.step.kind == RecoverStep::Kind::recover && member.wanted) names.push_back(member.step.member.str());
  const auto found = TRY(recover_positions(cluster, report, names, request.limit, caller));
  for (auto& member : members) {
    const auto of_member = found.find(member.step.member.str());
    if (of_member == found.end()) continue;
    if (of_member->second)
      member.step.position = *of_member->second;
    else
      member.error = of_member->second.error();
  }
  return {};
}

Status inspect(ClusterAccess& cluster, const InspectRequest& request, const Caller& caller, InspectOutcome& outcome) {
  const auto& described = cluster.cluster();
  if (described.engine != cluster::Engine::galera)
    return fail(ErrorClass::refused, "inspect.engine",
                fmt::format("{} is {}: triage reads all of its members without changing anything",
                            described.full_name(), cluster::engine_name(described.engine)),
                "holdfast triage -c " + described.full_name());
  if (!request.dry_run) TRY_VOID(caller.operations.refuse_if_unfinished(described, "inspect"));
  auto report = cluster.observe(caller.stop);
  outcome.members = TRY(choose(report, request.member));
  if (!request.dry_run) {
    TRY_VOID(recover_all(cluster, request, report, outcome.members, caller));
    report = cluster.observe(caller.stop);
    cluster.look_up_errant(report, caller.stop);
  }
  outcome.report = std::move(report);
  return {};
}

}  // namespace

InspectOutcome inspect_cluster(ClusterAccess& cluster, const InspectRequest& request, const Caller& caller) {
  InspectOutcome outcome;
  outcome.status = inspect(cluster, request, caller, outcome);
  return outcome;
}

}  // namespace holdfast::steward
