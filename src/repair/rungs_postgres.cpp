#include "repair/rungs_postgres.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/wal.h"

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
using position::Order;
using position::WalPosition;

namespace {

std::string name(const MemberReport& m) {
  return m.facts.member.str();
}

std::string command(const TriageReport& report, std::string_view verb, const std::string& member = {}) {
  std::string text = fmt::format("holdfast {} -c {}", verb, report.cluster.full_name());
  if (const auto* described = member.empty() ? nullptr : report.cluster.find(member))
    text += fmt::format(" -i {}", described->ordinal);
  return text;
}

bool says(const TriageReport& report, const MemberReport& member, std::string_view id) {
  return std::ranges::any_of(report.diagnoses, [&](const cluster::Diagnosis& d) {
    return d.id == id && std::ranges::find(d.members, member.facts.member) != d.members.end();
  });
}

bool takes_writes(const MemberReport& m) {
  return m.facts.reachable() && m.facts.role == MemberRole::primary && m.facts.read_only != true;
}

std::string address_of(const TriageReport& report, const std::string& member) {
  const auto* described = report.cluster.find(member);
  return described ? fmt::format("{}:{}", described->host, described->port) : "";
}

/// As its agent names it.
std::string usual_slot(const MemberReport& m) {
  std::string slot = name(m);
  for (char& c : slot)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return slot;
}

std::string slot_of(const MemberReport& m) {
  if (m.facts.upstream() && !m.facts.upstream()->slot.empty()) return m.facts.upstream()->slot;
  return usual_slot(m);
}

/// It asks for a slot that is not there, but has one of its own.
bool uses_another_slot(const TriageReport& report, const MemberReport& m) {
  const MemberReport* leader = report.find(report.leader);
  if (!says(report, m, "replica-slot-missing") || slot_of(m) == usual_slot(m) || !leader || !leader->facts.slots)
    return false;
  return std::ranges::any_of(*leader->facts.slots, [&](const cluster::Slot& slot) {
    return slot.name == usual_slot(m) && slot.physical && slot.wal_status != "lost";
  });
}

/// Where both stand, when both were read.
struct Two {
  WalPosition mine, theirs;
};
std::optional<Two> positions_of(const TriageReport& report, const std::string& member, const std::string& other) {
  std::vector<cluster::MemberFacts> facts;
  for (const auto& m : report.members) facts.push_back(m.facts);
  std::optional<WalPosition> mine, theirs;
  for (const auto& h : cluster::histories(report.cluster, facts)) {
    const auto* position = std::get_if<WalPosition>(&h.position);
    if (h.read != cluster::History::Read::read || !position) continue;
    if (h.member.str() == member) mine = *position;
    if (h.member.str() == other) theirs = *position;
  }
  if (!mine || !theirs) return std::nullopt;
  return Two{std::move(*mine), std::move(*theirs)};
}

bool within(Order order) {
  return order == Order::equal || order == Order::before;
}

/// It holds nothing that the one which takes writes lacks, its pages need no log that is lost, and all the log it has
/// not got yet is still there: it needs only to be started as a standby.
bool can_follow_as_it_is(const TriageReport& report, const MemberReport& member) {
  const MemberReport* leader = report.find(report.leader);
  if (!leader || leader->facts.oldest_wal.empty()) return false;
  const auto two = positions_of(report, name(member), report.leader);
  const auto oldest = position::Lsn::parse(leader->facts.oldest_wal);
  if (!two || !oldest || !within(position::compare(two->mine, two->theirs))) return false;
  if (two->mine.minimum_recovery && *two->mine.minimum_recovery > two->mine.end) return false;
  return *oldest <= two->mine.end;
}

Step proof_of(const MemberReport& m) {
  return {.id = "prove-" + name(m),
          .kind = "prove_member",
          .member = name(m),
          .title = fmt::format("Wait until triage finds {} healthy", name(m)),
          .arguments = Value::object(),
          .preconditions = {},
          .undo = "there is nothing to take back",
          .expected_seconds = 20,
          .proof = "triage says healthy",
          .touches = {"members/" + name(m)}};
}

Step slot_step(const TriageReport& report, const MemberReport& m) {
  return {.id = "slot-" + name(m),
          .kind = "create_slot",
          .member = report.leader,
          .title = fmt::format("Make the replication slot {} on {}", slot_of(m), report.leader),
          .arguments = Value::object({{"slot", slot_of(m)}}),
          .preconditions = {report.leader + " still has the WAL that " + name(m) + " needs"},
          .undo = "drop it if it was not there before",
          .expected_seconds = 2,
          .proof = "it is listed in pg_replication_slots",
          .touches = {"members/" + name(m)}};
}

/// The server's own word on whom it follows goes; what its agent has written for it counts again.
Step follow_step(const TriageReport& report, const MemberReport& m) {
  return {.id = "follow-" + name(m),
          .kind = "follow_told",
          .member = name(m),
          .title = fmt::format("Have {} follow whom its agent says, without a restart", name(m)),
          .arguments = Value::object({{"upstream", m.facts.upstream_wanted}}),
          .preconditions = {fmt::format("{} has nothing that {} lacks", name(m), report.leader)},
          .undo = "set again what ALTER SYSTEM had set, unless that holds a password",
          .expected_seconds = 5,
          .proof = "its primary_conninfo names " + m.facts.upstream_wanted,
          .touches = {"members/" + name(m)}};
}

void add_rejoin(const TriageReport& report, const MemberReport& m, operation::Plan& plan) {
  const std::vector<std::string> touches = {"members/" + name(m), "authority", "leader"};
  if (postgres_is_told_otherwise(report, m))
    plan.steps.push_back({.id = "configure-" + name(m),
                          .kind = "configure_replica",
                          .member = name(m),
                          .title = fmt::format("Tell the agent of {} that it follows {}", name(m), report.leader),
                          .arguments = Value::object({{"source", report.leader}}),
                          .preconditions = {},
                          .undo = "tell it what it was told before",
                          .expected_seconds = 2,
                          .proof = "its agent says so",
                          .touches = touches});
  plan.steps.push_back(slot_step(report, m));
  const bool runs = m.facts.reachable() || says(report, m, "server-frozen");
  plan.steps.push_back(
      {.id = "start-" + name(m),
       .kind = "start_server",
       .member = name(m),
       .title = fmt::format("{} the server of {} as a standby: it has nothing of its own, and {} still has all WAL it "
                            "needs, so nothing is rewound or copied",
                            runs ? "Restart" : "Start", name(m), report.leader),
       .arguments = Value::object({{"restart", runs}}),
       .preconditions = {"its agent answers", fmt::format("{} has nothing that {} lacks", name(m), report.leader)},
       .undo = runs ? "there is nothing to take back: it ran before" : "stop it again",
       .expected_seconds = 30,
       .proof = "it signs us in and says that it serves",
       .touches = touches});
  plan.steps.push_back(proof_of(m));
}

}  // namespace

