// What repair, with and without --adopt, and bootstrap would do to random clusters does no harm: each plan is played on
// the truth, step by step.
//
// After every step, also where the operation dies there: everything that any member ever held is in a member, in a
// directory put aside, or in an escrow copy; without an acceptance by name, it is in a member, unless nobody could see
// it from what the members show (the blind spots of docs/decisions/0006-authority.md). A member nobody could read, and
// a member of another history, is left alone and never copied from. And no cluster is called healthy that is not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "cluster/triage.h"
#include "operation/plan.h"
#include "repair/bootstrap.h"
#include "repair/plan.h"
#include "tests/histories/histories.h"

namespace holdfast::cluster::fuzz {
namespace {

using operation::Plan;
using operation::Step;
using position::GaleraPosition;
using position::GtidSet;
using position::GtidState;
using position::WalPosition;

constexpr int kClusters = kHistories / 5;  ///< of each engine

std::string address(size_t i) {
  return fmt::format("127.0.0.1:{}", 1000 + i);
}

/// A cluster as triage would find it: what the members of a scene show, with servers that run or do not.
struct Found {
  DatabaseCluster cluster;
  std::vector<MemberFacts> facts;
};

void follow(Rng& rng, Engine engine, MemberFacts& f, size_t leader) {
  f.role = MemberRole::replica;
  f.read_only = !rng.chance(5);
  Following stream;
  stream.upstream = address(rng.chance(95) ? leader : leader + 1);
  if (rng.chance(5)) stream.upstream = "db.internal:3306";  // whoever that is
  stream.receive_state = engine == Engine::postgres ? "streaming" : "Yes";
  stream.receiving = stream.applying = true;
  stream.lag_seconds = 0;
  stream.uses_gtid = true;
  switch (rng.below(12)) {
    case 0:
      stream.applying = false;
      break;
    case 1:
      stream.receiving = stream.applying = false;
      stream.receive_state = "No";
      break;
    case 2:
      stream.applying = false;
      stream.apply_errno = 1062;
      stream.apply_error = "Duplicate entry '1' for key 'PRIMARY'";
      break;
    case 3:
      stream.receiving = false;
      stream.receive_state = "No";
      stream.receive_errno = 1236;
      stream.receive_error = "could not find the log; purged required binary logs";
      break;
    case 4:
      return;  // follows nobody
    default:
      break;
  }
  f.following.push_back(std::move(stream));
}

void show_live(Rng& rng, const Scene& scene, size_t i, size_t leader, MemberFacts& f) {
  const History& shown = scene.shown[i];
  f.reach = Reach::reachable;
  f.tcp = true;
  f.runtime.state = "running";
  f.runtime.mode = "normal";
  f.runtime.pid = 100 + static_cast<int>(i);
  f.runtime.process_state = "S";
  f.mysql.log_bin = f.mysql.log_replica_updates = true;
  if (scene.engine == Engine::galera) {
    f.role = MemberRole::node;
    f.read_only = false;
    const auto& p = std::get<GaleraPosition>(shown.position);
    f.lineage = p.uuid.to_string();
    f.executed = fmt::format("{}:{}", f.lineage, p.seqno);
    GaleraFacts g;
    g.status = shown.in_primary_component ? "Primary" : "non-Primary";
    g.state = shown.provable_position ? (shown.in_primary_component ? "Synced" : "Initialized") : "Joiner";
    g.uuid = g.local_uuid = f.lineage;
    g.ready = g.connected = shown.in_primary_component;
    g.wsrep_on = true;
    g.provider = "/usr/lib/galera/libgalera_smm.so";
    g.last_committed = p.seqno;
    if (shown.view) {
      for (const auto& name : *shown.view) g.view.push_back(address(std::stoul(name.str().substr(1))));
      g.size = static_cast<int>(g.view.size());
    }
    f.galera = g;
    return;
  }
  if (shown.leader) {
    f.role = MemberRole::primary;
    f.read_only = false;
    f.followers = 1;
  } else if (i == leader) {  // nobody leads: the one that should is read-only
    f.role = MemberRole::primary;
    f.read_only = true;
  } else {
    follow(rng, scene.engine, f, leader);
  }
  if (const auto* set = std::get_if<GtidSet>(&shown.position)) {
    f.lineage = fmt::format("00000000-0000-0000-0000-0000000001{:02}", i);
    f.executed = set->to_string();
    f.mysql.gtid_mode = !rng.chance(2);
  } else if (std::holds_alternative<GtidState>(shown.position)) {
    f.executed = scene.logged[i];
    f.received = scene.received[i];
    f.slave_pos = scene.noted[i];
    f.server_id = i + 1;
    f.mysql.gtid_strict = true;
  } else if (const auto* wal = std::get_if<WalPosition>(&shown.position)) {
    if (f.following.empty() && f.role == MemberRole::replica) f.following.emplace_back();
    if (f.role == MemberRole::replica) f.runtime.upstream_wanted = address(leader);
    f.lineage = wal->system_identifier;
    f.timeline = wal->timeline;
    f.history = wal->history.to_string();
    f.executed = f.received = wal->end.to_string();
    if (shown.leader) f.postgres.oldest_wal = "0/0";
    f.postgres.slots.emplace();
  }
}

void show_stored(const Scene& scene, size_t i, MemberFacts& f) {
  const History& shown = scene.shown[i];
  f.reach = Reach::unreachable;
  f.error = "connection refused";
  StoredFacts& s = f.stored.emplace();
  if (shown.read == History::Read::empty) {
    s.data = StoredFacts::Data::missing;
    return;
  }
  s.data = StoredFacts::Data::present;
  if (const auto* set = std::get_if<GtidSet>(&shown.position)) {
    s.lineage = fmt::format("00000000-0000-0000-0000-0000000001{:02}", i);
    s.position = set->to_string();
  } else if (std::holds_alternative<GtidState>(shown.position)) {
    s.position = scene.logged[i];
    s.received = scene.received[i];
    f.server_id = i + 1;
  } else if (const auto* wal = std::get_if<WalPosition>(&shown.position)) {
    s.lineage = wal->system_identifier;
    s.timeline = wal->timeline;
    s.history = wal->history.to_string();
    s.position = wal->end.to_string();
    if (wal->minimum_recovery) s.minimum_recovery = wal->minimum_recovery->to_string();
    s.cluster_state = wal->wrote == true ? "shut down" : "shut down in recovery";
  } else if (const auto* node = std::get_if<GaleraPosition>(&shown.position)) {
    s.lineage = node->uuid.to_string();
    s.seqno = node->source == position::GaleraSource::grastate ? node->seqno : -1;
    if (node->source == position::GaleraSource::recovered) s.position_source = "recovered";
    if (node->source == position::GaleraSource::gcache || node->seqno < 0)
      s.position_unknown = "grastate.dat says -1";
    else
      s.position = fmt::format("{}:{}", s.lineage, node->seqno);
    if (!shown.provable_position) s.aborted_transfer = "a state transfer was cut short";
  }
}

Found found(Rng& rng, const Scene& scene) {
  Found found;
  found.cluster.name = ClusterName("orders");
  found.cluster.ns = "shop";
  found.cluster.engine = scene.engine;
  found.cluster.lineage = scene.known_lineage;
  found.cluster.replication = scene.engine == Engine::galera     ? ReplicationMode::galera
                              : scene.engine == Engine::postgres ? ReplicationMode::streaming
                              : rng.chance(50)                   ? ReplicationMode::semi_sync
                                                                 : ReplicationMode::async;
  size_t leader = rng.below(scene.shown.size());
  for (size_t i = 0; i < scene.shown.size(); ++i)
    if (scene.shown[i].leader) leader = i;
  const bool agents_told = rng.chance(80);
  for (size_t i = 0; i < scene.shown.size(); ++i) {
    Member m;
    m.name = member_name(i);
    m.ordinal = static_cast<int>(i);
    m.port = 1000 + static_cast<int>(i);
    found.cluster.members.push_back(m);
    const History& shown = scene.shown[i];
    MemberFacts f;
    f.member = m.name;
    f.agent.answers = true;
    if (scene.engine != Engine::galera) {
      const size_t wanted = agents_told ? leader : 0;
      f.runtime.role_wanted = i == wanted ? MemberRole::primary : MemberRole::replica;
      if (i != wanted) f.runtime.upstream_wanted = address(wanted);
    }
    const auto* wal = std::get_if<WalPosition>(&shown.position);
    bool runs = scene.healthy || shown.leader || !rng.chance(20);
    // A standby's directory that has written must be down: no server shows that.
    if (wal && ((wal->wrote == true && !shown.leader) || (i == leader && !shown.leader) ||
                (wal->minimum_recovery && *wal->minimum_recovery > wal->end)))
      runs = false;
    if (const auto* node = std::get_if<GaleraPosition>(&shown.position))
      runs =
          shown.in_primary_component || (runs && node->source == position::GaleraSource::grastate && node->seqno >= 0);
    if (shown.read == History::Read::unknown) {
      f.reach = rng.chance(50) ? Reach::timeout : Reach::unreachable;
      f.error = "no answer";
      if (rng.chance(50)) f.agent.answers = std::nullopt;
    } else if (shown.read == History::Read::read && runs) {
      show_live(rng, scene, i, leader, f);
    } else {
      f.runtime.state = rng.chance(50) ? "stopped" : "failed";
      show_stored(scene, i, f);
    }
    found.facts.push_back(std::move(f));
  }
  return found;
}

/// The truth, as a plan changes it.
class Played {
 public:
  Played(const Scene& scene, const TriageReport& report, const Plan& plan)
      : scene_(scene), report_(report), plan_(plan) {
    for (const Transactions& truth : scene.truth) {
      nodes_.push_back({.data = truth, .side = {}, .aside = {}, .told = {}});
      if (nodes_.size() <= scene.relayed.size()) nodes_.back().relayed = scene.relayed[nodes_.size() - 1];
      all_ |= truth;
    }
  }

