// Who follows whom: sources that are none, chains of replicas, and connections beside a member's own.
#include <algorithm>

#include "cluster/roles.h"
#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

bool is_mysql_family(const View& view) {
  return view.cluster.engine == Engine::mariadb || view.cluster.engine == Engine::mysql;
}

Chain chain_of(const View& view, const MemberFacts& m) {
  std::vector<const MemberFacts*> members;
  for (const auto& other : view.members) members.push_back(&other);
  return cluster::chain_of(view.topology, members, view.place_of(m), view.leader());
}

/// "m2 follows m1, which follows m0"
std::string chain_text(const View& view, const MemberFacts& m, const Chain& chain) {
  std::string text = name(m);
  for (size_t i = 0; i < chain.through.size(); ++i)
    text += fmt::format("{} follows {}", i == 0 ? "" : ", which", name(view.members[chain.through[i]]));
  return text;
}

/// Asks `check` of every reachable member that has a stream of this cluster, and of its chain.
template <class Check>
std::vector<Finding> each_chain(const View& view, Check&& check) {
  if (view.cluster.engine == Engine::galera) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.upstream() || m.upstream()->upstream.empty()) return {};
    return check(m, *m.upstream(), chain_of(view, m));
  });
}

/// A replica in the chain that keeps what it applies to itself.
const MemberFacts* silent_link(const View& view, const Chain& chain) {
  if (!is_mysql_family(view)) return nullptr;
  for (const size_t i : chain.through)
    if (const MemberFacts& link = view.members[i];
        link.reachable() && link.upstream() && link.mysql.log_replica_updates == false)
      return &link;
  return nullptr;
}

/// Whether its agent says another one.
bool other_than_told(const View& view, const MemberFacts& m, const Following& f) {
  const Who wanted = view.topology.wanted(view.place_of(m)), source = view.source(m, f);
  if (m.runtime.upstream_wanted.empty() && !wanted.member()) return false;
  if (wanted.outside()) return f.upstream != m.runtime.upstream_wanted;
  const auto is = source.member();
  return !is || !wanted.may_be(*is);
}

std::vector<Finding> wrong_source(const View& view) {
  return each_chain(view, [&](const MemberFacts& m, const Following& f, const Chain& chain) -> std::optional<Finding> {
    const Who source = view.source(m, f);
    if (source.unknown()) return {};  // source-unidentified
    const bool itself = source.is(view.place_of(m));
    const bool known = !itself && chain.end != Chain::End::elsewhere;
    const bool told_otherwise = other_than_told(view, m, f);
    const MemberFacts* silent = known ? silent_link(view, chain) : nullptr;
    const bool circle = known && chain.end == Chain::End::itself;
    // PostgreSQL follows at its next start whom its agent says. The others follow whom they were told, as long as that
    // is a replica of this cluster.
    const bool unseen = chain.end == Chain::End::unseen || chain.end == Chain::End::unknown;
    const bool chained =
        is_mysql_family(view) && !chain.through.empty() &&
        (chain.cascades() || (unseen && view.members[chain.through[0]].runtime.role_wanted != MemberRole::primary));
    if (known && !silent && !circle && (!told_otherwise || chained)) return {};
    if (!known && !itself && !told_otherwise) {
      // Without an agent's word it may be meant: a cluster of replicas, or a standby in between that is not described.
      if (!view.leader()) return {};
      return Finding{
          .members = {},
          .summary = fmt::format("{} follows {}, which is not a member of this cluster", name(m), f.upstream),
          .evidence = {source.how()},
          .remedy = "add the server to the DatabaseCluster, or find out why " + name(m) + " follows it",
          .severity = Severity::warning,
          .verdict = Verdict::healthy,
          .action = Action::nothing};
    }
    return Finding{
        .members = {},
        .summary = itself   ? name(m) + " follows itself"
                   : circle ? fmt::format("{} follows {}, which follows it: nothing of the primary comes that way",
                                          name(m), f.upstream)
                   : silent
                       ? fmt::format("{}, and {} does not log what it applies: nothing of the primary comes that way",
                                     chain_text(view, m, chain), name(*silent))
                       : fmt::format("{} follows {}, {}", name(m), f.upstream,
                                     known ? "not " + m.runtime.upstream_wanted + " as it should"
                                           : "which is not a member of this cluster"),
        .evidence = {silent                              ? "log_replica_updates is off on " + name(*silent)
                     : m.runtime.upstream_wanted.empty() ? ""
                                                         : "its agent says: follow " + m.runtime.upstream_wanted,
                     known || itself ? "" : source.how()},
        .remedy = view.command("repair", &m)};
  });
}

