// Who replicates in this cluster: a row of the replication status alone makes no replica of it. Pure.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/facts.h"
#include "cluster/topology.h"

namespace holdfast::cluster {

/// MariaDB, MySQL: which of its connections is the one by which member `self` replicates in this cluster: of those
/// whose source is another member the one its agent has (`wanted`), else one that runs, else the default one, else the
/// first. Where no source is known to be a member: one that may be, chosen likewise, else the default one. nullopt when
/// there is none of these: a named connection from elsewhere is a feed of its own.
std::optional<size_t> own_stream(const Topology& topology, size_t self, const std::vector<Following>& streams,
                                 std::optional<size_t> wanted);

/// MariaDB, MySQL: a member that is open for writes is a primary where no running connection feeds it from this
/// cluster: its connections then come from elsewhere, from its own replica, or are what is left of before its
/// promotion. They become `side_channels`; so do those of a replica beside its own_stream(). Doing it twice changes
/// nothing.
void settle_roles(const DatabaseCluster& cluster, std::vector<MemberFacts>& members);

/// MariaDB, MySQL: what came to replicas over connections beside their own.
struct Feeds {
  /// From outside the cluster (Following::origins), and not of the primary: no part of what the members must agree on.
  /// Nothing where the primary's own position is not known.
  std::set<std::string> foreign;
  /// By member: a connection of which is not known whether what came over it is from outside.
  std::map<MemberName, std::string> unclear;
};
Feeds find_feeds(const DatabaseCluster& cluster, const std::vector<MemberFacts>& members);

/// It should run, and does not: it has an error, or finds nobody. One that was stopped in order is no such.
bool does_not_work(const Following& stream);

/// From whom to whom a member's changes come, over its own stream.
struct Chain {
  enum class End {
    leader,     ///< it ends at the primary
    unseen,     ///< at a member that does not answer, or that would be the primary when one accepted writes
    dead_end,   ///< at a member that has no source in the cluster and is not the primary
    elsewhere,  ///< its own source is not a member of the cluster
    unknown,    ///< at a member, or itself, whose source cannot be identified
    itself,     ///< a member of it follows one that follows it
    none,       ///< it has no source
  };
  End end = End::none;
  std::vector<size_t> through;  ///< its source, that one's source, ..., as positions in `members`

  /// A replica of a replica of the primary.
  bool cascades() const { return end == End::leader && through.size() > 1; }
};
/// `members`: one for each of the cluster's, in its order; `leader`: the only one that accepts writes, nullptr when
/// there is none.
Chain chain_of(const Topology& topology, const std::vector<const MemberFacts*>& members, size_t self,
               const MemberFacts* leader);

}  // namespace holdfast::cluster
