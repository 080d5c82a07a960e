#include "cluster/roles.h"

#include <fmt/format.h>

#include <algorithm>

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
    for (const auto& m : members) streams_.push_back(m.following);
  }

  bool is_primary(size_t i) const {
    const MemberFacts& m = members_[i];
    if (!m.reachable() || m.role != MemberRole::replica || m.read_only != false) return false;
    if (m.following.empty()) return false;
    bool from_here = false;
    for (const auto& stream : m.following) {
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

void settle_roles(const DatabaseCluster& cluster, std::vector<MemberFacts>& members) {
  if (cluster.engine != Engine::mariadb && cluster.engine != Engine::mysql) return;
  const Roles roles(cluster, members);
  std::vector<size_t> primaries;
  for (size_t i = 0; i < members.size(); ++i)
    if (roles.is_primary(i)) primaries.push_back(i);
  for (const size_t i : primaries) {
    members[i].role = MemberRole::primary;
    members[i].side_channels = std::exchange(members[i].following, {});
  }
}

}  // namespace holdfast::cluster