/// "m0 or m2", of those it may be beside a server that is no member.
std::string candidates_text(const View& view, const Who& who) {
  std::string text;
  for (const size_t i : who.candidates()) text += (text.empty() ? "" : " or ") + name(view.members[i]);
  return text.empty() ? "no member that was read" : text;
}

std::vector<Finding> unidentified(const View& view) {
  return each_chain(view, [&](const MemberFacts& m, const Following& f, const Chain&) -> std::optional<Finding> {
    const Who source = view.source(m, f);
    if (!source.unknown() || view.members.size() < 2) return {};
    return Finding{
        .members = {},
        .summary = fmt::format("{} follows {}, and which member that is, if any, is not known", name(m), f.upstream),
        .evidence = {source.how(), "it may be " + candidates_text(view, source)},
        .remedy = fmt::format("if it is a member, add that address to its aliases (spec.members[].aliases); then {}",
                              view.command("triage"))};
  });
}

bool runs(const Following& stream) {
  return stream.receiving == true && stream.applying == true;
}

/// The first replica between it and the primary that is there and gets or applies nothing.
const MemberFacts* broken_link(const View& view, const Chain& chain) {
  for (const size_t i : chain.through) {
    const MemberFacts& link = view.members[i];
    if (link.reachable() && link.upstream() && !runs(*link.upstream())) return &link;
  }
  return nullptr;
}

std::vector<Finding> chained(const View& view) {
  return each_chain(view, [&](const MemberFacts& m, const Following&, const Chain& chain) -> std::optional<Finding> {
    if (!chain.cascades() || silent_link(view, chain) || broken_link(view, chain)) return {};
    return Finding{.members = {},
                   .summary = "a chain: " + chain_text(view, m, chain),
                   .evidence = {"a repair keeps it as long as " + name(view.members[chain.through[0]]) +
                                " can serve as its source"}};
  });
}

std::vector<Finding> chain_broken(const View& view) {
  if (!is_mysql_family(view)) return {};
  return each_chain(view, [&](const MemberFacts& m, const Following& f, const Chain& chain) -> std::optional<Finding> {
    const MemberFacts* link = broken_link(view, chain);
    if (!link || !runs(f)) return {};
    return Finding{.members = {},
                   .summary = fmt::format("{} follows {} and gets nothing new: {} does not {}", name(m), f.upstream,
                                          name(*link), link->upstream()->receiving == true ? "apply" : "receive"),
                   .evidence = {chain_text(view, m, chain)},
                   .remedy = view.command("repair", link)};
  });
}

std::string state_text(const Following& stream) {
  std::string text =
      fmt::format("receiver {}, applier {}", stream.receive_state, stream.applying == true ? "on" : "off");
  const bool applier = stream.apply_errno != 0;
  if (const auto& error = stream.last_error(); !error.empty())
    text += fmt::format(": [{}] {}", applier ? stream.apply_errno : stream.receive_errno, first_line(error));
  return text;
}

std::string removal(const View& view, const Following& stream) {
  return view.cluster.engine == Engine::mysql ? fmt::format("RESET REPLICA ALL FOR CHANNEL '{}'", stream.channel)
                                              : fmt::format("RESET SLAVE '{}' ALL", stream.channel);
}

/// ", which is not a member of this cluster"
std::string stranger_text(const Who& source) {
  return source.outside() ? ", which is not a member of this cluster"
                          : ", which may or may not be a member of this cluster";
}

