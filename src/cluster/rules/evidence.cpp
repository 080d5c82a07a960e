// Positions and settings that prove less than they say: of these a member may look healthy and lack rows.
#include <algorithm>

#include "cluster/roles.h"
#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

using position::GtidSet;
using position::GtidState;
using position::GtidVector;

/// MariaDB: the transactions a running server has for certain.
GtidState held_by(const MemberFacts& m) {
  auto state = GtidState::parse(m.executed).value_or(GtidState());
  if (m.mysql.log_bin == true && m.mysql.log_replica_updates == true) return state;
  return state.merge(GtidState::from(GtidVector::parse(m.slave_pos).value_or(GtidVector())));
}

/// MariaDB deletes its relay logs when both threads start by GTID: what a server that is down has received and not
/// applied must be with a running one, or a plain start destroys it.
std::vector<Finding> only_in_relay_logs(const View& view) {
  if (view.cluster.engine != Engine::mariadb) return {};
  std::vector<Finding> found;
  for (size_t i = 0; i < view.members.size(); ++i) {
    const MemberFacts& m = view.members[i];
    if (m.reachable() || !m.stored || m.stored->data != StoredFacts::Data::present) continue;
    if (m.stored->received.empty() || !m.stored->received_unknown.empty()) continue;
    const auto* all = std::get_if<GtidState>(&view.histories[i].position);
    const auto applied = GtidState::parse(m.stored->position);
    if (!all || !applied || applied->contains(*all)) continue;
    // What only its relay logs have: what it applied is safe.
    GtidState received;
    std::string names;
    for (const auto& range : all->missing_from(*applied)) {
      received.record({range.domain, range.server, range.up_to_seq});
      names += (names.empty() ? "" : ",") + range.to_string();
    }
    const bool elsewhere = std::ranges::any_of(
        view.members, [&](const MemberFacts& other) { return other.reachable() && held_by(other).contains(received); });
    if (elsewhere) continue;
    Finding f{.members = {m.member},
              .summary = fmt::format(
                  "{} has received {} and not applied it, and no running member has it: its relay logs may be the only "
                  "copy",
                  name(m), names),
              .evidence = {"applied: " + m.stored->position, "in its relay logs: " + m.stored->received},
              .remedy =
                  "do not start its server by hand: MariaDB deletes its relay logs when its replication threads start; "
                  "a copy of it is kept and they are applied by " +
                  view.command("repair", &m),
              .blocks = {"plain start of " + name(m)}};
    // After a power failure the primary's log has it as well, and only whether that server starts is open.
    const auto logged = std::ranges::find_if(view.members, [&](const MemberFacts& other) {
      if (other.member == m.member || other.reachable() || !other.stored) return false;
      if (other.stored->data != StoredFacts::Data::present || !other.stored->position_unknown.empty()) return false;
      const auto state = GtidState::parse(other.stored->position);
      return state && state->contains(received);
    });
    if (logged != view.members.end()) {
      f.severity = Severity::warning;
      f.summary = fmt::format("{} has received {} and not applied it; the log of {} has it, which does not run either",
                              name(m), names, name(*logged));
      f.remedy = fmt::format("start {} first, then {}: {}", name(*logged), name(m), view.command("repair"));
    }
    found.push_back(std::move(f));
  }
  return found;
}

/// MariaDB: gtid_slave_pos is a table anybody may write; the log is not.
std::vector<Finding> not_in_log(const View& view) {
  if (view.cluster.engine != Engine::mariadb) return {};
  const auto foreign = find_feeds(view.cluster, view.members).foreign;
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.mysql.log_bin != true || m.mysql.log_replica_updates != true) return {};
    const auto logged = GtidState::parse(m.executed);
    const auto noted = GtidVector::parse(m.slave_pos);
    if (!logged || !noted) return {};
    std::string missing;
    bool begun = true;
    for (const auto& gtid : noted->entries()) {
      // What a filter leaves out is applied by no log.
      if (logged->contains(gtid) || foreign.contains(std::to_string(gtid.domain))) continue;
      missing += (missing.empty() ? "" : ",") + gtid.to_string();
      begun = begun && logged->last().of_domain(gtid.domain).seq > 0;
    }
    if (missing.empty()) return {};
    Finding f{
        .members = {},
        .summary = fmt::format("{} says that it has applied {}, and its own log does not have it", name(m), missing),
        .evidence = {"gtid_slave_pos: " + m.slave_pos, "gtid_binlog_state: " + m.executed},
        .remedy = view.command("repair", &m),
        .blocks = {"failover to " + name(m), "copies from " + name(m)}};
    if (&m == view.leader()) {  // nothing is applied there by that position
      f.severity = Severity::warning;
      f.verdict = Verdict::healthy;
      f.action = Action::nothing;
      f.remedy = "find out who set gtid_slave_pos; then " + view.command("triage");
    } else if (!begun) {  // as after a copy whose log began anew
      f.action = Action::nothing;
      f.remedy =
          "if it was just built from a copy, its log shows it with the next transaction: write something, then " +
          view.command("triage");
    }
    return f;
  });
}

