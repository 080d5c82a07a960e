// Who has what: the authority, errant transactions, foreign histories, several writers or none.
#include <algorithm>

#include "cluster/rules/rule.h"
#include "cluster/server_words.h"

namespace holdfast::cluster::rules {

namespace {

using position::Order;

bool may_write(Engine engine) {
  return engine != Engine::galera;
}

std::string names_of(const std::vector<MemberName>& members) {
  std::string names;
  for (const auto& member : members) names += (names.empty() ? "" : ", ") + member.str();
  return names;
}

const MemberFacts* find(const View& view, const MemberName& name) {
  for (const auto& m : view.members)
    if (m.member == name) return &m;
  return nullptr;
}

std::vector<Finding> undeterminable(const View& view) {
  if (view.authority.kind != AuthorityKind::undeterminable) return {};
  Finding f{.members = {},
            .summary = view.authority.blockers.empty() ? "who has all data cannot be determined"
                                                       : "who has all data cannot be determined: nothing is known of " +
                                                             names_of(view.authority.blockers),
            .evidence = view.authority.reasons,
            .remedy = "bring back or explain the members that are not known, then " + view.command("triage"),
            .blocks = {"repair that replaces data", "bootstrap"}};
  // They answer: what they hold has no name that others could be compared by.
  const auto answers_without_gtid = [&](const MemberName& name) {
    const MemberFacts* m = find(view, name);
    return m && m->reachable() && m->mysql.gtid_mode == false;
  };
  if (!view.authority.blockers.empty() && std::ranges::all_of(view.authority.blockers, answers_without_gtid)) {
    f.summary =
        "who has all data cannot be determined: transactions without GTIDs on " + names_of(view.authority.blockers);
    f.remedy = "switch gtid_mode on, in steps (holdfast explain gtid-mode-off), then " + view.command("triage");
    f.members = view.authority.blockers;
    f.verdict = Verdict::unknown;
  }
  for (size_t i = 0; i < view.histories.size(); ++i)
    if (view.histories[i].read == History::Read::unknown && !view.histories[i].why.empty())
      f.evidence.push_back(view.histories[i].member.str() + ": " + view.histories[i].why);
  return {std::move(f)};
}

/// Who wrote what a member has and the baseline lacks: itself (errant), the baseline (which lost it), or somebody else.
struct Origins {
  bool own = false, baseline = false, other = false;
};

Origins origins_of(const View& view, size_t member, const History& baseline) {
  Origins origins;
  const MemberFacts& m = view.members[member];
  const MemberFacts* base = find(view, baseline.member);
  auto say = [&](bool its_own, bool of_baseline) {
    origins.own = origins.own || its_own;
    origins.baseline = origins.baseline || (of_baseline && !its_own);
    origins.other = origins.other || (!its_own && !of_baseline);
  };
  auto lineage_of = [](const MemberFacts& f) { return f.lineage.empty() && f.stored ? f.stored->lineage : f.lineage; };
  const auto& position = view.histories[member].position;
  if (const auto* set = std::get_if<position::GtidSet>(&position)) {
    const auto* other = std::get_if<position::GtidSet>(&baseline.position);
    if (!other) return origins;
    const auto extra = set->subtract(*other);
    for (const auto& source : extra.sources())
      say(source.uuid.to_string() == lineage_of(m), base && source.uuid.to_string() == lineage_of(*base));
  } else if (const auto* state = std::get_if<position::GtidState>(&position)) {
    const auto* other = std::get_if<position::GtidState>(&baseline.position);
    if (!other) return origins;
    for (const auto& range : state->missing_from(*other))
      say(m.server_id && range.server == *m.server_id, base && base->server_id && range.server == *base->server_id);
  } else {
    origins.other = true;
  }
  return origins;
}

bool only_own(const Origins& origins) {
  return origins.own && !origins.baseline && !origins.other;
}

/// One that is down is what its agent starts it as.
bool is_replica(const MemberFacts& m) {
  return (m.reachable() ? m.role : m.runtime.role_wanted) == MemberRole::replica;
}

/// Only replicas that wrote something themselves keep the primary from holding everything: whether
/// they lack any of its transactions by now is a matter of the moment, and no member's loss.
bool only_errant_replicas(const View& view) {
  const History* baseline = view.leader() ? view.baseline() : nullptr;
  if (!baseline || view.authority.kind != AuthorityKind::diverged) return false;
  if (view.cluster.engine != Engine::mysql && view.cluster.engine != Engine::mariadb) return false;
  for (size_t i = 0; i < view.histories.size(); ++i) {
    const History& h = view.histories[i];
    if (&h == baseline || h.read == History::Read::empty) continue;
    const Order order = compare(h.position, baseline->position);
    if (order == Order::equal || order == Order::before) continue;
    if (!is_replica(view.members[i]) || !only_own(origins_of(view, i, *baseline))) return false;
  }
  return true;
}

std::vector<Finding> diverged(const View& view) {
  if (view.authority.kind != AuthorityKind::diverged || only_errant_replicas(view)) return {};
  if (view.authority.rule == "authority.leader_lost_its_own") return {};  // leader-not-primary tells that
  return {{.members = {},
           .summary = "the members' histories have diverged: no member has all data",
           .evidence = view.authority.reasons,
           .remedy = view.command("triage") + " --export-divergence DIR, then choose which to discard: " +
                     view.command("repair") + " -i N --dry-run, which says by name what has to be accepted",
           .blocks = {"repair without -i", "bootstrap", "failover"}}};
}

/// The one that has what the leader wrote itself and lacks.
const MemberFacts* holder_of_its_own(const View& view) {
  const History* baseline = view.baseline();
  if (!baseline || view.authority.rule != "authority.leader_lost_its_own") return nullptr;
  for (size_t i = 0; i < view.histories.size(); ++i)
    if (&view.histories[i] != baseline && origins_of(view, i, *baseline).baseline) return &view.members[i];
  return nullptr;
}

std::vector<Finding> not_primary(const View& view) {
  if (const MemberFacts* holder = holder_of_its_own(view)) {
    const std::string writer = view.baseline()->member.str(), ahead = holder->member.str();
    const bool writes = view.leader() != nullptr;
    return {
        {.members = {holder->member},
         .summary = fmt::format("{} lacks what was written under its own number and {} has: it was reset, or restored "
                                "from an older copy, or {} wrote under its number",
                                writer, ahead, ahead),
         .evidence = view.authority.reasons,
         .remedy = fmt::format("{}compare what both hold (neither is proven to hold everything): {} "
                               "--export-divergence DIR; then choose which to discard, by name: {} -i N "
                               "--accept=discard-diverged:MEMBER",
                               writes ? fmt::format("stop writes on {} now (SET GLOBAL {}read_only=ON): its new "
                                                    "transactions get numbers that {} has already, and skips. Then ",
                                                    writer, view.cluster.engine == Engine::mysql ? "super_" : "", ahead)
                                      : "",
                               view.command("triage"), view.command("repair")),
         .blocks = {"repair without -i", "failover"}}};
  }
  if (view.authority.kind != AuthorityKind::leader_not_primary || !view.authority.member) return {};
  // A replica that wrote something itself is ahead only by what is errant: that is not the primary's loss.
  if (const History* baseline = view.leader() ? view.baseline() : nullptr)
    for (size_t i = 0; i < view.histories.size(); ++i)
      if (view.histories[i].member == *view.authority.member && is_replica(view.members[i]) &&
          only_own(origins_of(view, i, *baseline)))
        return {};
  const bool is_lost = std::ranges::none_of(
      view.members, [](const MemberFacts& m) { return m.reachable() && m.role == MemberRole::primary; });
  if (view.writers.empty() && is_lost)
    return {{.members = {*view.authority.member},
             .summary = view.authority.member->str() +
                        " has more than the member that should accept writes, and no member does",
             .evidence = view.authority.reasons,
             .remedy =
                 "choose who is to accept writes: holdfast explain leader-not-primary; then " + view.command("repair"),
             .blocks = {"repair of " + view.authority.member->str(), "failover to others"}}};
  return {{.members = {*view.authority.member},
           .summary = view.authority.member->str() + " has more than the primary",
           .evidence = view.authority.reasons,
           .remedy = "stop writes; then give the primary what it lacks, or promote " + view.authority.member->str() +
                     " by hand: holdfast explain leader-not-primary",
           .blocks = {"repair of " + view.authority.member->str(), "failover to others"}}};
}

const std::string& lineage_of(const MemberFacts& m) {
  return m.lineage.empty() && m.stored ? m.stored->lineage : m.lineage;
}

/// The one lineage of all that accept writes; "" when there is none, or several.
std::string lineage_of_writers(const View& view) {
  std::string lineage;
  for (const auto* m : view.writers) {
    if (lineage_of(*m).empty() || (!lineage.empty() && lineage != lineage_of(*m))) return {};
    lineage = lineage_of(*m);
  }
  return lineage;
}

/// PostgreSQL and Galera, whose histories have a name: it has another one than those that take writes.
bool is_of_another_history(const View& view, const MemberFacts& m) {
  if (view.cluster.engine != Engine::postgres && view.cluster.engine != Engine::galera) return false;
  const std::string ours = lineage_of_writers(view), theirs = lineage_of(m);
  return !ours.empty() && !theirs.empty() && theirs != ours && theirs != "00000000-0000-0000-0000-000000000000";
}

std::vector<Finding> errant(const View& view) {
  std::vector<Finding> found;
  const History* baseline = view.baseline();
  if (!baseline) return {};
  const bool apart = view.authority.kind == AuthorityKind::diverged && !only_errant_replicas(view);
  for (size_t i = 0; i < view.histories.size(); ++i) {
    const History& h = view.histories[i];
    const MemberFacts& m = view.members[i];
    if (&h == baseline || h.read != History::Read::read) continue;
    const bool is_foreign = std::ranges::any_of(view.authority.relations, [&](const MemberRelation& relation) {
      return relation.member == h.member && relation.foreign;
    });
    const Order order = compare(h.position, baseline->position);
    if (const auto local = logged_beside_source(view.cluster.engine, m);
        local && order != Order::diverged && order != Order::after && !is_foreign)
      found.push_back({.members = {h.member},
                       .summary = fmt::format("{} has {} in its log beyond what it applied, under numbers of its "
                                              "source: written there, or its data is older than its log",
                                              h.member.str(), local->transactions),
                       .evidence = {"gtid_binlog_state: " + m.executed, "gtid_slave_pos: " + m.slave_pos},
                       .remedy = view.command("triage") + " --export-divergence DIR, then " +
                                 view.command("repair", &m) + " --accept=discard-diverged:" + h.member.str(),
                       .blocks = {"failover to " + h.member.str()}});
    if (is_foreign || (order != Order::diverged && order != Order::after)) continue;
    // What another history has is not compared with this one: foreign-history says it, and what to accept.
    if (is_of_another_history(view, m)) continue;
    // A component's members are never exactly level while it works; who is ahead inside it has nothing of its own.
    if (view.cluster.engine == Engine::galera && h.in_primary_component && baseline->in_primary_component) continue;
    const std::string missing = difference(h.position, baseline->position);
    Finding f{.members = {h.member},
              .summary = fmt::format("{} has transactions that {} lacks{}", h.member.str(), baseline->member.str(),
                                     missing.empty() ? "" : ": " + missing),
              .evidence = {"its position: " + (m.executed.empty() && m.stored ? m.stored->position : m.executed)},
              .remedy = view.command("triage") + " --export-divergence DIR, then " + view.command("repair", &m) +
                        " --accept=discard-diverged:" + h.member.str(),
              .blocks = {"failover to " + h.member.str()}};
    if (view.cluster.engine == Engine::postgres) f.action = Action::rewind;
    const Origins origins = origins_of(view, i, *baseline);
    if (origins.baseline && view.leader())
      f.evidence.push_back(fmt::format("under the number of {}: it was reset, or {} wrote it itself",
                                       baseline->member.str(), h.member.str()));
    if (apart) {  // neither side is right because it is compared with
      if (const std::string theirs = difference(baseline->position, h.position); !theirs.empty())
        f.summary += fmt::format("; {} has what {} lacks: {}", baseline->member.str(), h.member.str(), theirs);
      if (!view.leader()) f.members.push_back(baseline->member);
      f.remedy = "keep both sides: " + view.command("triage") +
                 " --export-divergence DIR; then choose which to discard: " + view.command("repair") +
                 " -i N --accept=discard-diverged:MEMBER";
    }
    if (origins.other && view.cluster.engine != Engine::postgres)
      f.remedy = "find out who wrote them: they may be acknowledged commits of a former primary. Keep them: " +
                 view.command("triage") + " --export-divergence DIR";
    if (!view.leader()) f.verdict = Verdict::healthy;  // without a writer it may be the one to keep
    found.push_back(std::move(f));
  }
  return found;
}

/// No lineage is recorded, so nobody can say whose data is the cluster's; but these are not of one history.
std::vector<Finding> other_than_the_writers(const View& view) {
  const std::string ours = lineage_of_writers(view);
  if (ours.empty()) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    const std::string& theirs = lineage_of(m);
    if (!is_of_another_history(view, m)) return {};
    return Finding{.members = {},
                   .summary = m.member.str() + " belongs to another history than the members that accept writes",
                   .evidence = {"its lineage: " + theirs, "theirs: " + ours},
                   .remedy =
                       "find out whose data is the cluster's, and record it: spec.lineage of the "
                       "DatabaseCluster; then " +
                       view.command("triage"),
                   .blocks = {"repair", "failover to " + m.member.str()},
                   .action = Action::nothing};
  });
}

