#include "cluster/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace holdfast::cluster {

Topology::Topology(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts)
    : Topology(cluster, [&] {
        std::vector<const MemberFacts*> all;
        for (const auto& f : facts) all.push_back(&f);
        return all;
      }()) {}

Topology::Topology(const DatabaseCluster& cluster, const std::vector<const MemberFacts*>& facts)
    : cluster_(cluster), known_(cluster.members.size()) {
  for (const auto* f : facts)
    for (const auto& [name, addresses] : f->own.resolved)
      for (const auto& address : addresses) resolved_[canonical_host(name)].insert(canonical_host(address));
  for (size_t i = 0; i < known_.size(); ++i) same_as_.push_back(i);
  for (size_t i = 0; i < known_.size(); ++i) {
    const auto of_it = [&](const MemberFacts* f) { return f->member == cluster.members[i].name; };
    const auto found = std::ranges::find_if(facts, of_it);
    const MemberFacts* f = found == facts.end() ? nullptr : *found;
    if (f && !f->same_as.empty()) {
      same_as_[i] = find(f->same_as).value_or(i);
      f = nullptr;
    }
    learn(i, f);
  }
}

void Topology::learn(size_t i, const MemberFacts* facts) {
  const Member& described = cluster_.members[i];
  Known& known = known_[i];
  known.facts = facts;
  known.host = canonical_host(described.host);
  static const OwnAddresses kNothing;
  const OwnAddresses& own = facts ? facts->own : kNothing;

  known.home = is_ip(known.host) ? std::set<std::string>{known.host} : leads_to(known.host);
  known.here =
      known.host.empty() || is_local(known.host) || (!known.home.empty() && std::ranges::all_of(known.home, is_local));
  std::erase_if(known.home, is_local);
  if (own.port > 0) known.local_ports.insert(own.port);
  const bool seen_there = known.here && !known.host.empty();
  if (seen_there || own.port <= 0) known.local_ports.insert(described.port);
  known.port_known = own.port > 0 || seen_there;
  const int port = own.port > 0 ? own.port : described.port;

  add(known, known.host, described.port, Word::described);
  for (const auto& alias : described.aliases) {
    const auto [host, its_port] = split_alias(alias);
    for (const int each : its_port > 0 ? std::set<int>{its_port} : std::set<int>{described.port, port})
      add(known, host, each, Word::described);
  }
  for (const auto& name : own.names) {
    const auto [host, its_port] = split_alias(name);
    add(known, host, its_port > 0 ? its_port : port, Word::server);
    if (is_local(host) && !is_wildcard(host)) known.loopback.insert(host);
  }
  add(known, canonical_host(own.hostname), port, Word::server);
  for (const auto& address : own.interfaces) {
    const std::string ip = canonical_host(address);
    known.interfaces.insert(ip);
    if (!ip.starts_with("fe80:")) add(known, ip, port, Word::machine);
  }
}

void Topology::add(Known& known, const std::string& host, int port, Word word) {
  if (host.empty() || is_local(host) || is_wildcard(host)) return;
  known.endpoints.push_back({host, port, word});
  if (is_ip(host)) return;
  for (const auto& ip : leads_to(host))
    if (!is_local(ip)) known.endpoints.push_back({ip, port, std::max(word, Word::resolved)});
}

std::set<std::string> Topology::leads_to(const std::string& host) const {
  const auto found = resolved_.find(host);
  return found == resolved_.end() ? std::set<std::string>() : found->second;
}

std::optional<size_t> Topology::find(std::string_view member) const {
  for (size_t i = 0; i < cluster_.members.size(); ++i)
    if (cluster_.members[i].name.str() == member) return i;
  return std::nullopt;
}

bool Topology::has_address(size_t i, const std::string& ip) const {
  return known_[i].interfaces.contains(ip) ||
         std::ranges::any_of(known_[i].endpoints, [&](const Endpoint& e) { return e.host == ip; });
}

std::optional<bool> Topology::one_machine(size_t a, size_t b) const {
  if (a == b) return true;
  const Known &one = known_[a], &other = known_[b];
  if (one.facts && other.facts) {
    const OwnAddresses &own = one.facts->own, &others = other.facts->own;
    if (!own.network.empty() && !others.network.empty()) return own.network == others.network;
    if (!own.hostname.empty() && !others.hostname.empty() &&
        canonical_host(own.hostname) != canonical_host(others.hostname))
      return false;
  }
  if (one.here && other.here) return true;
  if (one.host == other.host) return true;
  if (std::ranges::any_of(one.home, [&](const std::string& ip) { return other.home.contains(ip); })) return true;
  return std::nullopt;
}

/// Names are asked from where the observer is: its loopback is the member's only where it is described there.
bool Topology::leads_to_itself(size_t self, const std::string& host, const std::set<std::string>& ips) const {
  return is_local(host) || std::ranges::any_of(ips, [&](const std::string& ip) {
           return is_local(ip) ? known_[self].here : known_[self].interfaces.contains(ip);
         });
}

