// Galera: components, states, state transfers, and who may bootstrap.
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "cluster/rules/rule.h"
#include "position/galera.h"

namespace holdfast::cluster::rules {

namespace {

/// A transfer that goes on writes all the time; only its last part, in which logs are applied, may pause.
constexpr double kTransferStillSeconds = 20;

bool in_primary(const MemberFacts& m) {
  return in_primary_component(m);
}

/// Only InnoDB says how far it is, and its server stands still, so that it can be asked.
bool unrecovered(const MemberFacts& m) {
  return !m.reachable() && m.runtime.pid <= 0 && m.runtime.outside.empty() && m.stored &&
         m.stored->data == StoredFacts::Data::present && m.stored->position.empty();
}

std::vector<Finding> all_down(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  Finding f{.members = {},
            .summary = "no member is in a primary component: no client can write",
            .remedy = view.command("bootstrap") + " --dry-run",
            .blocks = {"repair"}};
  bool any_alive = false;
  for (const auto& m : view.members) {
    if (in_primary(m)) return {};
    any_alive = any_alive || (m.reachable() && m.galera && m.galera->wsrep_on != false);
    f.members.push_back(m.member);
    std::string where = "position not known";
    if (m.stored && !m.stored->position.empty())
      where = m.stored->position;
    else if (!m.executed.empty())
      where = m.executed;
    else if (m.stored && !m.stored->position_unknown.empty())
      where = "position not known: " + m.stored->position_unknown;
    f.evidence.push_back(fmt::format("{}: {}{}", name(m), where,
                                     m.stored && m.stored->safe_to_bootstrap == true ? ", safe_to_bootstrap 1" : ""));
  }
  // Bootstrap refuses while a position is not known; that of a crashed node is in InnoDB alone.
  if (std::ranges::any_of(view.members, unrecovered)) f.remedy = view.command("inspect") + " --fence, then " + f.remedy;
  if (any_alive) f.summary = "no member is in a primary component: the members that run wait for a majority";
  return {std::move(f)};
}

std::vector<Finding> two_components(const View& view) {
  // Each member of a component lists the same view; two members of "Primary" with other views are two components.
  std::map<std::string, std::vector<const MemberFacts*>> views;
  bool all_by_uuid = true;
  for (const auto& m : view.members)
    if (in_primary(m)) all_by_uuid = all_by_uuid && !m.galera->nodes.empty();
  for (const auto& m : view.members) {
    if (!in_primary(m) || m.galera->view.empty()) continue;
    auto addresses = m.galera->view;
    std::ranges::sort(addresses);
    views[all_by_uuid ? view_key(*m.galera) : fmt::format("{}", fmt::join(addresses, " "))].push_back(&m);
  }
  std::set<std::string> all;
  bool overlap = false;
  for (const auto& [key, members] : views) {
    const auto& g = *members[0]->galera;
    if (all_by_uuid)
      for (const auto& node : g.nodes) overlap = !all.insert(node.uuid).second || overlap;
    else
      for (const auto& address : g.view) overlap = !all.insert(address).second || overlap;
  }
  if (views.size() < 2 || overlap) return {};  // overlapping views: a change is under way; the next look tells
  Finding f{.members = {},
            .summary = fmt::format(
                "{} primary components at once: the cluster is split and accepts writes on each side", views.size()),
            .remedy = "stop writes at once and keep both sides; " + view.command("triage") + " -v shows what each has",
            .blocks = {"repair", "bootstrap"}};
  for (const auto& [key, members] : views) {
    std::string names;
    for (const auto* m : members) {
      names += (names.empty() ? "" : ", ") + name(*m);
      f.members.push_back(m->member);
    }
    f.evidence.push_back(fmt::format("{} see only: {}", names, fmt::join(members[0]->galera->view, " ")));
  }
  return {std::move(f)};
}

std::vector<Finding> replication_off(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.galera) return {};
    const bool no_provider = m.galera->provider == "none";
    if (m.galera->wsrep_on != false && !no_provider) return {};
    return Finding{.members = {},
                   .summary = name(m) + " runs with replication switched off: what is written there goes nowhere",
                   .evidence = {fmt::format("wsrep_on {}, wsrep_provider {}",
                                            m.galera->wsrep_on == false ? "OFF" : "ON", m.galera->provider)},
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> non_primary(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.galera || m.galera->wsrep_on == false || m.galera->provider == "none") return {};
    if (m.galera->status == "Primary" || m.galera->state.starts_with("Inconsistent")) return {};
    const bool lonely = std::ranges::any_of(view.members, in_primary);
    return Finding{.members = {},
                   .summary = fmt::format("{} is in a component that is {}: it refuses queries{}", name(m),
                                          m.galera->status.empty() ? "not known" : m.galera->status,
                                          lonely ? ", while the others continue" : " until a majority is back"),
                   .evidence = {fmt::format("wsrep_cluster_status {}, wsrep_connected {}, {} members in its view",
                                            m.galera->status, m.galera->connected == true ? "ON" : "OFF",
                                            m.galera->size.value_or(0))},
                   .remedy = lonely ? view.command("repair", &m) : view.command("bootstrap") + " --dry-run"};
  });
}