std::vector<Finding> foreign(const View& view) {
  std::vector<Finding> found;
  const bool has_lineage = view.cluster.engine == Engine::postgres || view.cluster.engine == Engine::galera;
  if (has_lineage && view.cluster.lineage.empty()) return other_than_the_writers(view);
  for (const auto& relation : view.authority.relations) {
    if (!relation.foreign) continue;
    const MemberFacts* m = find(view, relation.member);
    if (!m) continue;
    found.push_back({.members = {relation.member},
                     .summary = relation.member.str() + " belongs to another history: its data is not of this cluster",
                     .evidence = {"its lineage: " + lineage_of(*m)},
                     .remedy = view.command("repair", m) + " --accept=discard-foreign:" + relation.member.str(),
                     .blocks = {"failover to " + relation.member.str()}});
  }
  return found;
}

/// Group Replication orders the writes of all that are ONLINE in one view. Two groups may have one name, so each must
/// see all the others.
bool in_one_group(const std::vector<const MemberFacts*>& writers) {
  const auto sees = [](const MemberFacts* m, const MemberFacts* other) {
    return m->mysql.replication_group && m->mysql.replication_group->group == other->mysql.replication_group->group &&
           m->mysql.replication_group->online.contains(other->server_uuid);
  };
  return std::ranges::all_of(writers, [&](const MemberFacts* other) {
    return other->mysql.replication_group && !other->server_uuid.empty() &&
           std::ranges::all_of(writers, [&](const MemberFacts* m) { return sees(m, other); });
  });
}

