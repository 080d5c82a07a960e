#include <fmt/format.h>

#include <algorithm>

#include "tests/histories/histories.h"

namespace holdfast::cluster::fuzz {
namespace {

using position::Lsn;
using position::TimelineSwitch;
using position::WalPosition;

/// A record of the log. Its path is the identity of its timeline: the numbers and switch points that led there.
struct Record {
  std::string path;
  uint32_t timeline = 0;
  uint64_t begin = 0, end = 0;
  int transaction = -1;  ///< -1: a checkpoint
  size_t serial = 0;     ///< no two records share it, even where the log cannot tell them apart
};

struct Server {
  std::string system = "7001";
  uint32_t timeline = 1;
  std::vector<TimelineSwitch> history;
  std::vector<Record> log;
  std::optional<uint64_t> pages_need;  ///< minimum recovery point beyond the end of the log
  Transactions truth;
  bool wrote = false, wiped = false;

  uint64_t end() const { return log.empty() ? 100 : log.back().end; }
  std::string path() const {
    std::string text = system;
    for (const auto& entry : history) text += fmt::format(" {}:{}", entry.timeline, entry.at.value);
    return text + fmt::format(" {}", timeline);
  }
};

class World {
 public:
  explicit World(Rng& rng) : rng_(rng) {
    servers_.resize(2 + rng.below(4));
    leads_.assign(servers_.size(), false);
    leads_[0] = servers_[0].wrote = true;
    for (size_t i = 0; i < 1 + rng_.below(4); ++i) write(0);
    for (size_t i = 1; i < servers_.size(); ++i) follow(i, 0, 300);
  }

