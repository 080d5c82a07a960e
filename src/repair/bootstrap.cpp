#include "repair/bootstrap.h"

#include <fmt/format.h>

#include "repair/plan.h"

namespace holdfast::repair {

using cluster::AuthorityKind;
using cluster::TriageReport;
using codec::Value;
using operation::Plan;

Result<Plan> plan_bootstrap(const TriageReport& report) {
  const std::string cluster = report.cluster.full_name();
  if (report.cluster.engine != cluster::Engine::galera)
    return fail(ErrorClass::usage, "bootstrap.not_galera",
                fmt::format("{} is no Galera cluster: {} has nothing to bootstrap", cluster,
                            cluster::engine_name(report.cluster.engine)),
                fmt::format("holdfast repair -c {}", cluster));
  for (const auto& m : report.members) {
    if (m.facts.reachable() && m.facts.galera && m.facts.galera->status == "Primary" &&
        m.facts.galera->wsrep_on != false)
      return fail(
          ErrorClass::refused, "bootstrap.has_primary",
          fmt::format("{} is in a primary component: a second one would split the cluster", m.facts.member.str()),
          fmt::format("holdfast repair -c {} brings members back into it", cluster));
    if (m.facts.agent != true || m.facts.server_state.empty())
      return fail(ErrorClass::refused, "bootstrap.agents",
                  fmt::format("the agent of {} does not answer: whether its server takes writes is not known",
                              m.facts.member.str()),
                  fmt::format("holdfast triage -c {}", cluster));
  }
  if (report.authority.kind != AuthorityKind::provable || !report.authority.member) {
    std::string why;
    for (const auto& reason : report.authority.reasons) why += (why.empty() ? "" : "; ") + reason;
    return fail(ErrorClass::refused, "bootstrap.undeterminable", "which member holds everything is not proven: " + why,
                fmt::format("holdfast inspect --fence -c {} recovers the positions of crashed members", cluster));
  }
  const std::string first = report.authority.member->str();
  Plan plan;
  plan.verb = "bootstrap";
  plan.cluster = cluster;
  plan.world = world_of(report);
  // Members that run alone would not let a new component grow around them.
  for (const auto& m : report.members) {
    if (!m.facts.reachable() && m.facts.server_pid <= 0) continue;
    const std::string name = m.facts.member.str();
    plan.steps.push_back({.id = "stop-" + name,
                          .kind = "stop_server",
                          .member = name,
                          .title = fmt::format("Stop the server of {} (it runs outside a primary component)", name),
                          .arguments = Value::object(),
                          .preconditions = {"it takes no writes"},
                          .undo = "start it again if it ran before",
                          .expected_seconds = 20,
                          .proof = "its process is gone",
                          .touches = {"members/" + name, "authority", "leader"}});
  }
  plan.steps.push_back(
      {.id = "bootstrap-" + first,
       .kind = "bootstrap_server",
       .member = first,
       .title = fmt::format("Start {} as the first of a new primary component (it holds everything)", first),
       .arguments = Value::object(),
       .preconditions = {"no other member is in a primary component", "its position is proven and the highest"},
       .undo = "stop it again",
       .point_of_no_return = true,
       .expected_seconds = 60,
       .proof = "it says Primary and Synced",
       .touches = {"members/" + first, "authority", "leader"}});
  for (const auto& m : report.members) {
    const std::string name = m.facts.member.str();
    if (name == first) continue;
    plan.steps.push_back({.id = "start-" + name,
                          .kind = "start_server",
                          .member = name,
                          .title = fmt::format("Start the server of {}, which joins {}", name, first),
                          .arguments = Value::object({{"restart", false}}),
                          .preconditions = {first + " is Synced"},
                          .undo = "stop it again",
                          .expected_seconds = 60,
                          .proof = "it signs us in and says that it serves",
                          .touches = {"members/" + name, "authority", "leader"}});
    plan.steps.push_back({.id = "prove-" + name,
                          .kind = "prove_member",
                          .member = name,
                          .title = fmt::format("Wait until triage finds {} healthy", name),
                          .arguments = Value::object(),
                          .preconditions = {},
                          .undo = "there is nothing to take back",
                          .expected_seconds = 60,
                          .proof = "triage says healthy",
                          .touches = {"members/" + name}});
  }
  return plan;
}

}  // namespace holdfast::repair