std::vector<Finding> several_writers(const View& view) {
  if (!may_write(view.cluster.engine) || view.writers.size() < 2 || in_one_group(view.writers)) return {};
  Finding f{.members = {},
            .summary = fmt::format("{} members accept writes: split brain", view.writers.size()),
            .remedy = "stop writes on all but one at once; " + view.command("triage") + " --export-divergence DIR",
            .blocks = {"repair without -i", "failover"}};
  const bool apart = view.authority.kind == AuthorityKind::diverged;
  const bool unclear = view.authority.kind == AuthorityKind::undeterminable;
  for (const auto* m : view.writers) {
    f.members.push_back(m->member);
    // Each side may have what the others lack, and nobody says which is right; else the odd one must be closed.
    if (apart || unclear || (view.authority.member && *view.authority.member != m->member))
      f.judged.push_back(m->member);
    f.evidence.push_back(fmt::format("{}: read-only {}, follows no source, at {}", m->member.str(),
                                     m->read_only == false ? "off" : "not known", m->position));
  }
  f.verdict = f.judged.empty() ? Verdict::healthy
              : apart          ? Verdict::diverged
              : unclear        ? Verdict::unknown
                               : Verdict::broken;
  return {std::move(f)};
}

std::vector<Finding> no_writer(const View& view) {
  if (!may_write(view.cluster.engine) || !view.writers.empty()) return {};
  Finding f{.members = {}, .summary = "no member accepts writes", .remedy = view.command("repair") + " --dry-run"};
  bool unseen = false;
  for (const auto& m : view.members) {
    if (!m.reachable()) {
      unseen = true;
      // It serves, and may well accept writes: repair touches nothing before that is known.
      if (m.reach == Reach::denied)
        f.remedy = fmt::format("{} serves and refuses this program: holdfast explain access-denied; then {}",
                               m.member.str(), view.command("triage"));
      else if (const std::string promote = after_lost_primary(view, m); !promote.empty())
        f.remedy = fmt::format("the data of {} is damaged or gone: {}", m.member.str(), promote);
      f.evidence.push_back(fmt::format("{}: {}", m.member.str(), reach_name(m.reach)));
    } else {
      f.evidence.push_back(fmt::format("{}: {}, read-only {}", m.member.str(), member_role_name(m.role),
                                       m.read_only == true ? "on" : "off"));
    }
  }
  if (unseen) f.summary = "no member is seen to accept writes";
  return {std::move(f)};
}