/// MySQL: what is purged is older than what the logs still have. A number that is purged above one that is not was
/// never in a log: somebody set gtid_purged.
std::vector<Finding> purged_hole(const View& view) {
  if (view.cluster.engine != Engine::mysql) return {};
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.mysql.log_bin != true || m.mysql.commit_order == false) return {};
    const auto executed = GtidSet::parse(m.executed), purged = GtidSet::parse(m.purged);
    if (!executed || !purged) return {};
    const GtidSet in_logs = executed->subtract(*purged);
    std::string holes;
    for (const auto& source : purged->sources()) {
      const auto* logged = in_logs.find(source.uuid, source.tag);
      if (!logged) continue;
      const auto oldest = logged->intervals.front().first;
      for (const auto& interval : source.intervals)
        if (interval.last > oldest)
          holes +=
              fmt::format("{}{}{}{}:{}-{}", holes.empty() ? "" : ",", source.uuid.to_string(),
                          source.tag.empty() ? "" : ":", source.tag, std::max(interval.first, oldest), interval.last);
    }
    if (holes.empty()) return {};
    return Finding{
        .members = {},
        .summary = fmt::format("{} counts {} as executed, and its logs, which reach back further, never had it",
                               name(m), holes),
        .evidence = {"gtid_purged: " + m.purged, "gtid_executed: " + m.executed},
        .remedy = view.command("repair", &m),
        .blocks = {"failover to " + name(m), "copies from " + name(m)}};
  });
}

/// Injected empty to get past an error, or left out by a filter or a counter: positions agree, rows do not.
std::vector<Finding> passed_over(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || !m.skipped || !m.skipped->any() || &m == view.leader()) return {};
    const auto tables = m.skipped->tables();
    Finding f{
        .members = {},
        .summary = fmt::format("{} has passed over {} transaction{} that the primary has with content: {}", name(m),
                               m.skipped->count, m.skipped->count == 1 ? "" : "s", m.skipped->transactions),
        .evidence = {"its own binary log has them empty, or not at all"},
        .remedy = fmt::format("holdfast compare -c {} shows which rows differ; to make it a copy of the primary "
                              "again: {}",
                              view.cluster.full_name(), view.command("repair", &m)),
        .blocks = {"failover to " + name(m), "copies from " + name(m)}};
    if (!tables.empty()) {
      std::string text;
      for (const auto& table : tables) text += (text.empty() ? "" : ", ") + table;
      f.evidence.push_back("in the primary's log they change: " + text);
    }
    return f;
  });
}

std::vector<Finding> silent_loss(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!m.reachable() || m.silent_loss.empty()) return {};
    std::string names;
    for (const auto& setting : m.silent_loss)
      names += (names.empty() ? "" : ", ") + setting.substr(0, setting.find(" (safe"));
    Finding f{.members = {},
              .summary = fmt::format("{} may lose changes without an error: {}", name(m), names),
              .evidence = m.silent_loss,
              .remedy =
                  "set them to what is safe, here and in the configuration; what was left out stays so: compare, or "
                  "rebuild it by name; then " +
                  view.command("triage"),
              .blocks = {"failover to " + name(m), "copies from " + name(m)}};
    if (m.role != MemberRole::replica) {
      f.severity = Severity::warning;
      f.verdict = Verdict::healthy;
    }
    return f;
  });
}

constexpr Rule kEvidenceRules[] = {
    {"relay-log-only-copy", Severity::critical, Verdict::healthy, Action::nothing,
     "relay logs may be the only copy of transactions", only_in_relay_logs},
    {"position-not-in-log", Severity::error, Verdict::broken, Action::rebuild,
     "a replica's log does not bear out its position", not_in_log},
    {"gtid-purged-hole", Severity::error, Verdict::broken, Action::rebuild,
     "transactions count as executed that were never in the logs", purged_hole},
    {"transactions-passed-over", Severity::error, Verdict::broken, Action::rebuild,
     "a replica has the numbers of transactions and not what they did", passed_over},
    {"silent-loss", Severity::error, Verdict::broken, Action::nothing, "a setting lets changes be lost unseen",
     silent_loss},
};

}  // namespace

std::span<const Rule> evidence_rules() {
  return kEvidenceRules;
}

}  // namespace holdfast::cluster::rules
