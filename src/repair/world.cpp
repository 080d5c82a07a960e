#include "repair/world.h"

#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::AuthorityKind;
using cluster::Engine;
using cluster::TriageReport;
using codec::Value;

Value world_of(const TriageReport& report) {
  Value members = Value::object();
  // What a second writer has of its own grows with every commit: no part of a world that must stay as it is.
  const bool several = report.has("several-writers") || report.has("galera-two-components") ||
                       (report.cluster.engine == Engine::postgres && report.leader.empty());
  // Nothing moves in a Galera cluster without a component; and who is ahead there is what a bootstrap rests on.
  const bool still = report.has("galera-no-primary-component");
  for (const auto& m : report.members) {
    const bool grows = several && m.facts.reachable() && m.facts.role != cluster::MemberRole::replica;
    Value member = Value::object(
        {{"role", cluster::member_role_name(m.facts.role)},
         {"action", cluster::action_name(m.action)},
         {"errant", grows ? "" : m.errant.transactions},
         {"lineage", m.facts.lineage.empty() && m.facts.stored ? m.facts.stored->lineage : m.facts.lineage}});
    if (still)
      member.set("position", m.facts.reachable() ? m.facts.executed : m.facts.stored ? m.facts.stored->position : "");
    members.set(m.facts.member.str(), std::move(member));
  }
  // Whether a replica with transactions of its own lacks any of the leader's by now is a matter of the moment.
  const bool beside_leader = !report.leader.empty() && (report.authority.kind == AuthorityKind::leader_not_primary ||
                                                        report.authority.kind == AuthorityKind::diverged);
  return Value::object(
      {{"leader", report.leader},
       {"authority", beside_leader ? "not of the leader alone" : cluster::authority_kind_name(report.authority.kind)},
       {"members", members}});
}

}  // namespace holdfast::repair
