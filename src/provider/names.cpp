#include "provider/names.h"

#include "cluster/topology.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::MemberFacts;

namespace {

/// A silent name server must cost no more than that, once all else is read.
constexpr std::chrono::milliseconds kPatience{300};

void add_name(std::set<std::string>& names, const std::string& host) {
  if (!host.empty() && !cluster::is_ip(host) && !cluster::is_local(host)) names.insert(host);
}

std::set<std::string> names_of(const cluster::Member& member) {
  std::set<std::string> names;
  add_name(names, cluster::canonical_host(member.host));
  for (const auto& alias : member.aliases) add_name(names, cluster::split_alias(alias).host);
  return names;
}

std::set<std::string> names_of_sources(const cluster::Topology& topology, size_t self, const MemberFacts& facts) {
  std::set<std::string> names;
  for (const auto* streams : {&facts.following, &facts.side_channels, &facts.runtime.noted})
    for (const auto& stream : *streams)
      if (topology.source(self, stream).unknown()) add_name(names, cluster::split_address(stream.upstream).host);
  if (!facts.runtime.upstream_wanted.empty() && topology.wanted(self).unknown())
    add_name(names, cluster::split_address(facts.runtime.upstream_wanted).host);
  return names;
}

}  // namespace

void ask_for_names(const DatabaseCluster& cluster, sys::NameLookup& lookup) {
  for (const auto& member : cluster.members) lookup.ask(names_of(member));
}

void take_names(const DatabaseCluster& cluster, std::vector<MemberFacts>& facts, Deadline deadline,
                sys::NameLookup& lookup) {
  const Deadline patience = deadline.at_most(kPatience);
  for (size_t i = 0; i < facts.size(); ++i)
    if (const auto names = names_of(cluster.members[i]); !names.empty())
      facts[i].own.resolved = lookup.answers(names, patience);
  std::vector<std::set<std::string>> of_sources;
  {
    const cluster::Topology topology(cluster, facts);
    for (size_t i = 0; i < facts.size(); ++i) of_sources.push_back(names_of_sources(topology, i, facts[i]));
  }
  for (const auto& names : of_sources) lookup.ask(names);
  for (size_t i = 0; i < facts.size(); ++i)
    if (!of_sources[i].empty()) facts[i].own.resolved.merge(lookup.answers(of_sources[i], patience));
}

}  // namespace holdfast::provider
