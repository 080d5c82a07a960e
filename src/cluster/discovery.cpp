#include "cluster/discovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "cluster/resource.h"

namespace holdfast::cluster {

namespace {

bool is_loopback(std::string_view host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

bool is_local(const Place& place) {
  return !place.socket.empty() || is_loopback(place.host);
}

/// Two that are equal lead to the same server.
std::string key_of(const Place& place) {
  if (place.host.empty()) return "socket " + place.socket;
  return fmt::format("{}:{}", is_loopback(place.host) ? "127.0.0.1" : place.host, place.port);
}

/// A name for a resource, from any text; "" for the one that is there unless it is set.
std::string name_from(const std::string& text) {
  if (text == "my_wsrep_cluster") return {};
  std::string name;
  for (const char c : text) {
    const char low = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    const bool plain = (low >= 'a' && low <= 'z') || (low >= '0' && low <= '9');
    if (plain || (!name.empty() && name.back() != '-')) name += plain ? low : '-';
  }
  name.resize(std::min(name.size(), size_t{60}));
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name;
}

struct Answer {
  std::optional<ServerWords> words;
  Error error;
};

class Walk {
 public:
  Walk(const DatabaseCluster& like, const DiscoveryAsk& ask, const DiscoveryLimits& limits)
      : like_(like), ask_(ask), limits_(limits) {}

  Result<Discovery> run(const Place& start);

 private:
  struct Server {
    FoundMember member;
    std::optional<ServerWords> words;
  };
  using Fits = std::function<bool(const ServerWords&)>;

  const Answer& ask_once(const Place& place);
  const std::vector<std::string>& sockets();
  size_t add(const Place& place, const ServerWords& words, const std::string& because);
  void list_unreached(const Place& place, const std::string& because, std::string problem);
  enum class Address { known, guessed };
  std::optional<size_t> find(const Place& place, const Fits& fits, const std::string& because,
                             Address address = Address::known);
  void ask_by_network();
  Place seen_from(size_t server, const Named& named) const;

  void look_around(size_t server);
  void follow_source(size_t server, const Named& source);
  void find_node(size_t server, const Named& node);
  void find_replica(size_t server, const Named& replica);
  void find_standby(size_t server, const Named& standby, std::set<size_t>& matched);
  void remark(std::string sentence) {
    if (std::ranges::find(remarks_, sentence) == remarks_.end()) remarks_.push_back(std::move(sentence));
  }

  Discovery describe();
  ReplicationMode mode() const;

  DatabaseCluster like_;
  const DiscoveryAsk& ask_;
  const DiscoveryLimits limits_;
  std::map<std::string, Answer> answers_;
  std::optional<std::vector<std::string>> sockets_;
  std::vector<Server> servers_;
  std::deque<size_t> unseen_;  ///< of servers_: answered, and not yet looked around from
  std::vector<std::string> remarks_;
  bool incomplete_ = false;  ///< there is a member that could not be listed
};

const Answer& Walk::ask_once(const Place& place) {
  const std::string key = key_of(place);
  if (const auto known = answers_.find(key); known != answers_.end()) return known->second;
  Answer answer;
  if (answers_.size() >= limits_.servers) {
    answer.error.message = fmt::format("it was not asked: {} servers were before it", limits_.servers);
    remark(fmt::format("only {} servers were asked", limits_.servers));
  } else if (auto words = ask_.server(place)) {
    answer.words = std::move(*words);
  } else {
    answer.error = std::move(words).error();
  }
  return answers_.emplace(key, std::move(answer)).first->second;
}

const std::vector<std::string>& Walk::sockets() {
  if (!sockets_) sockets_ = ask_.sockets();
  return *sockets_;
}

/// One that is known by now gets what `place` says more. Its followers' name for it counts: by that they find it.
size_t Walk::add(const Place& place, const ServerWords& words, const std::string& because) {
  for (size_t i = 0; i < servers_.size(); ++i) {
    if (!servers_[i].words || servers_[i].words->identity != words.identity) continue;
    Place& known = servers_[i].member.place;
    if (!place.host.empty()) known.host = place.host, known.port = place.port;
    if (known.socket.empty()) known.socket = place.socket;
    return i;
  }
  servers_.push_back({{place, true, because, "", words.follows}, words});
  unseen_.push_back(servers_.size() - 1);
  return servers_.size() - 1;
}

void Walk::list_unreached(const Place& place, const std::string& because, std::string problem) {
  for (const auto& server : servers_)
    if (key_of(server.member.place) == key_of(place)) return;
  servers_.push_back({{place, false, because, std::move(problem), because.starts_with("follows")}, std::nullopt});
}

/// The server at that address, or the one on this machine that has its port for its own.
std::optional<size_t> Walk::find(const Place& place, const Fits& fits, const std::string& because, Address address) {
  if (const Answer& answer = ask_once(place); answer.words && fits(*answer.words))
    return add(place, *answer.words, because);
  if (!is_local(place)) return std::nullopt;
  for (const auto& socket : sockets()) {
    const Answer& answer = ask_once({.socket = socket});
    if (!answer.words || answer.words->port != place.port || !fits(*answer.words)) continue;
    return add({address == Address::known ? place.host : "", place.port, socket}, *answer.words, because);
  }
  return std::nullopt;
}

/// Members of several find each other over the network: one that was reached by its socket is there, too, if it
/// answers.
void Walk::ask_by_network() {
  for (auto& server : servers_) {
    Place& place = server.member.place;
    if (servers_.size() < 2 || !server.words || !place.host.empty()) continue;
    const Place over_network{.host = "127.0.0.1", .port = server.words->port};
    const Answer& answer = ask_once(over_network);
    if (!answer.words || answer.words->identity != server.words->identity) continue;
    place.host = over_network.host;
    place.port = over_network.port;
  }
}

/// A loopback address is of the machine of the one that names it.
Place Walk::seen_from(size_t server, const Named& named) const {
  const Place& here = servers_[server].member.place;
  if (named.host.starts_with('/')) {
    if (is_local(here)) return {.port = named.port, .socket = fmt::format("{}/.s.PGSQL.{}", named.host, named.port)};
    return {.host = here.host, .port = named.port};
  }
  if (!named.host.empty() && !is_loopback(named.host)) return {.host = named.host, .port = named.port};
  return {.host = is_local(here) ? "127.0.0.1" : here.host, .port = named.port};
}

void Walk::follow_source(size_t server, const Named& source) {
  const Place place = seen_from(server, source);
  const std::string self = servers_[server].member.place.text(), lineage = servers_[server].words->lineage;
  const auto found = find(
      place, [&](const ServerWords& words) { return lineage.empty() || words.lineage == lineage; },
      "the source of " + self);
  if (found) return;
  const Answer& answer = ask_once(place);
  list_unreached(place, "the source of " + self,
                 answer.words ? "a server of another history answers there" : answer.error.message);
}

void Walk::find_node(size_t server, const Named& node) {
  const std::string because = "is in the component of " + servers_[server].member.place.text();
  if (node.host.empty() || node.port == 0) return;  // counted at the end
  const Place place = seen_from(server, node);
  const std::string lineage = servers_[server].words->lineage;
  if (find(place, [&](const ServerWords& words) { return words.lineage == lineage; }, because)) return;
  const Answer& answer = ask_once(place);
  list_unreached(place, because, answer.words ? "a server of another history answers there" : answer.error.message);
}

/// MariaDB, MySQL: a replica says its server_id and port; its host only where report_host is set. Then it is
/// one from which the log is read.
void Walk::find_replica(size_t server, const Named& replica) {
  for (const auto& known : servers_)
    if (known.words && known.words->server_id == replica.server_id) return;
  const std::string because = "follows " + servers_[server].member.place.text();
  std::vector<std::string> hosts;
  if (!replica.host.empty()) hosts.push_back(replica.host);
  for (const auto& reader : servers_[server].words->readers) hosts.push_back(reader);
  const auto is_it = [&](const ServerWords& words) { return words.server_id == replica.server_id; };
  std::vector<Place> places;
  for (const auto& host : hosts) {
    const Place place = seen_from(server, {.host = host, .port = replica.port});
    if (find(place, is_it, because, Address::guessed)) return;
    if (std::ranges::none_of(places, [&](const Place& other) { return key_of(other) == key_of(place); }))
      places.push_back(place);
  }
  // Others answered at these, or nothing did.
  std::erase_if(places, [&](const Place& place) { return ask_once(place).words.has_value(); });
  if (!places.empty() && (places.size() == 1 || !replica.host.empty()))
    return list_unreached(places[0], because, ask_once(places[0]).error.message);
  std::string where;
  for (const auto& place : places) where += (where.empty() ? "" : ", ") + place.text();
  remark(fmt::format("a replica of {} with server_id {} was not found{}", servers_[server].member.place.text(),
                     replica.server_id, where.empty() ? "" : "; it is at one of " + where));
  incomplete_ = true;
}

/// PostgreSQL: a standby is known by where it connects from, not by its port.
void Walk::find_standby(size_t server, const Named& standby, std::set<size_t>& matched) {
  const std::string lineage = servers_[server].words->lineage;
  const int port = servers_[server].words->port;
  const std::string because = "follows " + servers_[server].member.place.text();
  const Place from = seen_from(server, standby);
  const auto takes = [&](size_t i) { return matched.insert(i).second; };
  // One that led here, or was found on another way.
  for (size_t i = 0; i < servers_.size(); ++i) {
    const auto& known = servers_[i];
    if (!known.words || !known.words->follows || known.words->lineage != lineage) continue;
    const bool there = known.member.place.host == from.host || (is_local(known.member.place) && is_local(from));
    if (there && known.words->sources.size() == 1 && known.words->sources[0].port == port && takes(i)) return;
  }
  const auto is_it = [&](const ServerWords& words) {
    if (words.lineage != lineage || !words.follows) return false;
    for (const size_t i : matched)
      if (servers_[i].words->identity == words.identity) return false;
    return true;
  };
  for (const int guess : {port, default_port(Engine::postgres)})
    if (const auto found = find({from.host, guess, ""}, is_it, because, Address::guessed)) {
      matched.insert(*found);
      return;
    }
  if (is_local(servers_[server].member.place)) {
    for (const auto& socket : sockets()) {
      const Answer& answer = ask_once({.socket = socket});
      if (!answer.words || !is_it(*answer.words)) continue;
      matched.insert(add({.socket = socket}, *answer.words, because));
      return;
    }
  }
  if (is_loopback(from.host)) {
    remark(fmt::format("the standby {} of {} is on the same machine and was not found: its port is not known",
                       standby.name, servers_[server].member.place.text()));
    incomplete_ = true;
    return;
  }
  const Place guessed{from.host, port, ""};
  const Answer& answer = ask_once(guessed);
  list_unreached(guessed, because,
                 fmt::format("{}; its port is not known, {} is that of its source",
                             answer.words ? "another server answers there" : answer.error.message, port));
}

void Walk::look_around(size_t server) {
  const ServerWords words = *servers_[server].words;  // the list grows
  for (const auto& sentence : words.remarks) remark(servers_[server].member.place.text() + ": " + sentence);
  if (like_.engine == Engine::galera) {
    Place& here = servers_[server].member.place;
    if (here.host.empty() && words.self.port != 0) here.host = words.self.host, here.port = words.self.port;
    for (const auto& node : words.nodes) find_node(server, node);
    return;
  }
  for (const auto& source : words.sources) follow_source(server, source);
  std::set<size_t> matched;
  for (const auto& follower : words.followers)
    like_.engine == Engine::postgres ? find_standby(server, follower, matched) : find_replica(server, follower);
}

ReplicationMode Walk::mode() const {
  if (servers_.size() == 1 && !incomplete_) return ReplicationMode::standalone;
  if (like_.engine == Engine::galera) return ReplicationMode::galera;
  if (like_.engine == Engine::postgres) return ReplicationMode::streaming;
  for (const auto& server : servers_)
    if (server.words && server.words->semi_sync && !server.words->follows) return ReplicationMode::semi_sync;
  return ReplicationMode::async;
}

Discovery Walk::describe() {
  Discovery discovery;
  discovery.cluster = like_;
  DatabaseCluster& cluster = discovery.cluster;
  cluster.replication = mode();
  const ServerWords& first = *servers_[0].words;
  cluster.lineage = first.lineage;
  if (cluster.name.empty()) cluster.name = ClusterName(std::string(engine_name(cluster.engine)));
  // Who is followed comes first; then as they were found.
  std::ranges::stable_sort(servers_, [](const Server& a, const Server& b) {
    return std::pair(!a.member.answered, a.member.follows) < std::pair(!b.member.answered, b.member.follows);
  });
  for (auto& server : servers_) {
    FoundMember& found = server.member;
    if (found.place.socket.empty() && cluster.credentials.by_socket()) {
      discovery.left_out.push_back(std::move(found));
      continue;
    }
    Member member;
    member.ordinal = static_cast<int>(cluster.members.size());
    member.name = MemberName(fmt::format("{}-{}", cluster.name.str(), member.ordinal));
    member.host = found.place.host;
    member.port = found.place.port ? found.place.port
                  : server.words   ? server.words->port
                                   : default_port(cluster.engine);
    member.socket = found.place.socket;
    cluster.members.push_back(std::move(member));
    discovery.members.push_back(std::move(found));
  }
  discovery.remarks = std::move(remarks_);
  return discovery;
}

Result<Discovery> Walk::run(const Place& start) {
  const Answer& answer = ask_once(start);
  if (!answer.words) return fail(Error(answer.error).with_context("asking " + start.text()));
  if (answer.words->galera && like_.engine == Engine::mariadb) {
    like_.engine = Engine::galera;
    remark("its servers are Galera nodes: the engine is galera");
  }
  if (like_.name.empty() && like_.engine == Engine::galera)
    like_.name = ClusterName(name_from(answer.words->cluster_name));
  add(start, *answer.words, "");
  while (!unseen_.empty()) {
    const size_t next = unseen_.front();
    unseen_.pop_front();
    look_around(next);
  }
  ask_by_network();
  const size_t nodes = servers_[0].words->nodes.size() + 1;
  if (like_.engine == Engine::galera && servers_.size() < nodes) {
    remark(fmt::format("{} of the {} nodes do not say where they are reached (wsrep_node_incoming_address)",
                       nodes - servers_.size(), nodes));
    incomplete_ = true;
  }
  return describe();
}

}  // namespace

std::string Place::text() const {
  return host.empty() ? socket : fmt::format("{}:{}", host, port);
}

Result<Discovery> discover(const DatabaseCluster& like, const Place& start, const DiscoveryAsk& ask,
                           const DiscoveryLimits& limits) {
  return Walk(like, ask, limits).run(start);
}

}  // namespace holdfast::cluster
