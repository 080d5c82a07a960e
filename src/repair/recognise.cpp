#include "repair/recognise.h"

#include <algorithm>

#include "cluster/roles.h"

namespace holdfast::repair {

using cluster::Topology;

namespace {

/// Numbers and addresses of servers change rarely, and a step asks several times.
constexpr std::chrono::seconds kFresh{10};

Recognised by(const Topology& topology, const engine::MemberSetup& setup,
              const std::vector<cluster::Following>& streams) {
  Recognised found;
  const auto self = topology.find(setup.name);
  for (const auto& stream : streams)
    found.sources.push_back(self ? topology.source(*self, stream)
                                 : cluster::Who::one_of({}, setup.name + " is not a member any more"));
  if (self) found.own = cluster::own_stream(topology, *self, streams, topology.find(setup.upstream));
  return found;
}

}  // namespace

Recognised recognise(const Members& members, const engine::MemberSetup& setup,
                     const std::vector<cluster::Following>& streams) {
  auto found = by(Topology(members.cluster), setup, streams);
  if (!members.triage || std::ranges::none_of(found.sources, &cluster::Who::unknown)) return found;
  auto& last = *members.last_look;
  const auto now = std::chrono::steady_clock::now();
  if (!last.report || now - last.at > kFresh) {
    last.report = members.triage();
    last.at = now;
  }
  std::vector<const cluster::MemberFacts*> facts;
  for (const auto& m : last.report->members) facts.push_back(&m.facts);
  return by(Topology(members.cluster, facts), setup, streams);
}

std::string source_name(const Members& members, const engine::MemberSetup& setup, const cluster::Following& stream) {
  const auto found = recognise(members, setup, {stream}).sources[0].member();
  return found ? members.cluster.members[*found].name.str() : "";
}

}  // namespace holdfast::repair