std::vector<Finding> primary_read_only(const View& view) {
  if (!may_write(view.cluster.engine) || !view.writers.empty()) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.role != MemberRole::primary || m.read_only != true) return {};
    if (m.runtime.role_wanted == MemberRole::replica) return {};
    return Finding{.members = {},
                   .summary = m.member.str() + " follows no source and is read-only: no client can write here",
                   .evidence = {"read_only is on"},
                   .remedy = "find out who set it (a fence, a full disk, a person) before you open it"};
  });
}

std::vector<Finding> sessions_read_only(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.role != MemberRole::primary || m.postgres.default_read_only != true) return {};
    return Finding{
        .members = {},
        .summary = m.member.str() + " begins every session read-only: clients cannot write unless they ask to",
        .evidence = {"default_transaction_read_only is on"},
        .remedy = "find out who set it before you reset it; it is not a fence, any session can switch it off"};
  });
}

std::vector<Finding> timeline_behind(const View& view) {
  if (view.cluster.engine != Engine::postgres || !view.leader()) return {};
  const MemberFacts& leader = *view.leader();
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (&m == &leader) return {};
    const uint32_t timeline = m.reachable() ? m.timeline : m.stored ? m.stored->timeline : 0;
    if (timeline == 0 || timeline >= leader.timeline) return {};
    for (const auto& relation : view.authority.relations)
      if (relation.member == m.member && (relation.foreign || relation.to_authority == Order::diverged)) return {};
    const Following* follow = m.upstream();
    if (follow && follow->receiving == true) return {};
    return Finding{.members = {},
                   .summary = fmt::format("{} is on timeline {}, the primary on {}: it was left behind by a promotion",
                                          m.member.str(), timeline, leader.timeline),
                   .evidence = {"its position: " + (m.reachable() ? m.position
                                                    : m.stored    ? m.stored->position
                                                                  : "")},
                   .remedy = view.command("repair", &m)};
  });
}