bool postgres_is_told_otherwise(const TriageReport& report, const MemberReport& member) {
  if (member.facts.role_wanted == MemberRole::unknown) return false;  // no agent has said
  if (member.facts.role_wanted != MemberRole::replica) return true;
  if (member.facts.upstream_wanted == address_of(report, report.leader)) return false;
  // It may follow another standby on purpose; one that serves nobody is no upstream.
  return std::ranges::none_of(report.members, [&](const MemberReport& m) {
    return &m != &member && m.healthy() && member.facts.upstream_wanted == address_of(report, name(m));
  });
}

bool postgres_can_rewind(const TriageReport& report, const MemberReport& member) {
  if (member.verdict != Verdict::diverged || report.leader.empty()) return false;
  const auto two = positions_of(report, name(member), report.leader);
  return two && two->mine.timeline != two->theirs.timeline &&
         position::compare(two->mine, two->theirs) == Order::diverged;
}

bool postgres_only_it_is_unknown(const TriageReport& report, const MemberReport& member) {
  const MemberReport* leader = report.find(report.leader);
  return report.authority.kind == AuthorityKind::undeterminable && leader && leader != &member && takes_writes(*leader) &&
         !member.facts.reachable() && member.facts.agent == true && member.verdict != Verdict::unknown &&
         report.authority.blockers.size() == 1 && report.authority.blockers[0] == member.facts.member;
}

