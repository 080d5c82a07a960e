#include "agent/peers.h"

#include <algorithm>
#include <set>

#include "sys/network.h"

namespace holdfast::agent {

using cluster::canonical_host;

namespace {

constexpr std::chrono::milliseconds kPatience{500};

void add_name(std::set<std::string>& names, const std::string& text) {
  const std::string host = canonical_host(text);
  if (!host.empty() && !cluster::is_ip(host) && !cluster::is_local(host)) names.insert(host);
}

}  // namespace

PeerSources::PeerSources(const MemberConfig& config, const std::vector<engine::Channel>& channels) : config_(config) {
  cluster_.engine = config.engine;
  for (const auto& peer : config.peers) {
    cluster::Member member;
    member.name = MemberName(peer.name);
    member.host = peer.host;
    member.port = peer.port;
    if (peer.name == config.member) self_ = cluster_.members.size();
    cluster_.members.push_back(std::move(member));
  }
  cluster::MemberFacts own;
  own.member = MemberName(config.member);
  own.own.port = config.port;
  auto network = sys::own_network();
  own.own.hostname = std::move(network.hostname);
  own.own.interfaces = std::move(network.addresses);
  own.own.network = std::move(network.id);
  facts_.push_back(std::move(own));
  // Where names are the same on both sides, nobody need be asked.
  const auto open = [&](const engine::Channel& channel) { return source(channel).unknown(); };
  if (std::ranges::none_of(channels, open)) return;
  std::set<std::string> names;
  for (const auto& peer : config.peers) add_name(names, peer.host);
  for (const auto& channel : channels) add_name(names, channel.host);
  facts_[0].own.resolved = sys::NameLookup::shared().answers(names, Deadline::in(kPatience));
}

cluster::Who PeerSources::source(const engine::Channel& channel) const {
  if (self_ >= cluster_.members.size()) return cluster::Who::one_of({}, "it has no peers");
  auto following = engine::following_of(channel);
  following.source_uuid.clear();  // the peers' own are not known here
  following.source_server_id.reset();
  return cluster::Topology(cluster_, facts_).source(self_, following);
}

const Peer* PeerSources::peer(const engine::Channel& channel) const {
  const auto found = source(channel).member();
  return found ? &config_.peers[*found] : nullptr;
}

}  // namespace holdfast::agent
