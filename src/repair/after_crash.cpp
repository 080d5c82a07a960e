// What a power failure takes down between two steps, brought back so that the operation can go on.
#include <algorithm>

#include "repair/member_step.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

Result<Value> ask(const Members& members, StepScope& scope, const std::string& member, const std::string& op,
                  Value arguments, Deadline deadline) {
  const auto* described = members.cluster.find(member);
  if (!described) return fail(ErrorClass::refused, "repair.no_member", "the cluster has no member " + member);
  arguments.set("epoch", scope.epoch());
  return when_free(deadline, scope.stop(),
                   [&] { return provider::ask_agent(*described, op, arguments, deadline, scope.stop()); });
}

/// Its agent has never had a server: it was started after the server had gone.
bool is_fresh(const Value& status) {
  const auto& server = status["server"];
  return server["state"].text() == "stopped" && server["lastExit"].text().empty() && server["initialised"].boolean();
}

bool is_primary_component(const cluster::MemberReport& member) {
  return member.facts.reachable() && member.facts.galera && member.facts.galera->status == "Primary";
}

}  // namespace

Status start_after_crash(const Members& members, StepScope& scope, const std::string& member) {
  const auto status = ask(members, scope, member, "status", Value::object(), soon());
  if (!status || !is_fresh(*status)) return {};  // whoever needs it will say what is wrong with it
  const bool galera = members.cluster.engine == Engine::galera;
  if (!galera && (*status)["role"].text() != "replica") return {};
  if (galera) TRY_VOID(component_after_crash(members, scope));
  TRY(ask(members, scope, member, "start", Value::object({{"mode", "normal"}}), Deadline::in(seconds(180))));
  return {};
}

Status component_after_crash(const Members& members, StepScope& scope) {
  const auto& steps = scope.plan().steps;
  const auto first = std::ranges::find(steps, "bootstrap_server", &operation::Step::kind);
  if (first == steps.end()) return {};  // this plan made no component
  auto report = members.triage();
  if (std::ranges::any_of(report.members, is_primary_component)) return {};
  auto gone = [&](std::string why) {
    return fail(ErrorClass::needs_operator, "repair.no_component",
                fmt::format("the component that {} was the first of is gone: {}", first->member, why),
                fmt::format("holdfast operations abandon {0} --accept=abandon:{0}, then: holdfast inspect --fence -c "
                            "{1}, and holdfast bootstrap -c {1}",
                            scope.operation(), members.cluster.full_name()));
  };
  for (const auto& m : report.members) {
    const std::string name = m.facts.member.str();
    // One that was told to join and finds nobody takes no writes; alone it would not let a component grow around it.
    TRY(ask(members, scope, name, "stop", Value::object({{"mode", "fast"}}), Deadline::in(seconds(240))));
    TRY(ask(members, scope, name, "recover_position", Value::object(), Deadline::in(seconds(300))));
  }
  report = members.triage();
  if (report.authority.kind != cluster::AuthorityKind::provable || !report.authority.member)
    return gone("who holds everything is not proven any more");
  if (report.authority.member->str() != first->member)
    return gone(report.authority.member->str() + " holds everything now");
  TRY(ask(members, scope, first->member, "start", Value::object({{"mode", "normal"}, {"newCluster", true}}),
          Deadline::in(seconds(180))));
  return {};
}

}  // namespace holdfast::repair
