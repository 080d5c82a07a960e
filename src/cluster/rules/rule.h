// How a rule of triage is written. Only rules/*.cpp and triage.cpp include this.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <optional>

#include "cluster/triage.h"

namespace holdfast::cluster::rules {

/// Everything a rule may look at.
struct View {
  const DatabaseCluster& cluster;
  const std::vector<MemberFacts>& members;  ///< one for each member, in the cluster's order
  const std::vector<History>& histories;    ///< likewise
  const Authority& authority;
  std::vector<const MemberFacts*> writers;  ///< take writes now (Galera: are in a Primary component)
  const Surroundings& around;
  const Topology& topology;

  /// The one that takes writes; nullptr when nobody or several do.
  const MemberFacts* leader() const { return writers.size() == 1 ? writers[0] : nullptr; }
  /// With whose history the others' are compared: the writer's, else the authority's.
  const History* baseline() const;
  const Member& described(const MemberFacts& facts) const { return *cluster.find(facts.member.str()); }
  /// "host:port", as it is described.
  std::string address(const MemberFacts& facts) const;
  size_t place_of(const MemberFacts& facts) const { return static_cast<size_t>(&facts - members.data()); }
  /// Whom it follows by this connection.
  Who source(const MemberFacts& facts, const Following& stream) const {
    return topology.source(place_of(facts), stream);
  }
  /// "holdfast repair -c shop/orders -i 2"
  std::string command(std::string_view verb, const MemberFacts* member = nullptr) const;
};

struct Finding {
  std::vector<MemberName> members;
  std::string summary;
  std::vector<std::string> evidence = {};
  std::string remedy = {};
  std::vector<std::string> blocks = {};
  std::optional<Severity> severity = {};  ///< instead of the rule's
  std::optional<Verdict> verdict = {};    ///< instead of the rule's
  std::optional<Action> action = {};      ///< instead of the rule's
  std::vector<MemberName> judged = {};    ///< verdict and action are of these only; empty = of all its members
};

/// So full that a server stops committing at any moment.
bool is_full(const Volume& volume);

struct Rule {
  std::string_view id;  ///< stable: it stands in scripts, alerts and runbooks
  Severity severity;
  Verdict verdict;  ///< of the members it finds; healthy = leaves their verdict alone
  Action action;
  std::string_view title;  ///< what it means, in a few words
  std::vector<Finding> (*find)(const View&);
};

/// Asks `check` of every member; it returns std::optional<Finding>, to whose members the member is added.
template <class Check>
std::vector<Finding> each_member(const View& view, Check&& check) {
  std::vector<Finding> found;
  for (const auto& member : view.members) {
    std::optional<Finding> finding = check(member);
    if (!finding) continue;
    if (finding->members.empty()) finding->members.push_back(member.member);
    found.push_back(std::move(*finding));
  }
  return found;
}

/// The longest wait of its applier for what another session holds; null when it waits for nothing, or in passing.
const StuckCommit* longest_applier_wait(const MemberFacts& m);
/// It waits for longer than anything harmless: it does not catch up by itself.
bool held_up_by_lock(const View& view, const MemberFacts& m);
/// "its applier waits for the lock of session 12 (app@10.0.0.5, asleep for 30 s), since 2026-11-23 06:20:05 UTC"
std::string applier_wait_text(const View& view, const StuckCommit& wait);

/// What to do where there is no primary because the data of `m`, which was it, is damaged or gone; "" where that is not
/// so. Repair refuses then: what it had is not known, and who is to lead is a person's choice.
std::string after_lost_primary(const View& view, const MemberFacts& m);

inline std::string name(const MemberFacts& m) {
  return m.member.str();
}

/// "90 s", "3 min", "2.5 h"
inline std::string span_text(double seconds) {
  return seconds < 120    ? fmt::format("{:.0f} s", seconds)
         : seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60)
                          : fmt::format("{:.1f} h", seconds / 3600);
}

inline std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// The tables, by what they are about.
std::span<const Rule> reach_rules();        ///< process, connection, data directory
std::span<const Rule> history_rules();      ///< positions, lineage, who has what
std::span<const Rule> evidence_rules();     ///< positions and settings that prove less than they say
std::span<const Rule> receiving_rules();    ///< what a replica gets from its source
std::span<const Rule> replication_rules();  ///< MariaDB, MySQL, PostgreSQL streams
std::span<const Rule> topology_rules();     ///< who follows whom: chains, wrong sources, further connections
std::span<const Rule> protection_rules();   ///< semi-sync, synchronous standbys, slots, logs, archives
std::span<const Rule> galera_rules();
std::span<const Rule> resource_rules();     ///< disks, ids, clocks
std::span<const Rule> certificate_rules();  ///< TLS: of servers, of agents and their callers, of replication
std::span<const Rule> leftover_rules();     ///< what operations left behind
std::span<const Rule> setting_rules();      ///< identities, versions, modes and accounts of the servers
std::span<const Rule> contents_rules();     ///< what the last comparison found
std::span<const Rule> waiting_rules();      ///< receipts, forgotten transactions, an archiver that hangs
std::span<const Rule> lock_rules();         ///< writes and appliers that wait for a lock

}  // namespace holdfast::cluster::rules
