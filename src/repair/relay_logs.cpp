#include "repair/relay_logs.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/gtid_set.h"
#include "repair/report_view.h"
#include "repair/sources.h"
#include "repair/step_kinds.h"

namespace holdfast::repair {

using position::GtidSet;

bool can_fetch_logs_anew(const cluster::TriageReport& report, const cluster::MemberReport& member,
                         const std::string& source) {
  const auto* leader = report.find(source);
  const auto* stream = member.facts.upstream();
  if (report.cluster.engine != cluster::Engine::mysql || !leader || leader == &member || !stream) return false;
  if (stream->uses_gtid != true || configured_source(report, member) != leader) return false;
  const auto has = GtidSet::parse(leader->facts.executed), purged = GtidSet::parse(leader->facts.purged);
  const auto applied = GtidSet::parse(member.facts.executed), received = GtidSet::parse(member.facts.received);
  if (!has || !purged || !applied || !received) return false;
  // Looked at a moment apart: what it has of the leader's newest transactions proves nothing against it. The step looks
  // again before it throws anything away.
  return applied->contains(*purged) && member.errant.transactions.empty();
}

operation::Step fetching_step(const std::string& member, const std::string& leader) {
  return step_of(
      kind::FetchLogsAnew{leader},
      {.id = "fetch-" + member,
       .member = member,
       .title = fmt::format("Let {} throw away its relay logs and fetch them again from {}", member, leader),
       .preconditions = {fmt::format("{} has all that {} has received, and logs of all that it has not applied", leader,
                                     member),
                         "no event is skipped"},
       .undo = "stop again what was stopped before; what was thrown away is with " + leader,
       .expected_seconds = 10,
       .proof = "it receives and applies"});
}

bool has_not_applied(const cluster::TriageReport& report, const cluster::MemberReport& member) {
  if (!member.facts.stored || member.facts.stored->received.empty()) return false;
  const auto applied = position::GtidState::parse(member.facts.stored->position);
  const auto past = histories_of(report);
  const auto* own = find_history(past, name(member));
  const auto* all = own ? std::get_if<position::GtidState>(&own->position) : nullptr;
  return applied && all && !applied->contains(*all);
}

bool is_with_a_started_one(const cluster::TriageReport& report, const cluster::MemberReport& member,
                           const operation::Plan& plan) {
  const auto past = histories_of(report);
  const auto* own = find_history(past, name(member));
  const auto* all = own ? std::get_if<position::GtidState>(&own->position) : nullptr;
  return all && std::ranges::any_of(report.members, [&](const cluster::MemberReport& other) {
           if (&other == &member || !plan.find("start-" + name(other)) || !other.facts.stored) return false;
           if (!other.facts.stored->position_unknown.empty()) return false;
           const auto logged = position::GtidState::parse(other.facts.stored->position);
           return logged && logged->contains(*all);
         });
}

operation::Step applying_step(const cluster::MemberReport& member) {
  const std::string& name = member.facts.member.str();
  return step_of(kind::ApplyReceived{member.facts.stored ? member.facts.stored->received : ""},
                 {.id = "apply-" + name,
                  .member = name,
                  .title = fmt::format(
                      "Start {} by itself, without its replication threads, and apply what it has received", name),
                  .preconditions = {"no running member has it"},
                  .undo = "stop it; what was applied stays, and its relay logs stay",
                  .expected_seconds = 60,
                  .proof = "its position has all that it received",
                  .touches = {"members/" + name, "leader", "authority"}});
}

}  // namespace holdfast::repair
