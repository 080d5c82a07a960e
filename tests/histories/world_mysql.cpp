#include <fmt/format.h>

#include <array>
#include <bit>

#include "tests/histories/histories.h"

namespace holdfast::cluster::fuzz {
namespace {

using position::GtidSet;
using position::Uuid;

constexpr size_t kServers = 24;

struct Event {
  size_t uuid = 0, number = 0, transaction = 0;
};

struct Server {
  size_t uuid = 0;
  std::array<uint64_t, kServers> executed{};  ///< by uuid, bit number-1
  std::vector<Event> log;
  Transactions truth, forgotten;  ///< forgotten: held, but its record was reset
  bool wiped = false, by_hand = false;
  bool has(const Event& event) const { return executed[event.uuid] >> (event.number - 1) & 1; }
};

class World {
 public:
  explicit World(Rng& rng) : rng_(rng) {
    servers_.resize(2 + rng.below(4));
    for (Server& server : servers_) server.uuid = uuids_++;
    leads_.assign(servers_.size(), false);
    leads_[0] = true;
    for (size_t i = 0; i < 1 + rng_.below(4); ++i) write(0);
  }

  Scene play() {
    const bool healthy = rng_.chance(20);
    const size_t steps = 5 + rng_.below(25);
    for (size_t i = 0; i < servers_.size(); ++i) follow(i, leader(), 64, false);
    std::vector<Server> past = servers_;
    for (size_t step = 0; step < steps; ++step) {
      if (healthy) {
        calm_step();
      } else {
        wild_step(past);
      }
      if (rng_.chance(20)) past[rng_.below(past.size())] = servers_[rng_.below(servers_.size())];
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

  void write(size_t m) {
    Server& server = servers_[m];
    if (server.wiped || events_.size() >= Transactions().size()) return;
    const auto number = static_cast<size_t>(std::countr_one(server.executed[server.uuid])) + 1;  // the first free one
    if (number > 60) return;
    const Event event{server.uuid, number, events_.size()};
    events_.push_back(event);
    log_ += fmt::format("m{} writes {} as u{}:{}\n", m, event.transaction, event.uuid, event.number);
    apply(server, event);
  }
  static void apply(Server& server, const Event& event) {
    server.executed[event.uuid] |= uint64_t{1} << (event.number - 1);
    server.log.push_back(event);
    server.truth.set(event.transaction);
  }
  void follow(size_t m, size_t from, size_t limit, bool gaps) {
    if (m == from || servers_[m].wiped) return;
    log_ += fmt::format("m{} follows m{} by {}{}\n", m, from, limit, gaps ? " with gaps" : "");
    const std::vector<Event> source = servers_[from].log;
    for (const Event& event : source) {
      if (servers_[m].has(event)) continue;
      if (limit-- == 0) return;
      if (!gaps || rng_.chance(60)) apply(servers_[m], event);
    }
  }
  void lead(size_t m) {
    log_ += fmt::format("m{} leads alone\n", m);
    leads_.assign(leads_.size(), false);
    leads_[m] = true;
  }
  void copy(size_t m, const Server& source, bool keeps_uuid) {
    const size_t uuid = keeps_uuid ? servers_[m].uuid : uuids_++;
    servers_[m] = source;
    servers_[m].uuid = uuid;
  }

  void calm_step() {
    const size_t m = any(), at = leader();
    switch (rng_.below(10)) {
      case 0:  // switchover
        follow(m, at, 64, false);
        lead(m);
        break;
      case 1:  // rebuild
        if (m != at && uuids_ < kServers) copy(m, servers_[at], false);
        break;
      case 2:
      case 3:
      case 4:
        follow(m, at, rng_.below(8), false);
        break;
      default:
        write(at);
    }
  }

  void wild_step(const std::vector<Server>& past) {
    const size_t m = any();
    const bool may_renew = uuids_ < kServers;
    switch (rng_.below(40)) {
      case 0:  // failover: what the new one lacks is lost to it
        lead(m);
        break;
      case 1:
        log_ += fmt::format("m{} leads, too\n", m);
        leads_[m] = true;
        break;
      case 2:
        log_ += "nobody leads\n";
        leads_.assign(leads_.size(), false);
        break;
      case 3:
      case 4:
        write(m);  // errant, or a second writer
        break;
      case 5: {  // restored from an older copy
        const size_t from = rng_.below(past.size());
        const bool keeps_uuid = !may_renew || rng_.chance(50);
        log_ += fmt::format("m{} is restored, {} uuid\n", m, keeps_uuid ? "old" : "new");
        copy(m, past[from], keeps_uuid);
        break;
      }
      case 6:  // RESET MASTER
        if (!rng_.chance(40) || servers_[m].wiped) break;
        log_ += fmt::format("m{} is reset\n", m);
        tampered_ = true;
        servers_[m].executed = {};
        servers_[m].log.clear();
        servers_[m].forgotten = servers_[m].truth;
        if (rng_.chance(40)) {
          log_ += "  and takes over the leader's gtid_executed\n";
          servers_[m].executed = servers_[leader()].executed;
          servers_[m].by_hand = true;
        } else if (rng_.chance(50)) {  // goes on from file and position
          log_ += "  and goes on by position\n";
          const auto& source = servers_[leader()].log;
          for (size_t i = rng_.below(source.size() + 1); i < source.size(); ++i) apply(servers_[m], Event(source[i]));
        }
        break;
      case 7:
        if (!rng_.chance(30) || !may_renew) break;
        log_ += fmt::format("m{} is initialised anew\n", m);
        copy(m, Server(), false);
        write(m);
        break;
      case 8:
        if (!rng_.chance(30)) break;
        log_ += fmt::format("m{} is wiped\n", m);
        copy(m, Server(), true);
        servers_[m].wiped = true;
        break;
      case 9:
        if (may_renew) copy(m, servers_[any()], false);
        break;
      case 10:
      case 11:
      case 12:
      case 13:
      case 14:
      case 15:
        follow(m, any(), rng_.below(12), rng_.chance(30));
        break;
      case 16:
      case 17:
      case 18:
      case 19:
      case 20:
        follow(m, leader(), 64, false);
        break;
      default:
        for (size_t i = 0; i < leads_.size(); ++i)
          if (leads_[i]) write(i);
    }
  }

  static Uuid uuid(size_t n) {
    Uuid uuid;
    uuid.bytes[15] = static_cast<uint8_t>(n + 1);
    return uuid;
  }

  Scene scene(bool healthy) {
    Scene scene;
    scene.engine = Engine::mysql;
    for (size_t i = 0; i < servers_.size(); ++i) {
      History member;
      member.member = member_name(i);
      member.read = servers_[i].wiped ? History::Read::empty : History::Read::read;
      member.leader = leads_[i];
      GtidSet set;
      for (size_t u = 0; u < kServers; ++u) {
        for (uint64_t n = 1; n < 64; ++n)
          if (servers_[i].executed[u] >> (n - 1) & 1) set.add(uuid(u), "", {n, n});
      }
      if (!servers_[i].wiped) member.position = set;
      scene.shown.push_back(member);
      scene.truth.push_back(servers_[i].truth);
    }
    scene.foreign.assign(servers_.size(), false);
    scene.healthy = healthy;
    scene.leader = leader();
    scene.tampered = tampered_;
    if (!healthy) hide_some(rng_, scene.shown);
    scene.log = log_;
    scene.masked = [servers = servers_, events = events_](size_t t, size_t x, size_t a) -> std::string {
      const Server &holder = servers[x], &authority = servers[a];
      const Event& event = events[t];
      if (!holder.has(event)) {
        for (size_t u = 0; u < kServers; ++u) {  // a reset that shows
          for (const Server& other : servers)
            if (holder.executed[u] != 0 &&
                std::countr_zero(holder.executed[u]) > std::countr_zero(other.executed[u] | 1ULL << 63))
              return "";
        }
        if (holder.executed == decltype(holder.executed){}) return "";
        return holder.forgotten[t] ? "the holder's GTIDs were reset" : "";
      }
      if (!authority.has(event)) return "";
      for (const Event& other : events)
        if (other.uuid == event.uuid && other.number == event.number && other.transaction != t &&
            authority.truth[other.transaction])
          return "a number given out twice";
      return authority.by_hand ? "the authority's GTIDs were set by hand" : "";
    };
    return scene;
  }

  Rng& rng_;
  std::vector<Server> servers_;
  std::vector<bool> leads_;
  std::vector<Event> events_;
  size_t uuids_ = 0;
  bool tampered_ = false;
  std::string log_;
};

}  // namespace

Scene play_mysql(Rng& rng) {
  return World(rng).play();
}

}  // namespace holdfast::cluster::fuzz