std::vector<Finding> inconsistent(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.galera || !m.galera->state.starts_with("Inconsistent")) return {};
    return Finding{.members = {},
                   .summary = name(m) + " was found inconsistent by a vote and has left the group: its data differs",
                   .evidence = {fmt::format("wsrep_local_state_comment {}, wsrep_cluster_status {}", m.galera->state,
                                            m.galera->status)},
                   .remedy = view.command("repair", &m)};
  });
}

std::vector<Finding> not_synced(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!in_primary(m) || m.galera->state == "Synced" || m.galera->state.starts_with("Inconsistent")) return {};
    const std::string& state = m.galera->state;
    Finding f{.members = {},
              .summary = fmt::format("{} is {}, not Synced", name(m), state.empty() ? "in a state not known" : state),
              .evidence = {fmt::format("wsrep_local_recv_queue {}", m.galera->receive_queue.value_or(0))},
              .remedy = view.command("triage") + " --watch"};
    if (state.starts_with("Donor") && m.galera->desynced == true) {
      f.summary = name(m) + " is desynced by hand (wsrep_desync=ON): it falls behind without slowing the others";
      f.remedy = view.command("repair", &m);
      f.action = Action::resume;
    }
    return f;
  });
}

std::vector<Finding> not_ready(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!in_primary(m) || m.galera->state != "Synced") return {};
    const bool rejects = !m.galera->reject_queries.empty() && m.galera->reject_queries != "NONE";
    if (m.galera->ready != false && m.galera->connected != false && !rejects) return {};
    Finding f{.members = {},
              .summary = name(m) + " says Synced, but does not take queries",
              .evidence = {fmt::format("wsrep_ready {}, wsrep_connected {}, wsrep_reject_queries {}",
                                       m.galera->ready == false ? "OFF" : "ON",
                                       m.galera->connected == false ? "OFF" : "ON", m.galera->reject_queries)},
              .remedy = view.command("repair", &m)};
    if (rejects) {
      f.summary = name(m) + " rejects queries: wsrep_reject_queries is set";
      f.action = Action::resume;
    }
    return f;
  });
}