Who Topology::at(size_t self, std::string_view address) const {
  const auto [host, port] = split_address(address);
  if (host.empty() || port == 0) return Who::one_of(everybody(), "it has no address");
  std::set<std::string> ips = is_ip(host) ? std::set<std::string>{host} : leads_to(host);
  const bool here = leads_to_itself(self, host, ips);
  std::erase_if(ips, is_local);

  std::map<size_t, Word> found;
  Members open;  // not ruled out
  const auto take = [&](size_t i, Word word) {
    const auto [at, fresh] = found.emplace(same_as_[i], word);
    if (!fresh) at->second = std::min(at->second, word);
  };
  for (size_t i = 0; i < known_.size(); ++i) {
    const Known& known = known_[i];
    const bool listens = known.local_ports.contains(port);
    const auto together = one_machine(self, i);
    for (const auto& e : known.endpoints) {
      // Machines have addresses that others have too, of bridges to their containers; its own is meant.
      if (here && e.word == Word::machine && together != true) continue;
      if (e.port == port && (e.host == host || ips.contains(e.host))) take(i, e.word);
    }
    if (here) {
      const bool exactly = known.host == host || known.loopback.contains(host);
      if (together == true && listens) take(i, exactly ? Word::server : Word::machine);
      const bool published = together == false && known_[self].here && known.here && cluster_.members[i].port == port;
      if (published || (!together && listens) || (together != false && !known.port_known)) open.insert(same_as_[i]);
    } else if (!all_known_of(i) || ips.empty()) {
      open.insert(same_as_[i]);
    }
  }
  if (!found.empty()) {
    const Word best = std::ranges::min_element(found, {}, [](const auto& one) { return one.second; })->second;
    Members best_known;
    for (const auto& [i, word] : found)
      if (word == best) best_known.insert(i);
    if (best_known.size() == 1) return Who::is_member(*best_known.begin(), "its address");
    return Who::one_of(std::move(best_known), "several members have that address");
  }
  if (open.empty()) return Who::is_outside("no member has that address");
  return Who::one_of(std::move(open), ips.empty() && !here ? "where that name leads is not known"
                                                           : "not all addresses of the members are known");
}

Who Topology::wanted(size_t self) const {
  const MemberFacts* f = known_[self].facts;
  if (f && !f->runtime.source_wanted.empty())
    if (const auto i = find(f->runtime.source_wanted)) return Who::is_member(same_as_[*i], "its agent's word");
  if (!f || f->runtime.upstream_wanted.empty())
    return Who::one_of({}, "no agent says which member is to be its source");
  return at(self, f->runtime.upstream_wanted);
}

Who Topology::node(const GaleraFacts::Node& node) const {
  const auto [host, port] = split_address(node.address);
  const std::set<std::string> ips = is_ip(host) ? std::set<std::string>{host} : leads_to(host);
  Members described, at_address, named;
  bool all_read = !node.uuid.empty();
  for (size_t i = 0; i < known_.size(); ++i) {
    const Known& known = known_[i];
    const auto* galera = known.facts && known.facts->galera ? &*known.facts->galera : nullptr;
    const bool read = galera && !galera->node_uuid.empty();
    if (read && galera->node_uuid == node.uuid) return Who::is_member(same_as_[i], "its node's uuid");
    all_read = all_read && read;
    const bool may_be_it = node.uuid.empty() || !read;  // what it says of itself is of the node it is now
    const std::string& name = cluster_.members[i].name.str();
    if (!node.name.empty() && (name == node.name || (galera && may_be_it && galera->node_name == node.name)))
      named.insert(same_as_[i]);
    if (port == 0) continue;  // "AUTO"
    if (known.host == host && cluster_.members[i].port == port) described.insert(same_as_[i]);
    bool matches = galera && may_be_it && galera->node_address == node.address;
    for (const auto& e : known.endpoints)
      matches = matches ||
                (e.port == port && (e.host == host || ips.contains(e.host)) && (may_be_it || e.word <= Word::resolved));
    matches = matches || (is_local(host) && known.here && known.local_ports.contains(port));
    if (matches) at_address.insert(same_as_[i]);
  }
  for (const Members* some : {&described, &at_address, &named})
    if (some->size() == 1) return Who::is_member(*some->begin(), some == &named ? "its node's name" : "its address");
  Members either = at_address;
  either.insert(named.begin(), named.end());
  if (!either.empty()) return Who::one_of(std::move(either), "several members have that address or name");
  if (all_read) return Who::is_outside("no member's node has that uuid");
  return Who::one_of(everybody(), "not the uuids of all nodes are known");
}

bool is_same_server(const MemberFacts& a, const MemberFacts& b) {
  return a.reachable() && b.reachable() && !a.instance.empty() && a.instance == b.instance &&
         a.server_id == b.server_id && a.started_at && b.started_at && std::abs(*a.started_at - *b.started_at) <= 3;
}

}  // namespace holdfast::cluster
