#include "cluster/roles.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/gtid_set.h"
#include "position/gtid_vector.h"

namespace holdfast::cluster {

namespace {

/// The streams of all members, as they were read.
using Streams = std::vector<std::vector<Following>>;

class Roles {
 public:
  Roles(const Topology& topology, const std::vector<MemberFacts>& members) : topology_(topology), members_(members) {
    for (size_t i = 0; i < members.size(); ++i) {
      const MemberFacts& m = members[i];
      streams_.push_back(m.following);
      if (m.role == MemberRole::replica)
        streams_.back().insert(streams_.back().end(), m.side_channels.begin(), m.side_channels.end());
      if (const auto at = topology.find(m.member.str())) place_[*at] = i;
    }
  }

  bool is_primary(size_t i) const {
    const MemberFacts& m = members_[i];
    if (!m.reachable() || m.role != MemberRole::replica || m.read_only != false) return false;
    if (streams_[i].empty()) return false;
    bool from_here = false;
    for (const auto& stream : streams_[i]) {
      const Who who = source_of(i, stream);
      for (const size_t at : who.candidates()) {
        const auto source = place_.find(at);
        if (source == place_.end() || source->second == i) continue;
        from_here = true;
        // From one that is not known something must come: else it is what is left, or waits for a server elsewhere.
        const bool feeds = who.unknown() ? stream.receiving == true : runs(stream);
        if (feeds && members_[source->second].reachable() && !follows(source->second, i)) return false;
      }
    }
    // What is left of before its promotion, or comes from elsewhere: its agent or a replica of it must bear that out.
    if (m.runtime.role_wanted == MemberRole::primary) return true;
    if (is_followed(i)) return true;
    return !from_here && m.runtime.role_wanted == MemberRole::unknown && no_other_writer(i);
  }

 private:
  Who source_of(size_t i, const Following& stream) const {
    const auto self = topology_.find(members_[i].member.str());
    return self ? topology_.source(*self, stream) : Who::one_of({}, "it is not a member");
  }
  static bool runs(const Following& stream) {
    return stream.receiving != false || stream.applying != false || stream.receive_state == "Connecting";
  }
  /// Whether `i` is known to get what `other` writes.
  bool follows(size_t i, size_t other) const {
    const auto there = topology_.find(members_[other].member.str());
    return there && std::ranges::any_of(streams_[i], [&](const Following& stream) {
             return source_of(i, stream).is(*there) && (stream.receiving != false || stream.applying != false);
           });
  }
  bool is_followed(size_t i) const {
    for (size_t j = 0; j < members_.size(); ++j)
      if (j != i && members_[j].reachable() && follows(j, i)) return true;
    return false;
  }
  bool no_other_writer(size_t i) const {
    for (size_t j = 0; j < members_.size(); ++j)
      if (j != i && members_[j].reachable() && members_[j].read_only != true) return false;
    return true;
  }

