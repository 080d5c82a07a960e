#include <fmt/format.h>

#include <algorithm>

#include "tests/histories/histories.h"

namespace holdfast::cluster::fuzz {
namespace {

using position::GtidState;
using position::GtidVector;
using position::MariaGtid;

struct Event {
  MariaGtid gtid;
  size_t transaction = 0;
};

struct Server {
  std::vector<Event> log;
  GtidVector base;     ///< where the log begins
  GtidVector applied;  ///< gtid_slave_pos
  GtidState state;
  Transactions truth, forgotten;  ///< forgotten: held, but the state was shortened since
  bool wiped = false;
  std::vector<Event> relay;  ///< received and not applied

  void apply(const Event& event) {
    log.push_back(event);
    state.record(event.gtid);
    truth.set(event.transaction);
  }
};

class World {
 public:
  explicit World(Rng& rng) : rng_(rng) {
    servers_.resize(2 + rng.below(4));
    leads_.assign(servers_.size(), false);
    leads_[0] = true;
    for (size_t i = 0; i < 1 + rng_.below(4); ++i) write(0);
    for (size_t i = 1; i < servers_.size(); ++i) follow(i, 0, 64);
  }

  Scene play() {
    const bool healthy = rng_.chance(20);
    std::vector<Server> past = servers_;
    for (size_t steps = 5 + rng_.below(25); steps > 0; --steps) {
      if (healthy) {
        calm_step();
      } else {
        wild_step(past);
      }
      if (rng_.chance(20)) past[rng_.below(past.size())] = servers_[any()];
    }
    return scene(healthy);
  }

 private:
  size_t any() { return rng_.below(servers_.size()); }
  size_t leader() const {
    for (size_t i = 0; i < leads_.size(); ++i)
      if (leads_[i]) return i;
    return 0;
  }
  static uint32_t id(size_t m) { return static_cast<uint32_t>(m + 1); }

  void write(size_t m) {
    Server& server = servers_[m];
    if (server.wiped || events_.size() >= Transactions().size()) return;
    const uint32_t domain = rng_.chance(85) ? 0 : 1;
    uint64_t seq = 0;
    for (const MariaGtid& gtid : server.state.entries())
      if (gtid.domain == domain) seq = std::max(seq, gtid.seq);
    const Event event{{domain, id(m), seq + 1}, events_.size()};
    log_ += fmt::format("m{} writes {} as {}\n", m, event.transaction, event.gtid.to_string());
    for (const Event& other : events_) numbered_twice_ |= other.gtid == event.gtid;
    events_.push_back(event);
    server.apply(event);
  }

  /// Domain by domain from where it stands. A position the source does not know stops it (error 1236).
  void follow(size_t m, size_t from, size_t limit) {
    if (m == from || servers_[m].wiped || servers_[from].wiped) return;
    Server& server = servers_[m];
    log_ += fmt::format("m{} follows m{} by {}\n", m, from, limit);
    server.relay.clear();  // by GTID, when its threads start
    for (const uint32_t domain : {0U, 1U}) {
      const MariaGtid at = server.applied.of_domain(domain);
      bool found = at == servers_[from].base.of_domain(domain);
      const std::vector<Event> source = servers_[from].log;
      for (const Event& event : source) {
        if (event.gtid.domain != domain) continue;
        if (found) {
          if (limit == 0) return;
          --limit;
          if (event.gtid.server != id(m)) server.apply(event);  // replicate_same_server_id is off
          server.applied.set(event.gtid);
        }
        found |= event.gtid == at;
      }
    }
  }
  /// Its receiver is faster than its applier.
  void receive(size_t m, size_t from, size_t limit) {
    if (m == from || servers_[m].wiped || servers_[from].wiped || leads_[m]) return;
    Server& server = servers_[m];
    log_ += fmt::format("m{} receives {} of m{}\n", m, limit, from);
    server.relay.clear();
    const MariaGtid at = server.applied.of_domain(0);
    bool found = at == servers_[from].base.of_domain(0);
    for (const Event& event : servers_[from].log) {
      if (event.gtid.domain != 0) continue;
      if (found && event.gtid.server != id(m) && limit-- > 0) server.relay.push_back(event);
      if (limit == 0) break;
      found |= event.gtid == at;
    }
  }
  void lead(size_t m) {
    log_ += fmt::format("m{} leads alone\n", m);
    servers_[m].relay.clear();
    for (size_t i = 0; i < leads_.size(); ++i) {
      if (leads_[i] && i != m) servers_[i].applied = servers_[i].state.last();  // gtid_current_pos
      leads_[i] = i == m;
    }
  }
  /// From a physical copy: data, and the position it is at.
  void rebuild(size_t m, const Server& source) {
    log_ += fmt::format("m{} is rebuilt\n", m);
    Server server;
    server.truth = server.forgotten = source.truth;
    server.base = server.applied = source.state.last();
    server.state = GtidState::from(server.base);
    server.wiped = source.wiped;
    servers_[m] = server;
  }

  void calm_step() {
    const size_t m = any(), at = leader();
    switch (rng_.below(8)) {
      case 0:
        follow(m, at, 300);
        lead(m);
        break;
      case 1:
      case 2:
      case 3:
        follow(m, at, rng_.below(8));
        break;
      default:
        write(at);
    }
  }

