#include "repair/rungs_postgres.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/wal.h"
#include "repair/full_disk.h"
#include "repair/slots.h"
#include "repair/unique.h"
#include "repair/world.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::MemberReport;
using cluster::MemberRole;
using cluster::TriageReport;
using cluster::Verdict;
using codec::Value;
using operation::Step;
using position::Order;
using position::WalPosition;

namespace {

/// It asks for a slot that is not there, but has one of its own.
bool uses_another_slot(const TriageReport& report, const MemberReport& m) {
  const MemberReport* leader = report.find(report.leader);
  if (!says(report, m, "replica-slot-missing") || slot_of(m) == usual_slot(m) || !leader ||
      !leader->facts.postgres.slots)
    return false;
  return std::ranges::any_of(*leader->facts.postgres.slots, [&](const cluster::Slot& slot) {
    return slot.name == usual_slot(m) && slot.physical && slot.wal_status != "lost";
  });
}

/// Nothing is configured that it could stream or restore from: its agent knows.
bool has_no_source(const MemberReport& m) {
  const cluster::Following* f = m.facts.upstream();
  return f && !f->conninfo_problem.empty() && f->from_archive != true;
}

/// Where both stand, when both were read.
struct Two {
  WalPosition mine, theirs;
};
std::optional<Two> positions_of(const TriageReport& report, const std::string& member, const std::string& other) {
  std::optional<WalPosition> mine, theirs;
  for (const auto& h : histories_of(report)) {
    const auto* position = std::get_if<WalPosition>(&h.position);
    if (h.read != cluster::History::Read::read || !position) continue;
    if (h.member.str() == member) mine = *position;
    if (h.member.str() == other) theirs = *position;
  }
  if (!mine || !theirs) return std::nullopt;
  return Two{std::move(*mine), std::move(*theirs)};
}

bool says_it_stopped(const TriageReport& report, const MemberReport& m) {
  return says(report, m, "server-crashed") || says(report, m, "server-stopped");
}

/// Its agent would start it as something else than a standby of one that serves.
bool is_told_otherwise(const TriageReport& report, const MemberReport& member) {
  if (member.facts.runtime.role_wanted == MemberRole::unknown) return false;  // no agent has said
  if (member.facts.runtime.role_wanted != MemberRole::replica) return true;
  if (is_told_to_follow(report, member, report.leader)) return false;
  // It may follow another standby on purpose; one that serves nobody is no upstream.
  return std::ranges::none_of(report.members, [&](const MemberReport& m) {
    return &m != &member && m.healthy() && is_told_to_follow(report, member, name(m));
  });
}

/// It holds nothing that the one which takes writes lacks, its pages need no log that is lost, and all the log it has
/// not got yet is still there: it needs only to be started as a standby.
bool can_follow_as_it_is(const TriageReport& report, const MemberReport& member) {
  const MemberReport* leader = report.find(report.leader);
  if (!leader || leader->facts.postgres.oldest_wal.empty()) return false;
  const auto two = positions_of(report, name(member), report.leader);
  const auto oldest = position::Lsn::parse(leader->facts.postgres.oldest_wal);
  if (!two || !oldest || held_only_by(report, member, *leader)) return false;
  if (two->mine.minimum_recovery && *two->mine.minimum_recovery > two->mine.end) return false;
  return *oldest <= two->mine.end;
}

Step slot_step(const TriageReport& report, const MemberReport& m) {
  return step_of(kind::CreateSlot{slot_of(m)},
                 {.id = "slot-" + name(m),
                  .member = report.leader,
                  .title = fmt::format("Make the replication slot {} on {}", slot_of(m), report.leader),
                  .preconditions = {report.leader + " still has the WAL that " + name(m) + " needs"},
                  .undo = "drop it if it was not there before",
                  .expected_seconds = 2,
                  .proof = "it is listed in pg_replication_slots",
                  .touches = {"members/" + name(m)}});
}

/// The server's own word on whom it follows goes; what its agent has written for it counts again.
Step follow_told_step(const TriageReport& report, const MemberReport& m) {
  return step_of(kind::FollowTold{m.facts.runtime.upstream_wanted},
                 {.id = "follow-" + name(m),
                  .member = name(m),
                  .title = fmt::format("Have {} follow the source its agent names, without a restart", name(m)),
                  .preconditions = {fmt::format("{} has nothing that {} lacks", name(m), report.leader)},
                  .undo = "set again what ALTER SYSTEM had set, unless that holds a password",
                  .expected_seconds = 5,
                  .proof = "its primary_conninfo names " + m.facts.runtime.upstream_wanted});
}

/// Settings that it has lower than its primary, as a plan takes them and as it shows them.
struct Raised {
  Value settings = Value::object();
  std::string text;
};
Raised raised(const auto& settings) {
  Raised all;
  for (const auto& [setting, value] : settings) {
    all.settings.set(setting, value);
    all.text += fmt::format("{}{} = {}", all.text.empty() ? "" : ", ", setting, value);
  }
  return all;
}

Step match_step(const MemberReport& m, const Raised& wanted, std::string title) {
  return step_of(kind::MatchSettings{wanted.settings}, {.id = "match-" + name(m),
                                                        .member = name(m),
                                                        .title = std::move(title),
                                                        .undo = "set again what ALTER SYSTEM had set",
                                                        .expected_seconds = 2,
                                                        .proof = "its postgresql.auto.conf says so"});
}

/// The settings it has lower than the one that takes writes get that one's values; they count from its restart on.
void add_match(const Planning& planning, const MemberReport& m, const MemberReport& leader) {
  const Raised wanted =
      raised(cluster::lower_than(m.facts.postgres.standby_limits, leader.facts.postgres.standby_limits));
  planning.add(match_step(m, wanted, fmt::format("Set on {} what {} has: {}", name(m), name(leader), wanted.text)));
  planning.add(start_step(name(m), true, "(the settings count from then on)"));
  planning.add_proof(m);
}

/// It does not start with what its files say: it is started with its primary's values, which are then written down.
void add_match_of_stopped(const Planning& planning, const MemberReport& m) {
  const Raised wanted = raised(cluster::settings_wanted(m.facts));
  Step start = start_step(name(m), false, fmt::format("with what its primary has: {}", wanted.text));
  give(start, kind::StartServer{.settings = wanted.settings});
  planning.add(std::move(start));
  planning.add(match_step(m, wanted, fmt::format("Set it on {} for later starts", name(m))));
  Step restart = start_step(name(m), true, "with its own files alone");
  restart.id = "restart-" + name(m);
  planning.add(std::move(restart));
  planning.add_proof(m);
}

void add_rejoin(const Planning& planning, const MemberReport& m) {
  const TriageReport& report = planning.report;
  if (is_told_otherwise(report, m)) planning.add(telling_step(name(m), report.leader));
  planning.add(slot_step(report, m));
  Step start = start_step(name(m), m.facts.reachable() || planning.says(m, "server-frozen"),
                          fmt::format("as a standby: it has nothing of its own, and {} still has all WAL it needs, so "
                                      "nothing is rewound or copied",
                                      report.leader));
  start.preconditions.push_back(fmt::format("{} has nothing that {} lacks", name(m), report.leader));
  planning.add(std::move(start));
  planning.add_proof(m);
}

/// It has diverged by a change of timeline.
bool has_left_by_timeline(const TriageReport& report, const MemberReport& member) {
  if (member.verdict != Verdict::diverged || report.leader.empty()) return false;
  const auto two = positions_of(report, name(member), report.leader);
  return two && two->mine.timeline != two->theirs.timeline &&
         position::compare(two->mine, two->theirs) == Order::diverged;
}

bool only_member_unknown(const TriageReport& report, const MemberReport& member) {
  const MemberReport* leader = report.find(report.leader);
  return report.authority.kind == AuthorityKind::undeterminable && leader && leader != &member &&
         takes_writes(*leader) && !member.facts.reachable() && member.facts.agent.answers == true &&
         member.verdict != Verdict::unknown && report.authority.blockers.size() == 1 &&
         report.authority.blockers[0] == member.facts.member;
}

std::optional<operation::Loss> loss_beside_verdict(const MemberReport& member) {
  if (member.verdict != Verdict::diverged || !takes_writes(member)) return std::nullopt;
  // It goes on writing until it is stopped: where it diverged stays true, where it ends does not.
  const std::string& own = member.errant.transactions;
  return operation::Loss{fmt::format("{} will no longer have what it wrote beside the other one{}", name(member),
                                     own.empty() ? "" : ": " + own.substr(0, own.find(" to ")) + " on"),
                         "discard-diverged:" + name(member)};
}

Result<std::optional<TriageReport>> report_after_choice(const TriageReport& report, const Request& request) {
  if (!request.ordinal || !report.leader.empty()) return std::nullopt;
  const MemberReport *victim = nullptr, *stays = nullptr;
  size_t writers = 0;
  for (const auto& m : report.members) {
    if (!takes_writes(m)) continue;
    ++writers;
    (report.cluster.find(name(m))->ordinal == *request.ordinal ? victim : stays) = &m;
  }
  if (writers != 2 || !victim || !stays) return std::nullopt;
  // Of two clusters neither is a side of the other.
  const std::string &lineage = victim->facts.lineage, &recorded = report.cluster.lineage;
  if (lineage.empty() || lineage != stays->facts.lineage || (!recorded.empty() && recorded != lineage))
    return std::nullopt;
  // Nobody else may be the reason why it is not known who has what.
  for (const auto& blocker : report.authority.blockers)
    if (blocker != victim->facts.member && blocker != stays->facts.member) return std::nullopt;
  if (report.authority.kind == AuthorityKind::provable && report.authority.member == victim->facts.member)
    return fail(
        ErrorClass::refused, "repair.target_is_primary",
        fmt::format("{0} holds everything that {1} has; {1} is the one to replace", name(*victim), name(*stays)),
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
      if (m.healthy() && (!two || !lies_within(position::compare(two->mine, two->theirs))))
        m.verdict = Verdict::diverged;
    }
  }
  return chosen;
}

