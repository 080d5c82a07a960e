#include "repair/sides.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::Engine;
using cluster::MemberReport;
using cluster::MemberRole;
using cluster::TriageReport;
using cluster::Verdict;
using codec::Value;
using operation::Step;

namespace {

bool has_one_primary(const TriageReport& report) {
  return report.cluster.engine == Engine::mariadb || report.cluster.engine == Engine::mysql;
}

}  // namespace

bool holds_nothing_beside(const TriageReport& report, const std::string& member, const std::string& other) {
  // What a blocker shows proves nothing: it was reset, or cannot be read.
  for (const auto& blocker : report.authority.blockers)
    if (blocker.str() == member || blocker.str() == other) return false;
  const auto past = histories_of(report);
  const auto *mine = find_history(past, member), *theirs = find_history(past, other);
  if (!mine || !theirs || mine->read != cluster::History::Read::read || theirs->read != cluster::History::Read::read)
    return false;
  return lies_within(cluster::compare(mine->position, theirs->position));
}

Result<std::optional<TriageReport>> after_choice(const TriageReport& report, const Request& request) {
  if (!request.ordinal || !report.leader.empty() || !has_one_primary(report)) return std::nullopt;
  std::string target, stays;
  for (const auto& m : report.members) {
    const std::string& name = m.facts.member.str();
    if (report.cluster.find(name)->ordinal == *request.ordinal) target = name;
  }
  size_t writers = 0;
  for (const auto& m : report.members) {
    if (!takes_writes(m)) continue;
    ++writers;
    if (m.facts.member.str() != target) stays = m.facts.member.str();
  }
  const MemberReport* victim = report.find(target);
  if (writers != 2 || !victim || !takes_writes(*victim)) return std::nullopt;
  const bool provable = report.authority.kind == AuthorityKind::provable;
  if (!provable && report.authority.kind != AuthorityKind::diverged) return std::nullopt;
  const bool nothing_own = holds_nothing_beside(report, target, stays);
  if (provable && report.authority.member->str() == target)
    return fail(
        ErrorClass::refused, "repair.target_is_primary",
        fmt::format("{} holds everything that {} has; {} is the one to close", target, stays, stays),
        fmt::format("holdfast repair -c {} -i {}", report.cluster.full_name(), report.cluster.find(stays)->ordinal));
  TriageReport chosen = report;
  chosen.leader = stays;
  for (auto& m : chosen.members) {
    const std::string& name = m.facts.member.str();
    if (name == stays) {
      m.verdict = Verdict::healthy;
      m.action = Action::nothing;
    } else if (name == target) {
      m.verdict = nothing_own ? Verdict::broken : Verdict::diverged;
      m.action = nothing_own ? Action::resume : Action::rebuild;
      m.errant = {};  // grows until it is closed
    } else if (m.healthy() && !holds_nothing_beside(report, name, stays)) {
      m.verdict = Verdict::diverged;  // follows the one that goes: a copy of it would bring its transactions back
      m.action = Action::rebuild;
    }
  }
  const bool detached = std::ranges::any_of(chosen.diagnoses, [&](const cluster::Diagnosis& d) {
    return d.id == "replica-detached" && std::ranges::find(d.members, victim->facts.member) != d.members.end();
  });
  if (nothing_own && !detached) {
    cluster::Diagnosis follows_nobody;
    follows_nobody.id = "replica-detached";
    follows_nobody.members = {victim->facts.member};
    chosen.diagnoses.push_back(std::move(follows_nobody));
  }
  return chosen;
}

bool only_it_is_unknown(const TriageReport& report, const MemberReport& member) {
  const MemberReport* leader = report.find(report.leader);
  return has_one_primary(report) && report.authority.kind == AuthorityKind::undeterminable && leader &&
         leader != &member && takes_writes(*leader) && member.facts.agent == true &&
         member.verdict != Verdict::unknown && report.authority.blockers.size() == 1 &&
         report.authority.blockers[0] == member.facts.member;
}

Step closing_step(const std::string& member, const std::string& leader) {
  return {.id = "close-" + member,
          .kind = "set_read_only",
          .member = member,
          .title = fmt::format("Close {} for writes: {} stays the one that takes them", member, leader),
          .arguments = Value::object({{"keep", true}}),
          .preconditions = {},
          .undo = "it stays closed: a second writer is not a state to restore",
          .expected_seconds = 2,
          .proof = "it says read-only",
          .touches = {"members/" + member, "leader", "authority"}};
}

bool is_told_otherwise(const TriageReport& report, const MemberReport& member, const std::string& leader) {
  if (!has_one_primary(report) || leader.empty() || member.facts.member.str() == leader) return false;
  if (member.facts.role_wanted == MemberRole::unknown) return false;  // no agent has said
  return member.facts.role_wanted != MemberRole::replica ||
         (!member.facts.upstream_wanted.empty() && !is_told_to_follow(report, member, leader));
}

Step telling_step(const std::string& member, const std::string& leader) {
  return {.id = "configure-" + member,
          .kind = "configure_replica",
          .member = member,
          .title = leader.empty() ? fmt::format("Tell the agent of {} that it is the primary now", member)
                                  : fmt::format("Tell the agent of {} that it follows {}", member, leader),
          .arguments = Value::object({{"source", leader}}),
          .preconditions = {},
          .undo = "restore its agent's setting from before",
          .expected_seconds = 2,
          .proof = "its agent says so",
          .touches = {"members/" + member, "leader", "authority"}};
}

bool may_cut_its_tail(const TriageReport& report, const MemberReport& member) {
  return report.cluster.engine == Engine::mariadb &&
         report.cluster.replication == cluster::ReplicationMode::semi_sync && !report.leader.empty() &&
         !member.facts.reachable() && member.facts.server_state == "failed" && member.verdict == Verdict::diverged;
}

Step cutting_step(const std::string& member, const std::string& leader) {
  return {.id = "cut-" + member,
          .kind = "cut_tail",
          .member = member,
          .title = fmt::format("Start {} as a replica: it cuts off what it logged and never committed. If it then has "
                               "nothing that {} lacks, it follows, and need not be copied",
                               member, leader),
          .arguments = Value::object({{"source", leader}}),
          .preconditions = {"its server crashed; a copy of it is kept"},
          .undo = "stop it",
          .expected_seconds = 20,
          .proof = "its position is within that of " + leader + ", or it is stopped again",
          .touches = {"members/" + member, "leader", "authority"}};
}

}  // namespace holdfast::repair