std::vector<Finding> size_mismatch(const View& view) {
  for (const auto& m : view.members) {
    if (!in_primary(m) || !m.galera->size) continue;
    // An arbitrator (garbd) votes and holds no data: it is in the component's size, and no member.
    const auto arbitrators = static_cast<size_t>(m.galera->arbitrators);
    const auto size = static_cast<size_t>(*m.galera->size);
    const size_t expected = view.members.size() + arbitrators;
    const std::string beside =
        arbitrators ? fmt::format(" and {} arbitrator{}", arbitrators, arbitrators > 1 ? "s" : "") : "";
    if (size > expected)
      return {{.members = {m.member},
               .summary = fmt::format("the component has {} members{}, the description {}: one that is not described "
                                      "has joined",
                                      size - arbitrators, beside, view.members.size()),
               .evidence = {fmt::format("wsrep_incoming_addresses {}", fmt::join(m.galera->view, ","))},
               .remedy = "add the member to the DatabaseCluster, or find out who it is"}};
    if (size * 2 <= expected)
      return {
          {.members = {m.member},
           .summary = fmt::format("the primary component has only {} of {} members{}: one more loss and no client can "
                                  "write",
                                  size - arbitrators, view.members.size(), beside),
           .evidence = {fmt::format("wsrep_cluster_size {}", size)},
           .remedy = "see that the members outside hold nothing of their own before they join: " +
                     view.command("triage") + " -v",
           .severity = Severity::error}};
  }
  return {};
}

/// What comes by it is written as by any client: it makes the node no replica, but its end, or a filter, loses rows.
std::vector<Finding> async_channel(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.following.empty()) return {};
    Finding f{.members = {}, .summary = "", .remedy = "SHOW ALL SLAVES STATUS on " + name(m)};
    std::vector<std::string> sources;
    for (const auto& stream : m.following) {
      const Who source = view.source(m, stream);
      const auto member = source.member();
      sources.push_back(stream.upstream + (member             ? fmt::format(" ({})", name(view.members[*member]))
                                           : source.outside() ? ", outside the cluster"
                                                              : ", which may or may not be a node of it"));
      const bool works = stream.receiving == true && stream.applying == true;
      f.evidence.push_back(fmt::format("connection '{}' from {}: IO {}, SQL {}{}", stream.channel, stream.upstream,
                                       stream.receiving == true ? "runs" : "does not run",
                                       stream.applying == true ? "runs" : "does not run",
                                       stream.last_error().empty() ? "" : "; " + first_line(stream.last_error())));
      if (!works) f.severity = Severity::warning;
    }
    f.summary = fmt::format("{} also replicates from {}{}", name(m), fmt::join(sources, "; "),
                            f.severity ? ", and that does not work" : "");
    if (f.severity) f.remedy = fmt::format("look at its error, then START ALL SLAVES on {}", name(m));
    return f;
  });
}

/// Its server runs, takes no queries yet, and a state transfer into it has begun.
bool receives_state(const MemberFacts& m) {
  return !m.reachable() && m.runtime.state == "starting" && m.stored && !m.stored->aborted_transfer.empty();
}

bool stands_still_half_way(const MemberFacts& m) {
  return m.stored->transfer_still_seconds.value_or(0) >= kTransferStillSeconds;
}

std::vector<std::string> transfer_evidence(const MemberFacts& m) {
  std::vector<std::string> evidence = {"in its data directory: " + m.stored->aborted_transfer};
  if (m.stored->transfer_still_seconds)
    evidence.push_back(fmt::format("nothing was written there for {:.0f} s", *m.stored->transfer_still_seconds));
  return evidence;
}

std::vector<Finding> receiving(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!receives_state(m) || stands_still_half_way(m)) return {};
    return Finding{.members = {},
                   .summary = name(m) +
                              " receives the state of another member: it is not a copy of anything until that "
                              "has ended",
                   .evidence = transfer_evidence(m),
                   .remedy = view.command("triage") + " --watch",
                   .blocks = {"bootstrap from " + name(m)}};
  });
}

/// A long lock on the donor, or the end of a transfer made ready, looks the same: only a person who names it ends it.
std::vector<Finding> transfer_stuck(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!receives_state(m) || !stands_still_half_way(m)) return {};
    return Finding{.members = {},
                   .summary = fmt::format("{} waits for the state of another member, and nothing has come for {:.0f} s",
                                          name(m), *m.stored->transfer_still_seconds),
                   .evidence = transfer_evidence(m),
                   .remedy = view.command("repair", &m),
                   .blocks = {"bootstrap from " + name(m)}};
  });
}