void keep_stopped(const TriageReport& report, const std::string& leader, operation::Plan& plan) {
  plan.world = world_of(report);
  for (auto& step : plan.steps) {
    step.touches.push_back("members/" + leader);
    if (!is<kind::StopServer>(step)) continue;
    step.title += fmt::format(": {} stays the primary", leader);
    step.undo = "it stays stopped: a second writer is not a state to restore";
    give(step, kind::StopServer{.keep = true});
  }
}

Result<Rung> rung_of(const Planning& planning, const MemberReport& member) {
  const TriageReport& report = planning.report;
  operation::Plan& plan = planning.plan();
  switch (member.action) {
    case Action::resume:
      if (says(report, member, "server-frozen")) return Rung::common;
      if (says(report, member, "replica-access-denied"))
        return fail(
            ErrorClass::refused, "repair.needs_operator",
            fmt::format(
                "the source of {} rejects its replication account; it connects by itself as soon as its account is in "
                "order there",
                name(member)),
            "holdfast explain replica-access-denied");
      if (const auto* leader = report.find(report.leader);
          leader && says(report, member, "replica-settings-too-small")) {
        add_match(planning, member, *leader);
        return Rung::done;
      }
      if ((says(report, member, "replica-wrong-source") || uses_another_slot(report, member) ||
           has_no_source(member)) &&
          !is_told_otherwise(report, member) && !report.leader.empty()) {
        planning.add(follow_told_step(report, member));
        planning.add_proof(member);
        return Rung::done;
      }
      if (says(report, member, "replica-slot-missing") && !report.leader.empty()) {
        // Its receiver tries again by itself: no restart.
        planning.add(slot_step(report, member));
        planning.add_proof(member);
        return Rung::done;
      }
      return Rung::common;
    case Action::restart:
      if (!says(report, member, "replica-settings-too-small") || is_told_otherwise(report, member)) return Rung::common;
      add_match_of_stopped(planning, member);
      return Rung::done;
    case Action::rewind:
      if (member.verdict == Verdict::stale && can_follow_as_it_is(report, member)) {
        add_rejoin(planning, member);
        return Rung::done;
      }
      return Rung::common;
    case Action::nothing:
      // The point of no return comes first in it: nothing else may be in that plan.
      if (!says(report, member, "disk-full") || member.facts.reachable() || member.facts.runtime.pid > 0 ||
          !plan.steps.empty() || !says_it_stopped(report, member))
        return Rung::common;
      TRY_VOID(plan_freeing_wal(report, member, plan));
      return Rung::done;
    default:
      return Rung::common;
  }
}