  const Topology& topology_;
  const std::vector<MemberFacts>& members_;
  Streams streams_;
  std::map<size_t, size_t> place_;  ///< a member's in `members_` by that in the topology
};

}  // namespace

std::optional<size_t> own_stream(const Topology& topology, size_t self, const std::vector<Following>& streams,
                                 std::optional<size_t> wanted) {
  std::optional<size_t> best;
  int best_rank = -1;
  for (size_t i = 0; i < streams.size(); ++i) {
    const auto& stream = streams[i];
    const Who source = topology.source(self, stream);
    const bool ours = source.member() && !source.is(self), may_be = source.unknown();
    if (!ours && !may_be && !stream.channel.empty()) continue;
    const bool runs = stream.receiving == true || stream.applying == true || stream.receive_state == "Connecting";
    const int rank = (ours     ? 16
                      : may_be ? 8
                               : 0) +
                     (wanted && source.is(*wanted) ? 4 : 0) + (runs ? 2 : 0) + stream.channel.empty();
    if (rank > best_rank) best = i, best_rank = rank;
  }
  return best;
}

namespace {

void set_side_channels_apart(const Topology& topology, MemberFacts& m) {
  const auto self = topology.find(m.member.str());
  if (!self) return;
  const auto own = own_stream(topology, *self, m.following, topology.wanted(*self).member());
  if (m.following.size() < 2 && own) return;
  auto streams = std::exchange(m.following, {});
  for (size_t i = 0; i < streams.size(); ++i)
    (i == own ? m.following : m.side_channels).push_back(std::move(streams[i]));
}

}  // namespace

namespace {

/// Who wrote what is at this position: MariaDB the domains, MySQL the servers' UUIDs.
std::set<std::string> origins_at(Engine engine, const std::string& position) {
  std::set<std::string> origins;
  if (engine == Engine::mysql) {
    if (const auto set = position::GtidSet::parse(position))
      for (const auto& source : set->sources()) origins.insert(source.uuid.to_string());
  } else if (const auto state = position::GtidState::parse(position)) {
    for (const auto& gtid : state->entries()) origins.insert(std::to_string(gtid.domain));
  }
  return origins;
}

}  // namespace

namespace {

/// All that it holds, by who wrote it; nullopt where that is not known.
std::optional<std::set<std::string>> origins_in(Engine engine, const MemberFacts& m) {
  if (!m.reachable() && !(m.stored && !m.stored->position.empty())) return std::nullopt;
  std::set<std::string> all;
  for (const auto& position : {m.reachable() ? m.executed : m.stored->position, m.slave_pos}) {
    const auto some = origins_at(engine, position);
    all.insert(some.begin(), some.end());
  }
  return all;
}

/// A connection by which a member does not take part in this cluster, and what came over it.
struct Feed {
  const Following* stream = nullptr;  ///< as it is now, else as it was noted
  const std::vector<std::string>* origins = nullptr;
};

std::vector<Feed> feeds_of(const MemberFacts& m) {
  std::vector<Feed> feeds;
  if (m.role == MemberRole::replica)
    for (const auto& stream : m.side_channels) feeds.push_back({&stream, &stream.origins});
  for (const auto& noted : m.runtime.noted) {
    if (noted.channel.empty()) continue;
    const auto is_it = [&](const Following& now) {
      return now.channel == noted.channel && now.upstream == noted.upstream;
    };
    if (std::ranges::any_of(m.following, is_it)) continue;
    const auto now = std::ranges::find_if(m.side_channels, is_it);
    feeds.push_back({now == m.side_channels.end() ? &noted : &*now, &noted.origins});
  }
  return feeds;
}

/// It cannot have come from any member that the source may be.
bool is_of_none(Engine engine, const std::string& origin, const std::set<size_t>& candidates,
                const std::vector<const MemberFacts*>& members) {
  return std::ranges::none_of(candidates, [&](size_t i) {
    const auto held = members[i] ? origins_in(engine, *members[i]) : std::nullopt;
    return !held || held->contains(origin);
  });
}

}  // namespace

Feeds find_feeds(const DatabaseCluster& cluster, const std::vector<MemberFacts>& members) {
  if (cluster.engine != Engine::mariadb && cluster.engine != Engine::mysql) return {};
  std::set<std::string> own;  // of the primary
  bool primary_known = false;
  for (const auto& m : members) {
    if ((m.reachable() ? m.role : m.runtime.role_wanted) != MemberRole::primary) continue;
    const auto some = origins_at(cluster.engine, m.reachable() ? m.executed : m.stored ? m.stored->position : "");
    if (some.empty()) return {};  // whatever was written here would look foreign
    primary_known = true;
    own.insert(some.begin(), some.end());
  }
  if (!primary_known) return {};
  for (const auto& m : members) own.insert(m.server_uuid);

  const Topology topology(cluster, members);
  std::vector<const MemberFacts*> places(topology.size());
  for (const auto& m : members)
    if (const auto at = topology.find(m.member.str())) places[*at] = &m;
  Feeds feeds;
  for (size_t self = 0; self < places.size(); ++self) {
    if (!places[self]) continue;
    for (const auto& [feed, origins] : feeds_of(*places[self])) {
      const Who source = topology.source(self, *feed);
      if (source.member()) continue;
      auto candidates = source.candidates();
      candidates.erase(self);
      for (const auto& origin : *origins) {
        if (own.contains(origin)) continue;
        if (source.outside() || is_of_none(cluster.engine, origin, candidates, places))
          feeds.foreign.insert(origin);
        else
          feeds.unclear.emplace(
              places[self]->member,
              fmt::format("whether what it received over '{}' from {} is from outside the cluster is not known: {}",
                          feed->channel, feed->upstream, source.how()));
      }
    }
  }
  return feeds;
}

bool does_not_work(const Following& stream) {
  const bool runs = stream.receiving == true && stream.applying == true;
  const bool tries = stream.receive_state == "Connecting";
  return !runs && (tries || stream.receive_errno != 0 || stream.apply_errno != 0);
}

Chain chain_of(const Topology& topology, const std::vector<const MemberFacts*>& members, size_t self,
               const MemberFacts* leader) {
  Chain chain;
  for (size_t at = self;;) {
    const bool first = at == self;
    const Following* stream = members[at]->upstream();
    if (!stream) {
      const bool may_lead = !leader && members[at]->role == MemberRole::primary;
      chain.end = first ? Chain::End::none : may_lead ? Chain::End::unseen : Chain::End::dead_end;
      return chain;
    }
    const Who who = topology.source(at, *stream);
    const auto source = who.member();
    if (!source) {
      chain.end = who.unknown() ? Chain::End::unknown : first ? Chain::End::elsewhere : Chain::End::dead_end;
      return chain;
    }
    if (*source == self || std::ranges::find(chain.through, *source) != chain.through.end()) {
      chain.end = Chain::End::itself;
      return chain;
    }
    chain.through.push_back(*source);
    if (members[*source] == leader) {
      chain.end = Chain::End::leader;
      return chain;
    }
    if (!members[*source]->reachable()) {
      chain.end = Chain::End::unseen;
      return chain;
    }
    at = *source;
  }
}

void settle_roles(const DatabaseCluster& cluster, std::vector<MemberFacts>& members) {
  if (cluster.engine != Engine::mariadb && cluster.engine != Engine::mysql) return;
  const Topology topology(cluster, members);
  std::vector<size_t> primaries;
  {
    const Roles roles(topology, members);
    for (size_t i = 0; i < members.size(); ++i)
      if (roles.is_primary(i)) primaries.push_back(i);
  }
  for (const size_t i : primaries) {
    members[i].role = MemberRole::primary;
    auto streams = std::exchange(members[i].following, {});
    members[i].side_channels.insert(members[i].side_channels.end(), streams.begin(), streams.end());
  }
  for (auto& m : members)
    if (m.reachable() && m.role == MemberRole::replica) set_side_channels_apart(topology, m);
}

}  // namespace holdfast::cluster
