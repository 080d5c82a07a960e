// What a power failure takes down between two steps, brought back so that the operation can go on.
#include <algorithm>
#include <vector>

#include "repair/member_step.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

Result<Value> ask(const Members& members, StepScope& scope, const std::string& member, const std::string& op,
                  Value arguments, Deadline deadline) {
  return members.ask(scope, member, op, std::move(arguments), deadline, scope.stop());
}

/// Its agent has never had a server: it was started after the server had gone.
bool is_fresh(const Value& status) {
  const auto& server = status["server"];
  return server["state"].text() == "stopped" && server["lastExit"].text().empty() && server["initialised"].boolean();
}

enum class Component { whole, shaken, apart, none };

/// `shaken`: the members in it still count one that is not there any more, and have not agreed on what to do. `apart`:
/// members run outside of one; those that a network kept apart make it again by themselves.
Component component_of(const cluster::TriageReport& report) {
  int in_it = 0, size = 0, outside = 0;
  for (const auto& m : report.members) {
    if (!m.facts.reachable() || !m.facts.galera) continue;
    if (m.facts.galera->status != "Primary") {
      ++outside;
      continue;
    }
    ++in_it;
    size = std::max(size, m.facts.galera->size.value_or(0));
  }
  if (in_it == 0) return outside > 0 ? Component::apart : Component::none;
  return in_it < size ? Component::shaken : Component::whole;
}

Status start(const Members& members, StepScope& scope, const std::string& member, bool new_cluster) {
  TRY(ask(members, scope, member, "start", Value::object({{"mode", "normal"}, {"newCluster", new_cluster}}),
          Deadline::in(seconds(180))));
  return {};
}

bool bootstraps(const operation::Step& step) {
  return is<kind::BootstrapServer>(step) || is<kind::BootstrapRunning>(step);
}

/// Members that done steps of the plan have started.
std::vector<std::string> started_so_far(StepScope& scope) {
  std::vector<std::string> names;
  for (const auto& step : scope.plan().steps) {
    const bool starts = bootstraps(step) || is<kind::StartServer>(step) || is<kind::JoinComponent>(step);
    if (starts && !scope.result_of(step.id).is_null()) names.push_back(step.member);
  }
  return names;
}

}  // namespace

Status start_after_crash(const Members& members, StepScope& scope, const std::string& member) {
  if (members.cluster.engine == Engine::galera) TRY_VOID(component_after_crash(members, scope));
  const auto status = ask(members, scope, member, "status", Value::object(), soon());
  if (!status || !is_fresh(*status)) return {};  // whoever needs it will say what is wrong with it
  if (members.cluster.engine != Engine::galera && (*status)["role"].text() != "replica") return {};
  TRY_VOID(start(members, scope, member, false));
  if (members.cluster.engine != Engine::mariadb) return {};
  TRY(settle_position(members, scope, *TRY(members.find(member))));
  return {};
}

Status component_after_crash(const Members& members, StepScope& scope) {
  const auto& steps = scope.plan().steps;
  const auto first = std::ranges::find_if(steps, bootstraps);
  // Nothing is known to be gone of a component that this plan has not made yet.
  if (first == steps.end() || scope.result_of(first->id).is_null()) return {};
  auto report = members.triage();
  auto component = component_of(report);
  TRY(sys::wait_until(
      [&] {
        const auto settled = [&] { return component == Component::whole || component == Component::none; };
        if (settled()) return true;
        component = component_of(report = members.triage());
        return settled();
      },
      soon(), scope.stop()));
  std::vector<std::string> stopped;
  if (component == Component::none || component == Component::apart) {
    auto gone = [&](const std::string& why) {
      return fail(ErrorClass::needs_operator, "repair.no_component",
                  fmt::format("the component that {} was the first of is gone: {}", first->member, why),
                  fmt::format("holdfast operations abandon {0} --accept=abandon:{0}, then: holdfast inspect --fence -c "
                              "{1}, and holdfast bootstrap -c {1}",
                              scope.operation(), members.cluster.full_name()));
    };
    for (const auto& m : report.members) {
      const std::string name = m.facts.member.str();
      // One that runs outside of a primary component takes no writes; alone it would not let one grow around it.
      TRY(ask(members, scope, name, "stop", Value::object({{"mode", "fast"}}), Deadline::in(seconds(240))));
      TRY(ask(members, scope, name, "recover_position", Value::object(), Deadline::in(seconds(300))));
      stopped.push_back(name);
    }
    report = members.triage();
    if (report.authority.kind != cluster::AuthorityKind::provable || !report.authority.member)
      return gone("who holds everything is not proven any more");
    if (report.authority.member->str() != first->member)
      return gone(report.authority.member->str() + " holds everything now");
    TRY_VOID(start(members, scope, first->member, true));
  }
  for (const auto& name : started_so_far(scope)) {
    const auto status = TRY(ask(members, scope, name, "status", Value::object(), soon()));
    if (is_fresh(status) || std::ranges::find(stopped, name) != stopped.end())
      TRY_VOID(start(members, scope, name, false));
  }
  return {};
}

}  // namespace holdfast::repair
