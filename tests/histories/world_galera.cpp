#include <fmt/format.h>

#include <algorithm>

#include "tests/histories/histories.h"

namespace holdfast::cluster::fuzz {
namespace {

using position::GaleraPosition;
using position::GaleraSource;
using position::Uuid;

struct Node {
  size_t uuid = 1;              ///< 0: zero
  std::vector<size_t> history;  ///< transactions by number under this UUID
  Transactions before;          ///< held since before this UUID
  size_t component = 0;         ///< 0: in none
  bool wiped = false, joining = false;

  Transactions truth() const {
    Transactions all = before;
    for (const size_t t : history) all.set(t);
    return all;
  }
};

class World {
 public:
  explicit World(Rng& rng) : rng_(rng) {
    nodes_.resize(3 + rng.below(3));
    for (Node& node : nodes_) node.component = 1;
    for (size_t i = 0; i < 1 + rng_.below(4); ++i) write(1);
  }

  Scene play() {
    const bool healthy = rng_.chance(20);
    for (size_t steps = 5 + rng_.below(25); steps > 0; --steps) {
      if (healthy) {
        calm_step();
      } else {
        wild_step();
      }
    }
    return scene(healthy);
  }

 private:
  size_t any() { return rng_.below(nodes_.size()); }
  std::vector<size_t> in(size_t component) const {
    std::vector<size_t> list;
    for (size_t i = 0; i < nodes_.size(); ++i)
      if (nodes_[i].component == component) list.push_back(i);
    return list;
  }
  /// The node of a component that has applied most.
  size_t first_of(size_t component) const {
    const auto list = in(component);
    return *std::ranges::max_element(list, {}, [&](size_t i) { return nodes_[i].history.size(); });
  }
  /// All of a component have received what was certified in it, and apply it in that order, before anything of their
  /// own.
  void catch_up(size_t m) {
    const auto& certified = certified_[nodes_[m].component];
    for (size_t i = nodes_[m].history.size(); i < certified.size(); ++i) nodes_[m].history.push_back(certified[i]);
  }

  void write(size_t component) {
    const auto list = in(component);
    if (list.empty() || transactions_ >= Transactions().size()) return;
    const size_t author = list[rng_.below(list.size())];
    catch_up(author);
    log_ += fmt::format("m{} writes {} as {}:{}\n", author, transactions_, nodes_[author].uuid,
                        nodes_[author].history.size() + 1);
    certified_[component].push_back(transactions_++);
    catch_up(author);
    for (const size_t i : list)
      if (rng_.chance(50)) catch_up(i);
  }
  void leave(size_t m) {
    if (nodes_[m].component == 0) return;
    log_ += fmt::format("m{} leaves\n", m);
    if (rng_.chance(70)) catch_up(m);  // stopped, rather than killed with a queue
    nodes_[m].component = 0;
  }
  /// By the missing write sets, when the donor has gone further under the same UUID, else by a whole copy.
  void join(size_t m, size_t component) {
    const auto members = in(component);
    if (members.empty() || nodes_[m].component != 0) return;
    const size_t from = first_of(component);
    catch_up(from);
    const Node& donor = nodes_[from];
    Node& node = nodes_[m];
    const bool incremental = !node.wiped && !node.joining && node.uuid == donor.uuid &&
                             node.history.size() <= donor.history.size() && rng_.chance(60);
    log_ += fmt::format("m{} joins {} by {}\n", m, component, incremental ? "IST" : "SST");
    if (incremental) {
      node.component = component;
      catch_up(m);
    } else {
      node = donor;
    }
  }
  /// A node outside begins a component, whatever others hold.
  void bootstrap(size_t m) {
    if (nodes_[m].component != 0 || nodes_[m].uuid == 0) return;
    log_ += fmt::format("m{} is bootstrapped at {}\n", m, nodes_[m].history.size());
    for (const Node& other : nodes_) {
      if (&other == &nodes_[m] || other.uuid != nodes_[m].uuid) continue;
      if (other.component != 0 || (other.truth() & ~nodes_[m].truth()).any()) forced_ = true;
    }
    nodes_[m].wiped = nodes_[m].joining = false;
    begin(m);
  }

  void begin(size_t m) {
    nodes_[m].component = ++components_;
    certified_.push_back(nodes_[m].history);
  }

  void calm_step() {
    const size_t m = any();
    switch (rng_.below(6)) {
      case 0:
        if (in(1).size() > 1) leave(m);
        break;
      case 1:
        join(m, 1);
        break;
      default:
        write(1);
    }
  }