constexpr Rule kHistoryRules[] = {
    {"several-writers", Severity::critical, Verdict::healthy, Action::nothing, "more than one member accepts writes",
     several_writers},
    {"histories-diverged", Severity::critical, Verdict::healthy, Action::nothing, "no member has all data", diverged},
    {"leader-not-primary", Severity::critical, Verdict::healthy, Action::nothing,
     "another member has more than the primary", not_primary},
    {"no-writer", Severity::critical, Verdict::healthy, Action::nothing, "no member accepts writes", no_writer},
    {"primary-read-only", Severity::critical, Verdict::broken, Action::nothing, "the primary refuses writes",
     primary_read_only},
    {"sessions-read-only", Severity::error, Verdict::broken, Action::nothing, "sessions begin read-only",
     sessions_read_only},
    {"errant-transactions", Severity::error, Verdict::diverged, Action::rebuild,
     "a member has transactions the primary lacks", errant},
    {"foreign-history", Severity::error, Verdict::foreign, Action::rebuild, "a member belongs to another history",
     foreign},
    {"authority-undeterminable", Severity::error, Verdict::healthy, Action::nothing, "who has all data is not known",
     undeterminable},
    {"timeline-behind", Severity::error, Verdict::stale, Action::rewind, "a standby stayed on an old timeline",
     timeline_behind},
};

}  // namespace

std::span<const Rule> history_rules() {
  return kHistoryRules;
}

}  // namespace holdfast::cluster::rules