std::vector<Finding> aborted_transfer(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.stored || m.stored->aborted_transfer.empty() || (m.reachable() && m.galera && m.galera->state == "Synced"))
      return {};
    if (receives_state(m)) return {};
    return Finding{.members = {},
                   .summary = name(m) + " has an incomplete state transfer; its data is unusable",
                   .evidence = {m.stored->aborted_transfer},
                   .remedy = view.command("repair", &m),
                   .blocks = {"bootstrap from " + name(m)}};
  });
}

bool stands_still(const MemberFacts& m) {
  return !m.reachable() && (m.runtime.state == "stopped" || m.runtime.state == "failed");
}

/// A start would replace all it holds by a state transfer, in place, and no copy would be kept.
std::vector<Finding> state_lost(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!stands_still(m) || !m.stored || m.stored->data != StoredFacts::Data::present) return {};
    if (!m.stored->aborted_transfer.empty()) return {};
    const bool gone = m.stored->lineage.empty() && m.stored->position.empty() &&
                      m.stored->position_unknown.find(kNoStateFile) != std::string::npos;
    if (m.stored->lineage != "00000000-0000-0000-0000-000000000000" && !gone) return {};
    return Finding{
        .members = {},
        .summary = name(m) + (gone ? " has data, but no grastate.dat: a start would replace all of it"
                                   : " has data, but its grastate.dat has no history: Galera has marked it as not "
                                     "to be trusted"),
        .evidence = {gone ? m.stored->position_unknown
                          : fmt::format("grastate.dat: uuid {}, seqno {}", m.stored->lineage,
                                        m.stored->seqno.value_or(-1))},
        .remedy = view.command("repair", &m),
        .blocks = {"bootstrap from " + name(m)}};
  });
}

/// A stopped member that no cache reaches back to: IST is not possible any more.
std::vector<Finding> behind_caches(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  std::optional<int64_t> first;
  for (const auto& m : view.members) {
    if (!in_primary(m) || m.galera->state != "Synced") continue;
    if (!m.galera->cached_downto || *m.galera->cached_downto <= 0) return {};
    first = std::min(first.value_or(*m.galera->cached_downto), *m.galera->cached_downto);
  }
  if (!first) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!stands_still(m) || !m.stored || m.stored->position.empty() || !m.stored->aborted_transfer.empty()) return {};
    const auto at = position::GaleraPosition::parse(m.stored->position, position::GaleraSource::grastate);
    if (!at || at->seqno + 1 >= *first) return {};
    for (const auto& other : view.members)
      if (in_primary(other) && other.galera->uuid != at->uuid.to_string()) return {};
    return Finding{
        .members = {},
        .summary = fmt::format("{} is at {}, and no write-set cache reaches back that far: it has to be rebuilt",
                               name(m), at->seqno),
        .evidence = {fmt::format("the oldest write set any member can give is {} (wsrep_local_cached_downto)", *first)},
        .remedy = view.command("repair", &m)};
  });
}

/// The mark counts only where a cluster is bootstrapped: one that joins the others loses it.
std::string remedy_for_mark(const View& view, const MemberFacts& marked) {
  if (std::ranges::any_of(view.members, in_primary)) return view.command("repair", &marked) + ", which makes it join";
  const std::string bootstrap = view.command("bootstrap") + " --dry-run, which chooses by position, not by the mark";
  return std::ranges::any_of(view.members, unrecovered) ? view.command("inspect") + " --fence, then " + bootstrap
                                                        : bootstrap;
}