  /// "" or what is wrong.
  std::string play() {
    if (auto kept = operation::check_plan(plan_); !kept) return "breaks the rules of plans: " + kept.error().message;
    for (const Step& step : plan_.steps) {
      if (std::string wrong = take(step); !wrong.empty()) return step.id + ": " + wrong;
      if (std::string wrong = lost(); !wrong.empty()) return "after " + step.id + ": " + wrong;
    }
    return "";
  }

 private:
  struct Node {
    Transactions data;
    std::optional<Transactions> side, aside;
    std::optional<MemberRole> told;  ///< its agent, by the plan
    size_t donor = 0;
    Transactions relayed = {};  ///< of `data`, what only the relay logs hold
    Transactions dropped = {};  ///< what was in them when they were deleted
    bool kept = false, replaced = false, in_place = false, proven = false;
  };

  size_t index(const std::string& name) const { return std::stoul(name.substr(1)); }
  bool accepted(std::string_view acceptance) const {
    return std::ranges::any_of(plan_.losses, [&](const operation::Loss& l) { return l.acceptance == acceptance; });
  }
  /// Somebody of the component there is.
  size_t component() const {
    for (size_t i = 0; i < report_.members.size(); ++i)
      if (report_.members[i].healthy() && scene_.shown[i].in_primary_component) return i;
    for (size_t i = 0; i < report_.members.size(); ++i)
      if (scene_.shown[i].in_primary_component) return i;
    return 0;
  }
  /// MariaDB deletes them when both threads start, or the source changes; what a source still has comes again.
  static void drop_relay_logs(Node& node) {
    node.data &= ~node.relayed;
    node.dropped |= node.relayed;
    node.relayed.reset();
  }
  /// It was deleted, and another member seemed to have it: nobody could see that it does not.
  bool seemed_elsewhere(size_t transaction, size_t holder) const {
    if (!nodes_[holder].dropped[transaction]) return false;
    for (size_t other = 0; other < nodes_.size(); ++other)
      if (other != holder && !scene_.masked(transaction, holder, other).empty()) return true;
    return false;
  }
  std::string check_donor(size_t victim, size_t donor) const {
    if (victim == donor) return "copies a member from itself";
    if (scene_.foreign[donor]) return "copies from a member of another history";
    if (scene_.shown[donor].read != History::Read::read) return "copies from a member nobody could read";
    // Of two writers, one was named: the other one is what stays.
    const auto& facts = report_.members[donor].facts;
    const Step* stop = plan_.find("stop-m" + std::to_string(victim));
    const bool closes = plan_.find("close-m" + std::to_string(victim)) || (stop && stop->arguments["keep"].boolean());
    const bool stays =
        report_.leader.empty() && facts.role == MemberRole::primary && facts.read_only == false && closes;
    // Of two components the smaller side is named.
    const bool larger = scene_.engine == Engine::galera && scene_.shown[donor].in_primary_component &&
                        (nodes_[victim].data.none() || accepted("discard-diverged:" + member_name(victim).str()));
    if (!report_.members[donor].healthy() && !stays && !larger && !nodes_[donor].proven)
      return "copies from a member that is not healthy";
    if (nodes_[donor].replaced && !nodes_[donor].proven) return "copies from a member it made anew and did not prove";
    return "";
  }