  Scene play() {
    const bool healthy = healthy_ = rng_.chance(20);
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

  void append(Server& server, int transaction) {
    Record record{server.path(), server.timeline, server.end(), server.end() + 8 * (1 + rng_.below(2)),
                  transaction,   serial_++};
    // Somebody already wrote here, and this server does not hold it.
    for (const Record& other : records_) {
      if (other.path != record.path || other.end <= record.begin) continue;
      if (!std::ranges::any_of(server.log, [&](const Record& own) { return own.serial == other.serial; }))
        twice_.push_back(record.path);
    }
    records_.push_back(record);
    server.log.push_back(record);
    server.wrote = true;
  }
  void write(size_t m) {
    Server& server = servers_[m];
    if (server.wiped || transactions_ >= Transactions().size()) return;
    if (!server.wrote) promote(m);
    if (!server.wrote) return;
    append(server, static_cast<int>(transactions_));
    server.truth.set(transactions_);
    log_ += fmt::format("m{} writes {} up to {}/{}\n", m, transactions_++, server.timeline, server.end());
  }
  /// Onto a new timeline: the highest number known, or, where the archive is not shared, only its own.
  void promote(size_t m) {
    Server& server = servers_[m];
    if (server.wiped || server.pages_need) return;  // "WAL ends before consistent recovery point"
    uint32_t highest = server.timeline;
    if (rng_.chance(60))
      for (const Server& other : servers_) highest = std::max(highest, other.timeline);
    server.history.push_back({server.timeline, Lsn{server.end()}, ""});
    server.timeline = highest + 1;
    log_ += fmt::format("m{} is promoted to {} at {}\n", m, server.timeline, server.end());
    server.wrote = true;
    if (healthy_ || !rng_.chance(5)) append(server, -1);  // else it dies right here
  }
  void lead(size_t m) {
    for (size_t i = 0; i < leads_.size(); ++i) leads_[i] = i == m;
    if (!servers_[m].wrote) promote(m);
  }

  /// What servers let pass: the follower's timeline is one of the source's history, not left before the follower's end.
  /// One of the same number with another history is stopped by the back links of its records.
  static bool accepts(const Server& source, const Server& server) {
    if (source.system != server.system || server.wiped || source.wiped) return false;
    const size_t depth = server.history.size();
    for (size_t i = 0; i < depth; ++i) {
      if (i >= source.history.size() || source.history[i].timeline != server.history[i].timeline ||
          source.history[i].at != server.history[i].at)
        return false;
    }
    if (depth == source.history.size()) return source.timeline == server.timeline && server.end() <= source.end();
    return source.history[depth].timeline == server.timeline &&
           std::max(server.end(), server.pages_need.value_or(0)) <= source.history[depth].at.value;
  }
  void follow(size_t m, size_t from, size_t limit) {
    Server& server = servers_[m];
    const Server source = servers_[from];
    if (m == from || !accepts(source, server)) return;
    log_ += fmt::format("m{} follows m{} by {}\n", m, from, limit);
    server.wrote = false;
    for (const Record& record : source.log) {
      if (record.end <= server.end()) continue;
      if (limit-- == 0) break;
      server.log.push_back(record);
      if (record.transaction >= 0) server.truth.set(static_cast<size_t>(record.transaction));
      server.timeline = record.timeline;
    }
    if (server.pages_need && *server.pages_need <= server.end()) server.pages_need.reset();
    std::vector<TimelineSwitch> known;
    for (const auto& entry : source.history)
      if (entry.timeline < server.timeline) known.push_back(entry);
    server.history = known;
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
    Server& server = servers_[m];
    switch (rng_.below(36)) {
      case 0:
      case 1:
        lead(m);
        break;
      case 2:
        leads_[m] = true;
        promote(m);
        break;
      case 3:
        log_ += "nobody leads\n";
        leads_.assign(leads_.size(), false);
        break;
      case 4: {  // an older copy, of a standby or of a stopped primary
        const Server copy = past[rng_.below(past.size())];
        log_ += fmt::format("m{} is restored to {}/{}\n", m, copy.timeline, copy.end());
        server = copy;
        if (rng_.chance(40)) write(m);
        break;
      }
      case 5:  // a base backup
        server = servers_[any()];
        server.wrote = false;
        log_ += fmt::format("m{} is rebuilt\n", m);
        break;
      case 6:
        if (!rng_.chance(30)) break;
        log_ += fmt::format("m{} is initialised anew\n", m);
        server = {};
        server.system = fmt::format("{}", 8000 + serial_);
        server.wrote = true;
        write(m);
        break;
      case 7:
        if (!rng_.chance(30)) break;
        log_ += fmt::format("m{} is wiped\n", m);
        server = {};
        server.wiped = true;
        break;
      case 8:  // a standby whose disk lied: the end of the log is gone, pages that needed it are there
        if (!rng_.chance(40) || server.log.size() < 3 || server.wiped || server.wrote) break;
        server.pages_need = std::max(server.end(), server.pages_need.value_or(0));
        server.log.resize(server.log.size() - 1 - rng_.below(2));
        log_ += fmt::format("m{} lost its log after {}\n", m, server.end());
        leads_[m] = false;
        break;
      case 9:
      case 10:
      case 11:
      case 12:
        follow(m, any(), rng_.below(12));
        break;
      case 13:
      case 14:
      case 15:
      case 16:
      case 17:
        follow(m, leader(), 300);
        break;
      default:
        for (size_t i = 0; i < leads_.size(); ++i)
          if (leads_[i]) write(i);
    }
  }

  Scene scene(bool healthy) {
    Scene scene;
    scene.engine = Engine::postgres;
    if (rng_.chance(50)) scene.known_lineage = "7001";
    for (size_t i = 0; i < servers_.size(); ++i) {
      const Server& server = servers_[i];
      History member;
      member.member = member_name(i);
      member.read = server.wiped ? History::Read::empty : History::Read::read;
      member.leader = leads_[i];
      if (!server.wiped) {
        WalPosition position{server.system, server.timeline, {server.history}, Lsn{server.end()}, {}, server.wrote};
        if (server.pages_need) position.minimum_recovery = Lsn{*server.pages_need};
        member.position = position;
      }
      scene.shown.push_back(member);
      scene.truth.push_back(server.truth);
      scene.foreign.push_back(!scene.known_lineage.empty() && !server.wiped && server.system != "7001");
    }
    scene.healthy = healthy;
    scene.leader = leader();
    if (!healthy) hide_some(rng_, scene.shown);
    scene.log = log_;
    scene.masked = [world = *this](size_t t, size_t x, size_t a) { return world.masked(t, x, a); };
    return scene;
  }

  /// Only a path that came into being twice hides anything, and not while two of its writers are seen, or one behind a
  /// follower.
  std::string masked(size_t t, size_t x, size_t a) const {
    const Server &holder = servers_[x], &authority = servers_[a];
    const auto record =
        std::ranges::find_if(records_, [&](const Record& r) { return r.transaction == static_cast<int>(t); });
    if (std::ranges::find(twice_, record->path) == twice_.end()) return "";
    if (holder.path() == authority.path()) {
      if (holder.wrote && (authority.wrote || authority.end() > holder.end())) return "";
      if (authority.wrote && holder.end() > authority.end()) return "";
    }
    for (const Server& one : servers_) {
      for (const Server& other : servers_) {
        const bool both_wrote = one.wrote && other.wrote && one.path() == other.path();
        if (&one != &other && both_wrote && one.path() == record->path) return "";
      }
    }
    return "one timeline written twice";
  }

  Rng& rng_;
  std::vector<Server> servers_;
  std::vector<bool> leads_;
  std::vector<Record> records_;
  std::vector<std::string> twice_;
  size_t transactions_ = 0, serial_ = 0;
  bool healthy_ = true;
  std::string log_;
};

}  // namespace

Scene play_postgres(Rng& rng) {
  return World(rng).play();
}

}  // namespace holdfast::cluster::fuzz