/// What its receiver needs is a restart, for its source is configured when its agent starts it.
Result<Rung> resume_standby(const Planning& planning, const MemberReport& member) {
  const TriageReport& report = planning.report;
  const auto says = [&](std::string_view id) { return planning.says(member, id); };
  if (!planning.is_leader(member) && (says("replica-detached") || says("replica-wrong-source"))) {
    planning.add(start_step(report, member, "its agent configures its source when it starts it"));
    planning.remark_other_source(member, report.leader);
  } else if (says("replica-thread-stopped") && !says("replica-silent")) {
    planning.add(resume_step(member, says("replica-apply-error")));
  } else if (says("replica-not-receiving") || says("replica-apply-error") || says("replica-silent")) {
    planning.add(start_step(report, member, "so that it reconnects"));
  }
  planning.add_proof(member);
  return Rung::done;
}

class PostgresRungs final : public Rungs {
 public:
  Result<std::optional<TriageReport>> after_choice(const TriageReport& report, const Request& request) const override {
    return report_after_choice(report, request);
  }
  void settle_choice(const TriageReport& now, const TriageReport& chosen, const Request&,
                     operation::Plan& plan) const override {
    keep_stopped(now, chosen.leader, plan);
  }
  Result<Rung> add(const Planning& planning, const MemberReport& member) const override {
    return rung_of(planning, member);
  }
  Result<Rung> resume(const Planning& planning, const MemberReport& member) const override {
    return resume_standby(planning, member);
  }
  bool only_it_is_unknown(const TriageReport& report, const MemberReport& member) const override {
    return only_member_unknown(report, member);
  }
  std::optional<operation::Loss> loss(const TriageReport& report, const MemberReport& victim,
                                      const MemberReport&) const override {
    return only_member_unknown(report, victim) ? unknown_loss(victim) : loss_beside_verdict(victim);
  }
  bool needs_telling(const TriageReport& report, const MemberReport& member, const std::string&) const override {
    return is_told_otherwise(report, member);
  }
  bool can_rewind(const TriageReport& report, const MemberReport& member) const override {
    return has_left_by_timeline(report, member);
  }
};

}  // namespace

const Rungs& postgres_rungs() {
  static const PostgresRungs rungs;
  return rungs;
}

}  // namespace holdfast::repair