  std::string take(const Step& step) {
    if (step.member.empty()) return "";
    const size_t m = index(step.member);
    Node& node = nodes_[m];
    const auto& kind = step.kind;
    const bool looks = kind == "prove_member";
    if (scene_.shown[m].read == History::Read::unknown && !looks && !accepted("lose-unread:" + step.member) &&
        kind != "start_server")
      return kind + " of a member nobody could read";
    // MariaDB deletes the relay logs when both threads start, or the source changes.
    const auto& streams = report_.members[m].facts.following;
    const bool both = !streams.empty() && streams[0].receiving == false && streams[0].applying == false;
    if (kind == "follow_source" || (kind == "resume_replication" && both)) {
      drop_relay_logs(node);
    }
    if (looks) {
      node.proven = true;
    } else if (kind == "take_escrow") {
      node.kept = true;
      escrow_ |= node.data;
    } else if (kind == "make_side_copy") {
      const size_t donor = index(step.arguments["donor"].text());
      if (std::string wrong = check_donor(m, donor); !wrong.empty()) return wrong;
      node.side = nodes_[donor].data & ~nodes_[donor].relayed;  // a copy has no relay logs
      node.donor = donor;
    } else if (kind == "swap_side") {
      if (!node.side) return "swaps in what is not there";
      node.aside = node.data;
      node.data = *node.side;
      node.relayed.reset();
      node.replaced = true;
    } else if (kind == "join_component") {
      const size_t donor = first_ ? *first_ : component();
      if (step.arguments["whole"].boolean()) {  // at the worst all of it is replaced, in place
        node.data = nodes_[donor].data;
        node.donor = donor;
        node.replaced = node.in_place = true;
      } else {
        node.data |= nodes_[donor].data;
      }
    } else if (kind == "drop_aside") {
      node.aside.reset();
    } else if (kind == "configure_replica") {
      const std::string source = step.arguments["source"].text();
      node.told = source.empty() ? MemberRole::primary : MemberRole::replica;
      if (source.empty() && !will_lead(step.member)) return "tells a member that it leads which does not";
    } else if (kind == "cut_tail") {
      // At the worst everything that only it has is cut off.
      if (!node.kept) return "cuts what no copy was kept of";
      node.donor = index(step.arguments["source"].text());
      node.data = nodes_[node.donor].data;
      node.replaced = true;
    } else if (kind == "follow_source") {
      // A server that follows takes what its source has, and keeps what it had: that must be nothing of its own.
      const size_t source = index(step.arguments["source"].text());
      if (source == m) return "makes a member follow itself";
      const Transactions own = node.data & ~nodes_[source].data;
      for (size_t t = 0; t < own.size(); ++t)
        if (own[t] && scene_.masked(t, m, source).empty()) return "makes a member follow that has something of its own";
    } else if (kind == "adopt_transactions") {
      // The one that takes writes gets what the other one is seen to have beside it.
      const size_t from = index(step.arguments["from"].text());
      if (report_.leader != step.member) return "writes into a member that takes no writes";
      if (from == m || scene_.foreign[from] || scene_.shown[from].read != History::Read::read)
        return "adopts from a member that has nothing to give";
      if (!accepted("adopt:" + member_name(from).str())) return "adopts what nobody accepted";
      if (nodes_[from].replaced) return "adopts from a member that it made anew before";
      const Transactions own = nodes_[from].data & ~node.data;
      for (size_t t = 0; t < own.size(); ++t)
        if (own[t] && scene_.masked(t, from, m).empty()) node.data.set(t);
    } else if (kind == "apply_received") {
      if (!node.kept && !accepted("no-escrow:" + step.member)) return "applies what no copy was kept of";
      node.relayed.reset();  // they are in its tables and its log now
    } else if (kind == "start_server" || kind == "bootstrap_server" || kind == "bootstrap_running") {
      const MemberReport& seen = report_.members[m];
      drop_relay_logs(node);
      const bool begins = kind != "start_server";
      if (begins) first_ = m;
      if (begins) node.proven = true;
      const bool opens = begins || (node.told.value_or(seen.facts.runtime.role_wanted) == MemberRole::primary &&
                                    !seen.facts.reachable() && !node.replaced);
      for (size_t h = 0; opens && plan_.losses.empty() && h < nodes_.size(); ++h)
        for (size_t t = 0; t < node.data.size(); ++t)
          if (!scene_.foreign[h] && scene_.truth[h][t] && !node.data[t] && scene_.masked(t, h, m).empty())
            return fmt::format("opens a member for writes that lacks transaction {} of m{}", t, h);
      if (opens && !report_.leader.empty()) return "opens a second member for writes";
      if (step.title.find("as a standby") != std::string::npos) {
        const size_t source = index(report_.leader);
        const Transactions own = node.data & ~nodes_[source].data;
        for (size_t t = 0; t < own.size(); ++t)
          if (own[t] && scene_.masked(t, m, source).empty())
            return "makes a member follow that has something of its own";
      }
    } else if (!known_.contains(kind)) {
      return "this test does not know what " + kind + " does";
    }
    return "";
  }