  void wild_step(const std::vector<Server>& past) {
    const size_t m = any();
    switch (rng_.below(40)) {
      case 0:
        lead(m);
        break;
      case 1:
        log_ += fmt::format("m{} leads, too\n", m);
        leads_[m] = true;
        servers_[m].relay.clear();
        unshared_ = true;
        break;
      case 21:
      case 22:
      case 23:
        receive(m, rng_.chance(70) ? leader() : any(), 1 + rng_.below(4));
        break;
      case 2:
        log_ += "nobody leads\n";
        leads_.assign(leads_.size(), false);
        break;
      case 3:
      case 4:
        write(m);
        unshared_ |= !leads_[m];
        break;
      case 5:
        log_ += fmt::format("m{} is restored with its logs\n", m);
        servers_[m] = past[rng_.below(past.size())];
        servers_[m].applied = servers_[m].state.last();  // gtid_current_pos
        restored_ = true;
        break;
      case 6:
        if (!rng_.chance(30) || servers_[m].wiped) break;
        log_ += fmt::format("m{} is reset\n", m);
        servers_[m].forgotten = servers_[m].truth;
        servers_[m].state = {};
        servers_[m].base = rng_.chance(50) ? servers_[m].applied : GtidVector();
        servers_[m].log.clear();
        restored_ = true;
        break;
      case 7:
        if (!rng_.chance(20)) break;
        log_ += fmt::format("m{} is initialised anew\n", m);
        servers_[m] = {};
        write(m);
        restored_ = true;
        break;
      case 8:
        if (!rng_.chance(30)) break;
        log_ += fmt::format("m{} is wiped\n", m);
        servers_[m] = {};
        servers_[m].wiped = true;
        break;
      case 9:
        restored_ |= leads_[m];  // it writes on from an older point, under its own number
        rebuild(m, servers_[any()]);
        break;
      case 10:  // somebody puts a stopped replica back to work, whatever it holds besides
        if (!rng_.chance(30)) break;
        log_ += fmt::format("m{} gets the position of m{} by hand\n", m, leader());
        servers_[m].applied = servers_[leader()].state.last();
        by_hand_ = true;
        break;
      case 11:
      case 12:
      case 13:
      case 14:
        follow(m, any(), rng_.below(12));
        break;
      case 15:
      case 16:
      case 17:
      case 18:
      case 19:
      case 20:
        follow(m, leader(), 300);
        break;
      default:
        for (size_t i = 0; i < leads_.size(); ++i)
          if (leads_[i]) write(i);
    }
  }

  Scene scene(bool healthy) {
    Scene scene;
    scene.engine = Engine::mariadb;
    for (size_t i = 0; i < servers_.size(); ++i) {
      History member;
      member.member = member_name(i);
      member.read = servers_[i].wiped ? History::Read::empty : History::Read::read;
      member.leader = leads_[i];
      GtidState state = *GtidState::parse(servers_[i].state.to_string());
      GtidState received;
      Transactions relayed;
      for (const Event& event : servers_[i].relay) {
        received.record(event.gtid);
        if (!servers_[i].truth[event.transaction]) relayed.set(event.transaction);
      }
      scene.logged.push_back(state.to_string());
      scene.received.push_back(received.to_string());
      scene.noted.push_back(servers_[i].applied.to_string());
      scene.relayed.push_back(relayed);
      // One that was reset is none whose position is known by what it received since.
      if (!servers_[i].wiped) member.position = state.empty() ? state : state.merge(received);
      member.own = std::to_string(id(i));
      scene.shown.push_back(member);
      scene.truth.push_back(servers_[i].truth | relayed);
    }
    scene.foreign.assign(servers_.size(), false);
    scene.healthy = healthy;
    scene.leader = leader();
    if (!healthy) hide_some(rng_, scene.shown);
    scene.log = log_;
    scene.masked = [this_world = *this](size_t t, size_t x, size_t a) { return this_world.masked(t, x, a); };
    return scene;
  }

  std::string masked(size_t t, size_t x, size_t a) const {
    const Server &holder = servers_[x], &authority = servers_[a];
    const MariaGtid& gtid = events_[t].gtid;
    const bool relayed = std::ranges::any_of(holder.relay, [&](const Event& event) { return event.transaction == t; });
    if (!holder.state.contains(gtid) && !relayed) {
      if (holder.state.empty()) return "";
      if (holder.forgotten[t]) return "the holder's state was shortened";
      if (by_hand_) return "a position set by hand";  // what it applies again takes its numbers back
      return numbered_twice_ ? "a number given out twice" : "";
    }
    GtidState received;
    for (const Event& event : authority.relay) received.record(event.gtid);
    if (!authority.state.merge(received).contains(gtid)) return "";
    if (numbered_twice_) return "a number given out twice";
    if (by_hand_) return "a position set by hand";
    if (restored_) return "a restored server wrote again as primary";
    return unshared_ ? "a second writer was followed later" : "";
  }

  Rng& rng_;
  std::vector<Server> servers_;
  std::vector<bool> leads_;
  std::vector<Event> events_;
  bool unshared_ = false, restored_ = false, by_hand_ = false, numbered_twice_ = false;
  std::string log_;
};

}  // namespace

Scene play_mariadb(Rng& rng) {
  return World(rng).play();
}

}  // namespace holdfast::cluster::fuzz
