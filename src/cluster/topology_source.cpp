// Whom a replica follows, and who follows a member: what the servers say of each other.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/topology.h"

namespace holdfast::cluster {

namespace {

/// It is of `set`: what its address says of that. `nobody`: by what it is none of them.
Who within(const Who& address, const std::set<size_t>& set, std::string nobody, std::string why) {
  if (const auto i = address.member(); i && set.contains(*i)) return address;
  std::set<size_t> left;
  if (address.member()) left = set;  // the server that answers at that member's address is another one
  if (address.unknown()) std::ranges::set_intersection(address.candidates(), set, std::inserter(left, left.end()));
  if (left.empty()) return Who::is_outside(std::move(nobody));
  return Who::one_of(std::move(left), std::move(why));
}

std::string system_of(const MemberFacts* f) {
  if (!f) return "";
  return f->lineage.empty() && f->stored ? f->stored->lineage : f->lineage;
}

}  // namespace

Who Topology::source(size_t self, const Following& stream) const {
  const Who address = at(self, stream.upstream);
  switch (cluster_.engine) {
    case Engine::mysql:
      return by_uuid(stream, address);
    case Engine::mariadb:
    case Engine::galera:
      return by_server_id(self, stream, address);
    case Engine::postgres:
      return by_walsender(self, stream, address);
  }
  return address;
}

std::string Topology::uuid_of(size_t i) const {
  const MemberFacts* f = known_[i].facts;
  if (!f || !f->server_uuid.empty()) return f ? f->server_uuid : "";
  return f->stored ? f->stored->lineage : "";  // MySQL: auto.cnf
}

std::optional<uint64_t> Topology::server_id_of(size_t i) const {
  return known_[i].facts ? known_[i].facts->server_id : std::nullopt;
}

Who Topology::by_uuid(const Following& stream, const Who& address) const {
  if (stream.source_uuid.empty()) return address;
  Members holders, unread;
  for (const size_t i : everybody()) {
    const std::string uuid = uuid_of(i);
    if (uuid.empty()) unread.insert(i);
    if (uuid == stream.source_uuid) holders.insert(i);
  }
  const bool connected = stream.receiving == true;
  if (holders.size() == 1) {
    const size_t i = *holders.begin();
    if (const auto there = address.member(); there && there != i && !connected)
      return Who::one_of({i, *there}, fmt::format("it was connected to {} last, and its address is that of {}",
                                                  name(i).str(), name(*there).str()));
    return Who::is_member(i, "its server_uuid");
  }
  if (!holders.empty()) {
    const Who one = within(address, holders, "", "several members have its server_uuid");
    return one.outside() ? Who::one_of(std::move(holders), "several members have its server_uuid") : one;
  }
  if (!connected) return address;  // the server there may have been given another since
  return within(address, unread, "no member has its server_uuid",
                "no member that was read has its server_uuid, and not all were read");
}

bool Topology::has_another_stream_from(size_t self, const Following& stream, size_t source) const {
  const MemberFacts* f = known_[self].facts;
  if (!f) return false;
  for (const auto* streams : {&f->following, &f->side_channels})
    for (const auto& other : *streams)
      if (other.channel != stream.channel && other.receiving == true && at(self, other.upstream).is(source))
        return true;
  return false;
}

Who Topology::by_server_id(size_t self, const Following& stream, const Who& address) const {
  if (!stream.source_server_id || stream.receiving != true) return address;
  Members holders, unread;
  for (const size_t i : everybody()) {
    const auto id = server_id_of(i);
    if (!id) unread.insert(i);
    if (id == stream.source_server_id) holders.insert(i);
  }
  if (const auto there = address.member()) {
    if (holders.contains(*there) || unread.contains(*there)) return address;
    const auto listed = serves(*there, self, stream);
    if (listed == true) return address;  // its number was changed since they connected
    if (!listed) {
      holders.insert(*there);
      return Who::one_of(std::move(holders),
                         fmt::format("{} has another server_id than the server at its address", name(*there).str()));
    }
  }
  // The number alone is weak: a server of another cluster may have it.
  Members left;
  for (const size_t i : holders) {
    const auto listed = serves(i, self, stream);
    if (listed == false || has_another_stream_from(self, stream, i)) continue;
    if (listed == true || address.member() || address.may_be(i)) left.insert(i);
  }
  if (left.size() == 1) return Who::is_member(*left.begin(), "its server_id");
  if (!left.empty()) return Who::one_of(std::move(left), "several members have its server_id");
  return within(address, unread, "no member that it could be has its server_id",
                "no member that was read has its server_id, and not all were read");
}

std::optional<bool> Topology::serves(size_t source, size_t self, const Following& stream) const {
  const MemberFacts* f = known_[source].facts;
  if (!f || !f->reachable()) return std::nullopt;
  if (cluster_.engine == Engine::postgres && !stream.slot.empty() && f->postgres.slots) {
    const auto uses = [&](const Slot& slot) { return slot.active && slot.name == stream.slot; };
    return std::ranges::any_of(*f->postgres.slots, uses);
  }
  if (f->followers == 0 && f->follower_list.empty() && cluster_.engine != Engine::postgres) return false;
  if (!f->followers_listed) return std::nullopt;
  bool may = false;
  for (const auto& one : f->follower_list) {
    const Who who = follower(source, one);
    if (who.is(self)) return true;
    may = may || who.may_be(self);
  }
  return may ? std::nullopt : std::optional(false);
}

Who Topology::by_walsender(size_t self, const Following& stream, const Who& address) const {
  if (stream.receiving != true) return address;
  // Only a server of the same system can be streamed from.
  const std::string system = system_of(known_[self].facts);
  const auto foreign = [&](size_t i) {
    const std::string other = system_of(known_[i].facts);
    return !system.empty() && !other.empty() && system != other;
  };
  Members serving, unsure;
  for (const size_t i : everybody()) {
    if (i == self || foreign(i)) continue;
    const auto listed = serves(i, self, stream);
    if (listed == true) serving.insert(i);
    if (!listed) unsure.insert(i);
  }
  if (const auto there = address.member(); there && !foreign(*there)) {
    const bool refuted = serving.size() == 1 && !serving.contains(*there) && !unsure.contains(*there);
    if (!refuted) return address;
  }
  if (serving.size() == 1) return Who::is_member(*serving.begin(), "its replication slot or the list of its standbys");
  if (!serving.empty()) return Who::one_of(std::move(serving), "several members list it among their standbys");
  if (address.outside()) return address;
  return within(address, unsure, "no member lists it among its standbys",
                "no member that was read lists it among its standbys, and not all could be read");
}

Who Topology::follower(size_t of, const Follower& follower) const {
  return cluster_.engine == Engine::postgres ? standby(of, follower) : follower_by_number(follower);
}

Who Topology::follower_by_number(const Follower& follower) const {
  Members same, unread;
  const bool by_uuid = !follower.uuid.empty();
  if (!by_uuid && !follower.server_id) return Who::one_of(everybody(), "it has no number");
  for (const size_t i : everybody()) {
    const std::string uuid = uuid_of(i);
    const auto id = server_id_of(i);
    if (by_uuid ? uuid.empty() : !id) unread.insert(i);
    if (by_uuid ? uuid == follower.uuid : id == follower.server_id) same.insert(i);
  }
  if (same.size() == 1) return Who::is_member(*same.begin(), by_uuid ? "its server_uuid" : "its server_id");
  if (!same.empty()) return Who::one_of(std::move(same), "several members have that number");
  if (unread.empty()) return Who::is_outside("no member has that number");
  return Who::one_of(std::move(unread), "no member that was read has that number, and not all were read");
}

Who Topology::standby(size_t of, const Follower& follower) const {
  const std::string ip = canonical_host(follower.address);
  const bool elsewhere = is_ip(ip) && !is_local(ip);
  Members left, named, at_address;
  for (const size_t i : everybody()) {
    const MemberFacts* f = known_[i].facts;
    if (i == of || (f && f->reachable() && f->role == MemberRole::primary)) continue;
    if (f && !f->application_name.empty() && !follower.name.empty()) {
      if (f->application_name != follower.name) continue;
      named.insert(i);
    }
    left.insert(i);
  }
  if (named.size() == 1) return Who::is_member(*named.begin(), "its application_name");
  for (const size_t i : named)
    if (elsewhere ? has_address(i, ip) : one_machine(of, i) == true) at_address.insert(i);
  if (at_address.size() == 1) return Who::is_member(*at_address.begin(), "its address");
  if (left.empty()) return Who::is_outside("no member receives under that name");
  return Who::one_of(named.empty() ? left : named, "several members may receive under that name");
}

}  // namespace holdfast::cluster