  /// From the members that were compared with: the donor, and the one that takes writes.
  bool hidden(size_t transaction, size_t holder) const {
    if (!scene_.masked(transaction, holder, nodes_[holder].donor).empty()) return true;
    return !report_.leader.empty() && !scene_.masked(transaction, holder, index(report_.leader)).empty();
  }

  std::string lost() const {
    Transactions anywhere = escrow_, served;
    for (const Node& node : nodes_) {
      served |= node.data;
      anywhere |= node.data;
      if (node.aside) anywhere |= *node.aside;
    }
    // A joining Galera node is written over in place, where nobody can see that it holds more than its number says.
    const auto hides = [&](size_t t) {
      for (size_t m = 0; m < nodes_.size(); ++m)
        if (scene_.truth[m][t] && !(nodes_[m].replaced && nodes_[m].in_place && hidden(t, m)) &&
            !seemed_elsewhere(t, m))
          return false;
      return true;
    };
    const Transactions nowhere = all_ & ~anywhere;
    for (size_t t = 0; nowhere.any() && t < nowhere.size(); ++t)
      if (nowhere[t] && !hides(t)) return fmt::format("transaction {} is nowhere any more", t);
    const Transactions gone = all_ & ~served;
    for (size_t t = 0; gone.any() && t < gone.size(); ++t) {
      if (!gone[t]) continue;
      for (size_t m = 0; m < nodes_.size(); ++m) {
        if (!scene_.truth[m][t] || !nodes_[m].replaced) continue;
        const std::string name = member_name(m).str();
        if (accepted("discard-diverged:" + name) || accepted("discard-foreign:" + name) ||
            accepted("discard-unknown:" + name) || accepted("lose-unread:" + name))
          continue;
        if (!hidden(t, m))
          return fmt::format("transaction {} of {} is lost to the cluster, and nobody was asked", t, name);
      }
    }
    return "";
  }