std::optional<operation::Loss> postgres_loss(const MemberReport& member, bool unknown) {
  if (unknown)
    return operation::Loss{
        fmt::format("what {} holds cannot be read; if it has something of its own, that will be in its copy in the "
                    "repository only",
                    name(member)),
        "discard-unknown:" + name(member)};
  if (member.verdict != Verdict::diverged || !takes_writes(member)) return std::nullopt;
  // It goes on writing until it is stopped: where it came apart stays true, where it ends does not.
  const std::string& own = member.errant.transactions;
  return operation::Loss{fmt::format("{} will no longer have what it wrote beside the other one{}", name(member),
                                     own.empty() ? "" : ": " + own.substr(0, own.find(" to ")) + " on"),
                         "discard-diverged:" + name(member)};
}

Result<std::optional<TriageReport>> postgres_after_choice(const TriageReport& report, const Request& request) {
  if (report.cluster.engine != Engine::postgres || !request.ordinal || !report.leader.empty()) return std::nullopt;
  const MemberReport *victim = nullptr, *stays = nullptr;
  size_t writers = 0;
  for (const auto& m : report.members) {
    if (!takes_writes(m)) continue;
    ++writers;
    (report.cluster.find(name(m))->ordinal == *request.ordinal ? victim : stays) = &m;
  }
  if (writers != 2 || !victim || !stays) return std::nullopt;
  // Nobody else may be the reason why it is not known who has what.
  for (const auto& blocker : report.authority.blockers)
    if (blocker != victim->facts.member && blocker != stays->facts.member) return std::nullopt;
  if (report.authority.kind == AuthorityKind::provable && report.authority.member == victim->facts.member)
    return fail(ErrorClass::refused, "repair.target_is_primary",
                fmt::format("{0} holds everything that {1} has; {1} is the one to give way", name(*victim), name(*stays)),
                command(report, "repair", name(*stays)));
  TriageReport chosen = report;
  chosen.leader = name(*stays);
  chosen.authority.kind = AuthorityKind::diverged;
  chosen.authority.blockers.clear();
  for (auto& m : chosen.members) {
    if (name(m) == name(*stays)) {
      m.verdict = Verdict::healthy;
      m.action = Action::nothing;
    } else if (name(m) == name(*victim)) {
      m.verdict = Verdict::diverged;
      m.action = Action::rewind;
    } else {
      // A standby may follow the one that goes: a copy of it would bring back what that one wrote.
      const auto two = positions_of(report, name(m), name(*stays));
      if (m.healthy() && (!two || !within(position::compare(two->mine, two->theirs)))) m.verdict = Verdict::diverged;
    }
  }
  return chosen;
}

void postgres_settle_choice(const TriageReport& report, const std::string& leader, operation::Plan& plan) {
  plan.world = world_of(report);
  for (auto& step : plan.steps) {
    step.touches.push_back("members/" + leader);
    if (step.kind != "stop_server") continue;
    step.title += fmt::format(": {} stays the one that takes writes", leader);
    step.undo = "it stays stopped: a second writer is no state to restore";
    step.arguments.set("keep", true);
  }
}

Result<PostgresRung> add_postgres_rung(const TriageReport& report, const MemberReport& member, const Request&,
                                       operation::Plan& plan) {
  switch (member.action) {
    case Action::resume:
      if (says(report, member, "replica-access-denied"))
        return fail(ErrorClass::refused, "repair.needs_operator",
                    fmt::format("{} is refused by whom it follows; it connects by itself as soon as its account is in "
                                "order there",
                                name(member)),
                    "holdfast explain replica-access-denied");
      if ((says(report, member, "replica-wrong-source") || uses_another_slot(report, member)) &&
          !postgres_is_told_otherwise(report, member) && !report.leader.empty()) {
        plan.steps.push_back(follow_step(report, member));
        plan.steps.push_back(proof_of(member));
        return PostgresRung::done;
      }
      if (says(report, member, "replica-slot-missing") && !report.leader.empty()) {
        // Its receiver tries again by itself: no restart.
        plan.steps.push_back(slot_step(report, member));
        plan.steps.push_back(proof_of(member));
        return PostgresRung::done;
      }
      return PostgresRung::common;
    case Action::rewind:
      if (member.verdict == Verdict::stale && can_follow_as_it_is(report, member)) {
        add_rejoin(report, member, plan);
        return PostgresRung::done;
      }
      return PostgresRung::common;
    default:
      return PostgresRung::common;
  }
}

}  // namespace holdfast::repair
