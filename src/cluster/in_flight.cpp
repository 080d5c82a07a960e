#include "cluster/in_flight.h"

#include <algorithm>

#include "position/gtid_set.h"

namespace holdfast::cluster {

using position::GtidSet;

bool awaits_own_commits(const DatabaseCluster& cluster, const std::vector<MemberFacts>& members,
                        const MemberFacts& primary) {
  if (cluster.engine != Engine::mysql || primary.server_uuid.empty()) return false;
  const auto own = position::Uuid::parse(primary.server_uuid);
  const auto committed = GtidSet::parse(primary.executed);
  if (!own || !committed) return false;
  const auto has_more = [&](const std::string& text) {
    const auto set = GtidSet::parse(text);
    if (!set) return false;
    const GtidSet more = set->subtract(*committed);
    return std::ranges::any_of(more.sources(), [&](const GtidSet::Source& source) { return source.uuid == *own; });
  };
  return std::ranges::any_of(members, [&](const MemberFacts& m) {
    return &m != &primary && m.reachable() && (has_more(m.executed) || has_more(m.received));
  });
}

}  // namespace holdfast::cluster