  static bool takes_writes(const MemberReport& m) {
    return m.facts.reachable() && m.facts.role == MemberRole::primary && m.facts.read_only != true;
  }
  /// It takes writes, and whoever else does is closed or stopped by this plan.
  bool will_lead(const std::string& member) const {
    if (!report_.leader.empty()) return report_.leader == member;
    return std::ranges::all_of(report_.members, [&](const MemberReport& m) {
      const std::string& name = m.facts.member.str();
      if (name == member) return takes_writes(m);
      return !takes_writes(m) || plan_.find("close-" + name) || plan_.find("stop-" + name);
    });
  }

  const Scene& scene_;
  const TriageReport& report_;
  const Plan& plan_;
  std::vector<Node> nodes_;
  std::optional<size_t> first_;  ///< of a new component
  Transactions all_, escrow_;
  /// Steps that change nobody's transactions but by adding those of the member that takes writes.
  const std::set<std::string> known_ = {"stop_server",      "resume_replication", "follow_source",     "follow_told",
                                        "fetch_logs_anew",  "reconnect_receiver", "set_read_only",     "set_semi_sync",
                                        "create_slot",      "prove_member",       "configure_replica", "prove_side",
                                        "discard_side",     "dump_member",        "galera_setting",    "free_wal",
                                        "mark_bootstrap",   "cut_tail",           "recover_positions", "match_settings",
                                        "rehearse_adoption"};
};

std::string told(const Scene& scene, const TriageReport& report, const Plan& plan) {
  std::string text = scene.log + '\n';
  for (size_t i = 0; i < report.members.size(); ++i) {
    text += fmt::format("m{}: {} {} ({}), truth", i, verdict_name(report.members[i].verdict),
                        action_name(report.members[i].action), report.members[i].sentence);
    for (size_t t = 0; t < scene.truth[i].size(); ++t)
      if (scene.truth[i][t]) text += fmt::format(" {}", t);
    text += '\n';
  }
  return text + fmt::format("authority {}, leader '{}'\n{}", authority_kind_name(report.authority.kind), report.leader,
                            operation::plan_text(plan));
}

/// Why this cluster must not be called healthy; "" when it may.
std::string ails(const Scene& scene, const Found& seen, const TriageReport& report) {
  size_t best = 0;
  for (size_t i = 0; i < scene.shown.size(); ++i) {
    if (!seen.facts[i].reachable()) return fmt::format("m{} was not reached", i);
    if (scene.foreign[i]) return fmt::format("m{} is of another history", i);
    if (report.authority.member == member_name(i)) best = i;
  }
  if (scene.engine != Engine::galera && report.leader.empty()) return "no member accepts writes";
  if (report.authority.kind != AuthorityKind::provable) return "who holds everything is not proven";
  for (size_t i = 0; i < scene.shown.size(); ++i)
    for (size_t t = 0; t < scene.truth[i].size(); ++t)
      if (scene.truth[i][t] && !scene.truth[best][t] && scene.masked(t, i, best).empty())
        return fmt::format("m{} holds transaction {}, which the cluster lacks", i, t);
  return "";
}

/// Why the parts of a report do not agree with each other, or with what repair answers; "" when they do.
std::string contradiction(const TriageReport& report, const Result<repair::Proposal>& answer) {
  size_t healthy = 0;
  bool grave = false;
  for (const auto& m : report.members) {
    healthy += m.healthy();
    if (!m.healthy() && m.reasons.empty()) return m.facts.member.str() + " is not healthy, and no diagnosis says why";
    if (m.healthy() && m.action != Action::nothing) return m.facts.member.str() + " is healthy and needs something";
  }
  for (const auto& d : report.diagnoses) {
    grave = grave || d.severity >= Severity::error;
    // A member that is said to be ahead of the primary, or to have what it lacks, is not healthy beside that.
    for (const auto& name : d.members)
      if (const auto* leader = report.find(report.leader);
          (d.id == "errant-transactions" || d.id == "leader-not-primary") && leader && leader->healthy() &&
          (report.cluster.engine == Engine::mysql || report.cluster.engine == Engine::mariadb))
        if (const auto* m = report.find(name.str()); m->healthy() && report.leader != name.str())
          return name.str() + " is healthy and has " + d.id;
  }
  const size_t total = report.members.size();
  const std::string count = fmt::format("{} of {} members healthy", healthy, total);
  if (report.healthy != (!grave && healthy == total)) return "healthy, by another count";
  const bool counts_all =
      report.sentence.find(fmt::format("{} of {} members healthy", total, total)) != std::string::npos;
  if (!report.healthy && counts_all) return "not healthy, and all its members are said to be: " + report.sentence;
  if ((report.healthy || healthy < total) && report.sentence.find(count) == std::string::npos)
    return "the sentence counts otherwise: " + report.sentence;
  if (grave && healthy == total && report.sentence.find(report.diagnoses[0].summary) == std::string::npos)
    return "all members are healthy, and the sentence does not say what is wrong: " + report.sentence;
  if (report.healthy && !answer) return "healthy, and repair refuses: " + answer.error().id;
  if (report.healthy && !answer->plan.steps.empty()) return "healthy, and repair has a plan";
  if (!report.healthy && answer && answer->plan.steps.empty()) return "not healthy, and there is nothing to repair";
  return "";
}

void run(Scene (*play)(Rng&)) {
  std::map<std::string, int> outcomes, adoptions;
  int failures = 0;
  Engine engine = Engine::galera;
  for (uint64_t seed = 1; seed <= kClusters && failures < 3; ++seed) {
    Rng rng(seed + 7'000'000);
    const Scene scene = play(rng);
    engine = scene.engine;
    const Found seen = found(rng, scene);
    const TriageReport report = triage(seen.cluster, seen.facts);

    if (report.healthy) {
      ++outcomes["healthy"];
      if (const std::string why = ails(scene, seen, report); !why.empty() && ++failures <= 3)
        ADD_FAILURE() << "seed " << seed << " is called healthy: " << why << '\n' << told(scene, report, {});
    }
    const auto judge = [&](const Plan& plan, const std::string& request) {
      ++outcomes[plan.steps.empty() ? "nothing to do"
                                    : "a plan" + std::string(plan.losses.empty() ? "" : " that asks")];
      for (const Step& step : plan.steps) ++outcomes["step " + step.kind];
      if (plan.steps.empty()) return;
      if (const std::string wrong = Played(scene, report, plan).play(); !wrong.empty() && ++failures <= 3)
        ADD_FAILURE() << "seed " << seed << ", " << request << ": " << wrong << '\n' << told(scene, report, plan);
    };
    for (int target = -1; target < static_cast<int>(scene.shown.size()); ++target) {
      repair::Request request;
      if (target >= 0) request.ordinal = target;
      request.has_repository = rng.chance(70);
      request.no_escrow = rng.chance(20);
      const auto proposal = repair::plan_repair(report, request);
      if (target < 0)
        if (const std::string why = contradiction(report, proposal); !why.empty() && ++failures <= 3)
          ADD_FAILURE() << "seed " << seed << " contradicts itself: " << why << '\n' << told(scene, report, {});
      if (proposal)
        judge(proposal->plan, target < 0 ? "repair" : fmt::format("repair -i {}", target));
      else
        ++outcomes[proposal.error().id];
      if (target < 0) continue;
      request.adoption = {.refused = "", .transactions = {{.gtid = "any", .tables = {}}}, .digest = "of any"};
      const auto adopted = repair::plan_repair(report, request);
      ++adoptions[adopted ? "planned" : adopted.error().id];
      if (adopted) judge(adopted->plan, fmt::format("repair -i {} --adopt", target));
    }
    if (scene.engine != Engine::galera) continue;
    const auto bootstrap = repair::plan_bootstrap(
        report, {.has_repository = rng.chance(70), .no_escrow = rng.chance(20), .not_recovered = {}});
    if (bootstrap)
      judge(bootstrap->plan, "bootstrap");
    else
      ++outcomes[bootstrap.error().id];
  }
  for (const auto& [what, count] : outcomes) fmt::print("  {:7} {}\n", count, what);
  for (const auto& [what, count] : adoptions) fmt::print("  {:7} --adopt: {}\n", count, what);
  EXPECT_EQ(adoptions["planned"] > kClusters / 1000, engine == Engine::mysql) << adoptions["planned"];
  for (const char* what : {"a plan", "nothing to do", "healthy", "repair.split_brain", "repair.undeterminable"})
    EXPECT_GT(outcomes[what], kClusters / 1000) << "the worlds are too tame: " << what;
}

TEST(HarmFuzz, MySql) {
  run(play_mysql);
}
TEST(HarmFuzz, MariaDb) {
  run(play_mariadb);
}
TEST(HarmFuzz, Postgres) {
  run(play_postgres);
}
TEST(HarmFuzz, Galera) {
  run(play_galera);
}

}  // namespace
}  // namespace holdfast::cluster::fuzz
