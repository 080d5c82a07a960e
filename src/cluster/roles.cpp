#include "cluster/roles.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/gtid_set.h"
#include "position/gtid_vector.h"

namespace holdfast::cluster {

namespace {

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "::1";
}

/// The streams of all members, as they were read.
using Streams = std::vector<std::vector<Following>>;

class Roles {
 public:
  Roles(const DatabaseCluster& cluster, const std::vector<MemberFacts>& members)
      : cluster_(cluster), members_(members) {
    for (const auto& m : members) {
      streams_.push_back(m.following);
      if (m.role == MemberRole::replica)
        streams_.back().insert(streams_.back().end(), m.side_channels.begin(), m.side_channels.end());
    }
  }

  bool is_primary(size_t i) const {
    const MemberFacts& m = members_[i];
    if (!m.reachable() || m.role != MemberRole::replica || m.read_only != false) return false;
    if (streams_[i].empty()) return false;
    bool from_here = false;
    for (const auto& stream : streams_[i]) {
      const auto source = source_of(stream);
      if (!source || *source == i) continue;
      from_here = true;
      if (runs(stream, *source) && !follows(*source, i)) return false;
    }
    // What is left of before its promotion, or comes from elsewhere: its agent or a replica of it must bear that out.
    if (m.role_wanted == MemberRole::primary) return true;
    if (is_followed(i)) return true;
    return !from_here && m.role_wanted == MemberRole::unknown && no_other_writer(i);
  }

 private:
  std::optional<size_t> source_of(const Following& stream) const {
    const auto found = member_at(cluster_, stream.upstream);
    if (!found) return std::nullopt;
    for (size_t i = 0; i < members_.size(); ++i)
      if (members_[i].member == cluster_.members[*found].name) return i;
    return std::nullopt;
  }
  bool runs(const Following& stream, size_t source) const {
    if (!members_[source].reachable()) return false;
    return stream.receiving != false || stream.applying != false || stream.receive_state == "Connecting";
  }
  /// Whether `i` gets what `other` writes.
  bool follows(size_t i, size_t other) const {
    return std::ranges::any_of(streams_[i], [&](const Following& stream) {
      return source_of(stream) == other && (stream.receiving != false || stream.applying != false);
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

  const DatabaseCluster& cluster_;
  const std::vector<MemberFacts>& members_;
  Streams streams_;
};

}  // namespace

std::optional<size_t> member_at(const DatabaseCluster& cluster, std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view host = address.substr(0, colon), port = address.substr(colon + 1);
  for (size_t i = 0; i < cluster.members.size(); ++i) {
    const Member& member = cluster.members[i];
    if (port != std::to_string(member.port)) continue;
    if (host == member.host || (is_loopback(host) && is_loopback(member.host))) return i;
  }
  return std::nullopt;
}

std::optional<size_t> own_stream(const DatabaseCluster& cluster, std::string_view self,
                                 const std::vector<Following>& streams, std::string_view wanted) {
  std::optional<size_t> best;
  int best_rank = -1;
  for (size_t i = 0; i < streams.size(); ++i) {
    const auto& stream = streams[i];
    const auto source = member_at(cluster, stream.upstream);
    const bool ours = source && cluster.members[*source].name.str() != self;
    if (!ours && !stream.channel.empty()) continue;
    const bool runs = stream.receiving == true || stream.applying == true;
    const int rank = (ours ? 8 : 0) + (stream.upstream == wanted ? 4 : 0) + (runs ? 2 : 0) + stream.channel.empty();
    if (rank > best_rank) best = i, best_rank = rank;
  }
  return best;
}

namespace {

void set_side_channels_apart(const DatabaseCluster& cluster, MemberFacts& m) {
  const auto own = own_stream(cluster, m.member.str(), m.following, m.upstream_wanted);
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

std::set<std::string> fed_from_elsewhere(const DatabaseCluster& cluster, const std::vector<MemberFacts>& members) {
  if (cluster.engine != Engine::mariadb && cluster.engine != Engine::mysql) return {};
  std::set<std::string> foreign;
  for (const auto& m : members) {
    foreign.insert(m.foreign_noted.begin(), m.foreign_noted.end());
    for (const auto& stream : m.side_channels)
      if (m.role == MemberRole::replica && !member_at(cluster, stream.upstream))
        foreign.insert(stream.origins.begin(), stream.origins.end());
  }
  bool primary_known = false;
  for (const auto& m : members) {
    foreign.erase(m.server_uuid);
    if ((m.reachable() ? m.role : m.role_wanted) != MemberRole::primary) continue;
    const auto own = origins_at(cluster.engine, m.reachable() ? m.executed : m.stored ? m.stored->position : "");
    if (own.empty()) return {};  // whatever was written here would look foreign
    primary_known = true;
    for (const auto& origin : own) foreign.erase(origin);
  }
  return primary_known ? foreign : std::set<std::string>();
}

bool does_not_work(const Following& stream) {
  const bool runs = stream.receiving == true && stream.applying == true;
  const bool tries = stream.receive_state == "Connecting";
  return !runs && (tries || stream.receive_errno != 0 || stream.apply_errno != 0);
}

Chain chain_of(const DatabaseCluster& cluster, const std::vector<const MemberFacts*>& members, size_t self,
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
    const auto source = member_at(cluster, stream->upstream);
    if (!source) {
      chain.end = first ? Chain::End::elsewhere : Chain::End::dead_end;
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
  const Roles roles(cluster, members);
  std::vector<size_t> primaries;
  for (size_t i = 0; i < members.size(); ++i)
    if (roles.is_primary(i)) primaries.push_back(i);
  for (const size_t i : primaries) {
    members[i].role = MemberRole::primary;
    auto streams = std::exchange(members[i].following, {});
    members[i].side_channels.insert(members[i].side_channels.end(), streams.begin(), streams.end());
  }
  for (auto& m : members)
    if (m.reachable() && m.role == MemberRole::replica) set_side_channels_apart(cluster, m);
}

}  // namespace holdfast::cluster