  void wild_step() {
    const size_t m = any();
    Node& node = nodes_[m];
    switch (rng_.below(24)) {
      case 0:
      case 1:
        leave(m);
        break;
      case 2:
        if (!rng_.chance(30)) break;
        for (size_t i = 0; i < nodes_.size(); ++i) leave(i);
        break;
      case 3: {  // the right way: the most advanced of all, when nobody runs
        if (std::ranges::any_of(nodes_, [](const Node& n) { return n.component != 0; })) break;
        size_t best = m;
        for (const size_t i : {any(), any(), any(), any(), any()})
          if (nodes_[i].history.size() > nodes_[best].history.size()) best = i;
        bootstrap(best);
        break;
      }
      case 4:
        if (rng_.chance(15)) bootstrap(m);
        break;
      case 5: {  // a cut, and pc.bootstrap on the other side
        if (!rng_.chance(10) || node.component == 0 || in(node.component).size() < 2) break;
        log_ += fmt::format("m{} is cut off\n", m);
        node.component = 0;
        bootstrap(m);
        break;
      }
      case 6: {  // grastate.dat removed, then bootstrapped: the data stays, the history gets a new name
        if (!rng_.chance(20) || node.component != 0) break;
        log_ += fmt::format("m{} gets a new UUID\n", m);
        node.before = node.truth();
        node.history.clear();
        node.uuid = ++uuids_;
        begin(m);
        node.wiped = node.joining = false;
        break;
      }
      case 7:
        if (!rng_.chance(30)) break;
        log_ += fmt::format("m{} is wiped\n", m);
        node = {};
        node.uuid = 0;
        node.wiped = true;
        break;
      case 8:
        if (!rng_.chance(30) || node.component != 0) break;
        log_ += fmt::format("m{} has its state transfer cut short\n", m);
        node.joining = true;
        break;
      case 9:
      case 10:
      case 11:
      case 12:
        join(m, components_ == 1 ? 1 : 1 + rng_.below(components_));
        break;
      default:
        for (size_t c = 1; c <= components_; ++c) write(c);
    }
  }

  static Uuid uuid(size_t n) {
    Uuid uuid;
    uuid.bytes[15] = static_cast<uint8_t>(n);
    return uuid;
  }

  Scene scene(bool healthy) {
    for (size_t i = 0; healthy && i < nodes_.size(); ++i)
      if (nodes_[i].component != 0) catch_up(i);  // a second look, when the queues are applied
    Scene scene;
    scene.engine = Engine::galera;
    if (rng_.chance(50)) scene.known_lineage = uuid(1).to_string();
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const Node& node = nodes_[i];
      History member;
      member.member = member_name(i);
      member.read = node.wiped ? History::Read::empty : History::Read::read;
      GaleraPosition position{uuid(node.uuid), static_cast<int64_t>(node.history.size()), GaleraSource::live};
      if (node.component != 0) {
        member.in_primary_component = true;
        member.view.emplace();
        for (const size_t other : in(node.component)) member.view->push_back(member_name(other));
      } else {
        position.source = rng_.chance(50) ? GaleraSource::grastate : GaleraSource::recovered;
        if (!healthy && rng_.chance(5)) position.source = GaleraSource::gcache;
        if (!healthy && rng_.chance(5)) position = {position.uuid, -1, GaleraSource::grastate};
      }
      member.provable_position = !node.joining;
      if (!node.wiped) member.position = position;
      member.leader = rng_.chance(20);
      scene.shown.push_back(member);
      scene.truth.push_back(node.truth());
      scene.foreign.push_back(!scene.known_lineage.empty() && !node.wiped && node.uuid != 1);
    }
    scene.healthy = healthy;
    if (!healthy) hide_some(rng_, scene.shown);
    scene.log = log_;
    scene.masked = [nodes = nodes_, forced = forced_](size_t t, size_t x, size_t a) -> std::string {
      const Node &holder = nodes[x], &authority = nodes[a];
      if (!forced || (holder.component != 0 && holder.component != authority.component && authority.component != 0))
        return "";
      if (holder.uuid != authority.uuid || holder.before[t]) return "";
      const bool numbered_past = holder.history.size() <= authority.history.size();
      return numbered_past ? "bootstrapped by force from an older node" : "";
    };
    return scene;
  }

  Rng& rng_;
  std::vector<Node> nodes_;
  std::vector<std::vector<size_t>> certified_{{}, {}};  ///< by component
  size_t transactions_ = 0, uuids_ = 1, components_ = 1;
  bool forced_ = false;
  std::string log_;
};

}  // namespace

Scene play_galera(Rng& rng) {
  return World(rng).play();
}

}  // namespace holdfast::cluster::fuzz
