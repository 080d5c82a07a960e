#include "repair/relay_logs.h"

#include <fmt/format.h>

#include "position/gtid_set.h"

namespace holdfast::repair {

using codec::Value;
using position::GtidSet;

bool can_fetch_logs_anew(const cluster::TriageReport& report, const cluster::MemberReport& member) {
  const auto* leader = report.find(report.leader);
  const auto* stream = member.facts.upstream();
  if (report.cluster.engine != cluster::Engine::mysql || !leader || leader == &member || !stream) return false;
  const auto* described = report.cluster.find(report.leader);
  if (stream->uses_gtid != true || stream->upstream != fmt::format("{}:{}", described->host, described->port))
    return false;
  const auto has = GtidSet::parse(leader->facts.executed), purged = GtidSet::parse(leader->facts.purged);
  const auto applied = GtidSet::parse(member.facts.executed), received = GtidSet::parse(member.facts.received);
  if (!has || !purged || !applied || !received) return false;
  // Looked at a moment apart: what it has of the leader's newest transactions proves nothing against it. The step looks
  // again before it throws anything away.
  return applied->contains(*purged) && member.errant.transactions.empty();
}

operation::Step fetching_step(const std::string& member, const std::string& leader) {
  return {.id = "fetch-" + member,
          .kind = "fetch_logs_anew",
          .member = member,
          .title = fmt::format("Let {} throw away its relay logs and fetch them again from {}", member, leader),
          .arguments = Value::object({{"source", leader}}),
          .preconditions = {fmt::format("{} has all that {} has received, and logs of all that it has not applied",
                                        leader, member),
                            "no event is skipped"},
          .undo = "stop again what was stopped before; what was thrown away is with " + leader,
          .expected_seconds = 10,
          .proof = "it receives and applies",
          .touches = {"members/" + member}};
}

}  // namespace holdfast::repair