std::vector<Finding> bootstrap_flag(const View& view) {
  if (view.cluster.engine != Engine::galera) return {};
  std::vector<const MemberFacts*> flagged;
  for (const auto& m : view.members)
    if (m.stored && m.stored->safe_to_bootstrap == true && !in_primary(m)) flagged.push_back(&m);
  if (flagged.empty()) return {};
  std::vector<Finding> found;
  for (const auto* m : flagged) {
    std::string why;
    if (m->stored->lineage.empty() || m->stored->lineage == "00000000-0000-0000-0000-000000000000")
      why = "it has no history";
    else if (flagged.size() > 1)
      why = fmt::format("{} members carry the mark", flagged.size());
    else if (std::ranges::any_of(view.members, in_primary))
      why = "the others form a primary component already";
    else if (view.authority.member && *view.authority.member != m->member)
      why = view.authority.member->str() + " has more";
    if (why.empty()) continue;
    found.push_back({.members = {m->member},
                     .summary = fmt::format("{} is marked safe_to_bootstrap, but {}", name(*m), why),
                     .evidence = {fmt::format("grastate.dat: uuid {}, seqno {}, safe_to_bootstrap 1",
                                              m->stored->lineage, m->stored->seqno.value_or(-1))},
                     .remedy = remedy_for_mark(view, *m)});
  }
  return found;
}

std::vector<Finding> flow_control(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!in_primary(m) || m.galera->receive_queue.value_or(0) < 100) return {};
    return Finding{
        .members = {},
        .summary = fmt::format("{} has {} write sets waiting: it slows the whole cluster down", name(m),
                               *m.galera->receive_queue),
        .evidence = {fmt::format("wsrep_flow_control_paused {:.2f}", m.galera->flow_control_paused.value_or(0))},
        .remedy = "look for a slow disk or a missing primary key on " + name(m)};
  });
}

constexpr Rule kGaleraRules[] = {
    {"galera-no-primary-component", Severity::critical, Verdict::healthy, Action::nothing, "no Galera member can write",
     all_down},
    {"galera-two-components", Severity::critical, Verdict::broken, Action::nothing,
     "two primary components accept writes", two_components},
    {"galera-inconsistent", Severity::error, Verdict::broken, Action::rebuild, "a Galera member was voted out",
     inconsistent},
    {"galera-replication-off", Severity::critical, Verdict::broken, Action::rebuild,
     "a Galera server runs without replicating", replication_off},
    {"galera-non-primary", Severity::error, Verdict::broken, Action::restart,
     "a Galera member is outside the primary component", non_primary},
    {"galera-not-synced", Severity::error, Verdict::catching_up, Action::nothing, "a Galera member is not Synced",
     not_synced},
    {"galera-not-ready", Severity::error, Verdict::broken, Action::restart, "a Synced member takes no queries",
     not_ready},
    {"galera-size-mismatch", Severity::error, Verdict::healthy, Action::nothing,
     "the component is not the cluster described", size_mismatch},
    {"galera-async-channel", Severity::info, Verdict::healthy, Action::nothing,
     "a Galera member replicates from outside the cluster", async_channel},
    {"galera-receiving-state", Severity::error, Verdict::catching_up, Action::nothing,
     "a state transfer into a member is running", receiving},
    {"galera-transfer-stuck", Severity::error, Verdict::broken, Action::rebuild,
     "a state transfer into a member has started and nothing comes", transfer_stuck},
    {"galera-aborted-transfer", Severity::error, Verdict::broken, Action::rebuild,
     "a state transfer was cut off half way", aborted_transfer},
    {"galera-state-lost", Severity::error, Verdict::broken, Action::rebuild, "a Galera member's state has no history",
     state_lost},
    {"galera-behind-caches", Severity::error, Verdict::stale, Action::rebuild,
     "a Galera member is too far behind to catch up", behind_caches},
    {"galera-bootstrap-flag", Severity::error, Verdict::healthy, Action::nothing,
     "the wrong member is marked to bootstrap from", bootstrap_flag},
    {"galera-slow-member", Severity::warning, Verdict::healthy, Action::nothing, "a member holds the others up",
     flow_control},
};

}  // namespace

std::span<const Rule> galera_rules() {
  return kGaleraRules;
}

}  // namespace holdfast::cluster::rules