/// A primary that also receives: from elsewhere, from its own replica, or no more since it was promoted.
Finding beside_primary(const View& view, const MemberFacts& m, const Following& stream) {
  const Who source = view.source(m, stream);
  const bool runs = stream.receiving != false || stream.applying != false;
  const std::string channel = stream.channel.empty() ? "" : fmt::format(" (channel {})", stream.channel);
  Finding f{.members = {m.member},
            .summary = !runs ? fmt::format("{} accepts writes, and still has {} configured as its source{}", name(m),
                                           stream.upstream, channel)
                       : source.member() ? fmt::format("{} accepts writes, and also receives from its replica {}{}",
                                                       name(m), stream.upstream, channel)
                                         : fmt::format("{} accepts writes, and also receives from {}{}{}", name(m),
                                                       stream.upstream, stranger_text(source), channel),
            .evidence = {state_text(stream)},
            .remedy = fmt::format("if it is not meant: {} on {}; then {}", removal(view, stream), name(m),
                                  view.command("triage")),
            .severity = runs ? Severity::warning : Severity::info};
  if (!source.member()) f.evidence.push_back(source.how());
  return f;
}

/// A replica that has another connection beside the one by which it follows in this cluster.
Finding beside_replica(const View& view, const MemberFacts& m, const Following& stream) {
  const Who source = view.source(m, stream);
  const bool ours = source.member().has_value();
  const bool broken = does_not_work(stream);
  const std::string channel =
      stream.channel.empty() ? "the default channel" : fmt::format("channel '{}'", stream.channel);
  Finding f{.members = {m.member}, .summary = {}, .evidence = {state_text(stream)}};
  f.summary = fmt::format("{} also has {} from {}{}{}", name(m), channel, stream.upstream,
                          ours               ? ""
                          : source.outside() ? ", not a member of this cluster"
                                             : ", which may or may not be a member of this cluster",
                          broken         ? ", which does not work: it has no part in this cluster's replication"
                          : runs(stream) ? ""
                                         : ", stopped");
  if (!ours) f.evidence.push_back(source.how());
  f.severity = broken ? Severity::error : ours || !runs(stream) ? Severity::info : Severity::warning;
  f.remedy = broken ? fmt::format("fix it, or let {} remove it ({})", view.command("repair", &m), removal(view, stream))
                    : fmt::format("if it is not meant: {} on {}; then {}", removal(view, stream), name(m),
                                  view.command("triage"));
  return f;
}

/// Its group chooses its primary and brings members back by itself; nothing here knows how to take part in that.
std::vector<Finding> replication_group(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.mysql.replication_group) return {};
    const auto& group = *m.mysql.replication_group;
    return Finding{
        .members = {},
        .summary = name(m) + " is of a Group Replication group, which is neither judged nor repaired",
        .evidence = {fmt::format("group {}: {}{}", group.group, group.state.empty() ? "state not known" : group.state,
                                 group.role.empty() ? "" : ", " + group.role)},
        .remedy = "SELECT * FROM performance_schema.replication_group_members on " + name(m),
        .blocks = {"repair of " + name(m)}};
  });
}

std::vector<Finding> side_channels(const View& view) {
  std::vector<Finding> found;
  for (const auto& m : view.members)
    for (const auto& stream : m.side_channels)
      found.push_back(m.role == MemberRole::primary ? beside_primary(view, m, stream)
                                                    : beside_replica(view, m, stream));
  return found;
}

constexpr Rule kTopologyRules[] = {
    {"replica-wrong-source", Severity::error, Verdict::broken, Action::resume, "a replica follows the wrong server",
     wrong_source},
    {"source-unidentified", Severity::warning, Verdict::healthy, Action::nothing,
     "a replica's source cannot be identified", unidentified},
    {"replica-chain-broken", Severity::error, Verdict::broken, Action::nothing,
     "a replica's source gets or applies nothing itself", chain_broken},
    {"replica-chained", Severity::info, Verdict::healthy, Action::nothing, "a replica follows another replica",
     chained},
    {"side-channel", Severity::warning, Verdict::healthy, Action::nothing,
     "a member has a replication connection beside its own", side_channels},
    {"group-replication", Severity::error, Verdict::unknown, Action::nothing,
     "a member is of a Group Replication group", replication_group},
};

}  // namespace

std::span<const Rule> topology_rules() {
  return kTopologyRules;
}

}  // namespace holdfast::cluster::rules
