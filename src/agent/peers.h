// Which peer a replication connection of this member leads to, as far as the member itself can tell: it knows where its
// peers are, and asks for names from its own host, but not for the peers' numbers. Triage knows more
// (cluster/topology.h).
#pragma once

#include <vector>

#include "agent/config.h"
#include "cluster/topology.h"
#include "engine/channels.h"

namespace holdfast::agent {

class PeerSources {
 public:
  /// May look up names of peers and of the sources of `channels`, for half a second at most.
  PeerSources(const MemberConfig& config, const std::vector<engine::Channel>& channels);
  PeerSources(const PeerSources&) = delete;
  PeerSources& operator=(const PeerSources&) = delete;

  /// Members are told by their place in MemberConfig::peers.
  cluster::Who source(const engine::Channel& channel) const;
  /// nullptr: it is none, or is not known.
  const Peer* peer(const engine::Channel& channel) const;

 private:
  const MemberConfig& config_;
  cluster::DatabaseCluster cluster_;
  std::vector<cluster::MemberFacts> facts_;
  size_t self_ = 0;
};

}  // namespace holdfast::agent
