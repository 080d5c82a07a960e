#include "repair/rungs_mysql.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/logged_position.h"
#include "repair/relay_logs.h"
#include "repair/sources.h"
#include "repair/world.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::MemberReport;
using cluster::MemberRole;
using cluster::TriageReport;
using cluster::Verdict;
using operation::Step;

namespace {

/// Its agent would start it as something else than a replica of `leader`.
bool is_told_otherwise(const TriageReport& report, const MemberReport& member, const std::string& leader) {
  if (leader.empty() || name(member) == leader) return false;
  if (member.facts.runtime.role_wanted == MemberRole::unknown) return false;  // no agent has said
  return member.facts.runtime.role_wanted != MemberRole::replica ||
         (!member.facts.runtime.upstream_wanted.empty() && !is_told_to_follow(report, member, leader));
}

/// What only it has would be on no primary any more.
Status check_may_follow(const Planning& planning, const MemberReport& member) {
  const TriageReport& report = planning.report;
  if (holds_nothing_beside(report, name(member), report.leader)) return {};
  return fail(ErrorClass::refused, "repair.undeterminable",
              fmt::format("{} is not proven to hold nothing but what {} has: it is not made to follow it", name(member),
                          report.leader),
              fmt::format("holdfast triage -c {} -v", report.cluster.full_name()));
}

/// Another source than the one it has is no remedy while that one may be a member.
Status check_source_known(const Planning& planning, const MemberReport& member) {
  if (!source_is_unknown(planning.report, member)) return {};
  return fail(ErrorClass::refused, "repair.source_unidentified",
              fmt::format("{} follows {}, and which member that is, if any, is not known: it is not made to follow "
                          "another one",
                          name(member), member.facts.upstream()->upstream),
              fmt::format("if it is a member, add that address to its aliases (spec.members[].aliases); then {}",
                          planning.target_command(member)));
}

Result<Rung> follow_leader(const Planning& planning, const MemberReport& member) {
  const std::string& leader = planning.report.leader;
  TRY_VOID(check_may_follow(planning, member));
  if (is_told_otherwise(planning.report, member, leader)) planning.add(telling_step(name(member), leader));
  planning.remark_other_source(member, leader);
  planning.add(follow_step(member, leader));
  planning.add_proof(member);
  return Rung::done;
}

/// What it follows was the primary, and is dead while another one takes writes and has everything.
bool outlived(const TriageReport& report, const MemberReport& member, const MemberReport& source) {
  return report.authority.kind == AuthorityKind::provable && report.authority.member &&
         report.authority.member->str() == report.leader && report.leader != name(source) &&
         report.leader != name(member) && source.facts.runtime.role_wanted != MemberRole::replica;
}

/// It was a replica that others follow.
bool is_lost_link(const TriageReport& report, const MemberReport& source) {
  return !report.leader.empty() && source.facts.runtime.role_wanted == MemberRole::replica && is_lost(source);
}

/// Another replica, which it follows, has no logs of what it needs. The primary is asked before anything is copied.
bool only_its_source_refuses(const TriageReport& report, const MemberReport& member) {
  const auto* source = configured_source(report, member);
  if (!member.facts.reachable() || !source || report.leader.empty() || name(*source) == report.leader) return false;
  if (!says(report, member, "replica-position-refused") && !says(report, member, "replica-log-purged")) return false;
  const auto of_the_source = [&](const cluster::Diagnosis& d) {
    const bool of_it = std::ranges::find(d.members, member.facts.member) != d.members.end();
    return !of_it || d.severity < cluster::Severity::error || d.id == "replica-position-refused" ||
           d.id == "replica-log-purged" || d.id == "replica-wrong-source";
  };
  return std::ranges::all_of(report.diagnoses, of_the_source) &&
         holds_nothing_beside(report, name(member), report.leader);
}

/// It does not run, and would be started as something else than a replica of whom it is to follow.
Result<Rung> start_as_replica(const Planning& planning, const MemberReport& member, const std::string& source) {
  const TriageReport& report = planning.report;
  if (!holds_nothing_beside(report, name(member), report.leader))
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("{} is not proven to hold nothing but what {} has: it cannot simply follow it",
                            name(member), report.leader),
                fmt::format("holdfast triage -c {} -v", report.cluster.full_name()));
  TRY_VOID(rungs_of(report.cluster.engine).before_start(planning, member, false));
  planning.remark_other_source(member, source);
  planning.add(telling_step(name(member), source));
  planning.add(start_step(report, member, "as a replica"));
  planning.add(follow_step(member, source));
  planning.add_proof(member);
  return Rung::done;
}

/// What stands still with its replication, and how each goes on.
Result<Rung> resume_replica(const Planning& planning, const MemberReport& member) {
  const TriageReport& report = planning.report;
  const auto says = [&](std::string_view id) { return planning.says(member, id); };
  const auto fails_with = [&](std::initializer_list<int> numbers) {
    return std::ranges::any_of(member.facts.following, [&](const cluster::Following& f) {
      return std::ranges::find(numbers, f.apply_errno) != numbers.end();
    });
  };
  const std::string source = source_for(report, member);
  const bool unreadable = says("replica-relay-log-damaged");  // MySQL
  const bool relay_log_damaged = !unreadable && fails_with({1594, 1595});
  const bool leads = planning.is_leader(member);  // it may have been promoted, and nobody told its agent
  const bool detached = !leads && (says("replica-detached") || says("replica-wrong-source"));
  const bool refused = says("replica-access-denied");
  if (detached || refused || relay_log_damaged) {
    TRY_VOID(check_may_follow(planning, member));
    if (!detached) TRY_VOID(check_source_known(planning, member));
  }
  if (unreadable && !can_fetch_logs_anew(report, member, source)) return Rung::refill;
  const bool out_of_order = fails_with({1950});
  if (out_of_order && !may_go_on_behind_its_log(report, member)) return Rung::refill;
  if (!leads && is_told_otherwise(report, member, source)) planning.add(telling_step(name(member), source));
  if (says("replica-writable")) planning.add(read_only_step(name(member)));
  if (detached) {
    planning.add(follow_step(member, source));
    planning.remark_other_source(member, source);
  } else if (out_of_order) {
    planning.add(going_on_step(name(member), source));
  } else if (unreadable) {
    planning.add(fetching_step(name(member), source));
  } else if (refused || relay_log_damaged) {
    planning.add(follow_step(member, source, true));
  } else if (says("replica-thread-stopped") || says("replica-not-receiving") || says("replica-apply-error")) {
    planning.add(resume_step(member, says("replica-apply-error")));
  } else if (says("replica-silent")) {
    planning.add(reconnect_step(member));
  }
  if (says("semi-sync-off") || says("semi-sync-replica-off")) planning.add(semi_sync_step(member, leads));
  planning.add_proof(member);
  return Rung::done;
}

/// The target closes for writes first, and stays closed when the repair is undone: a second writer is no state to
/// restore.
Step closing_step(const std::string& member, const std::string& leader) {
  Step step = read_only_step(member);
  give(step, kind::SetReadOnly{.keep = true});
  step.title += fmt::format(": {} stays the one that takes them", leader);
  step.undo = "it stays closed: a second writer is not a state to restore";
  step.touches = {"members/" + member, "leader", "authority"};
  return step;
}

class MysqlRungs : public Rungs {
 public:
  bool has_one_primary() const override { return true; }

  Result<std::optional<TriageReport>> after_choice(const TriageReport& report, const Request& request) const override {
    if (!request.ordinal || !report.leader.empty()) return std::nullopt;
    std::string target, stays;
    for (const auto& m : report.members)
      if (report.cluster.find(name(m))->ordinal == *request.ordinal) target = name(m);
    size_t writers = 0;
    for (const auto& m : report.members) {
      if (!takes_writes(m)) continue;
      ++writers;
      if (name(m) != target) stays = name(m);
    }
    const MemberReport* victim = report.find(target);
    if (writers != 2 || !victim || !takes_writes(*victim)) return std::nullopt;
    const bool provable = report.authority.kind == AuthorityKind::provable;
    if (!provable && report.authority.kind != AuthorityKind::diverged) return std::nullopt;
    if (provable && report.authority.member->str() == target)
      return fail(
          ErrorClass::refused, "repair.target_is_primary",
          fmt::format("{} holds everything that {} has; {} is the one to close", target, stays, stays),
          fmt::format("holdfast repair -c {} -i {}", report.cluster.full_name(), report.cluster.find(stays)->ordinal));
    return chosen(report, *victim, stays);
  }

  void settle_choice(const TriageReport& now, const TriageReport& chosen, const Request& request,
                     operation::Plan& plan) const override {
    for (const auto& m : now.cluster.members)
      if (m.ordinal == *request.ordinal)
        plan.steps.insert(plan.steps.begin(), closing_step(m.name.str(), chosen.leader));
    plan.world = world_of(now);
  }

  Result<Rung> add(const Planning& planning, const MemberReport& member) const override {
    const TriageReport& report = planning.report;
    const bool frozen = planning.says(member, "server-frozen");
    switch (member.action) {
      case Action::nothing:
        if (const auto* source = dead_source(report, member);
            source && (outlived(report, member, *source) || is_lost_link(report, *source)))
          return follow_leader(planning, member);
        return Rung::common;
      case Action::resume:
      case Action::restart: {
        if (member.facts.reachable() || (member.action == Action::resume && !frozen)) return Rung::common;
        const std::string source = source_for(report, member);
        return is_told_otherwise(report, member, source) ? start_as_replica(planning, member, source) : Rung::common;
      }
      case Action::rewind:
      case Action::reseed:
      case Action::rebuild:
        return only_its_source_refuses(report, member) ? follow_leader(planning, member) : Rung::common;
    }
    return Rung::common;
  }

  Result<Rung> resume(const Planning& planning, const MemberReport& member) const override {
    return resume_replica(planning, member);
  }

  /// Its logs cannot be read, or were reset, beside one that takes writes.
  bool only_it_is_unknown(const TriageReport& report, const MemberReport& member) const override {
    const MemberReport* leader = report.find(report.leader);
    return report.authority.kind == AuthorityKind::undeterminable && leader && leader != &member &&
           takes_writes(*leader) && member.facts.agent.answers == true && member.verdict != Verdict::unknown &&
           report.authority.blockers.size() == 1 && report.authority.blockers[0] == member.facts.member;
  }
  std::optional<operation::Loss> loss(const TriageReport& report, const MemberReport& victim,
                                      const MemberReport&) const override {
    if (only_it_is_unknown(report, victim)) return unknown_loss(victim);
    return std::nullopt;
  }
  bool needs_telling(const TriageReport& report, const MemberReport& member, const std::string& source) const override {
    return member.facts.runtime.role_wanted != MemberRole::replica || is_told_otherwise(report, member, source);
  }

 private:
  static TriageReport chosen(const TriageReport& report, const MemberReport& victim, const std::string& stays) {
    const bool nothing_own = holds_nothing_beside(report, name(victim), stays);
    TriageReport chosen = report;
    chosen.leader = stays;
    for (auto& m : chosen.members) {
      if (name(m) == stays) {
        m.verdict = Verdict::healthy;
        m.action = Action::nothing;
      } else if (name(m) == name(victim)) {
        m.verdict = nothing_own ? Verdict::broken : Verdict::diverged;
        m.action = nothing_own ? Action::resume : Action::rebuild;
        m.errant = {};  // grows until it is closed
      } else if (m.healthy() && !holds_nothing_beside(report, name(m), stays)) {
        m.verdict = Verdict::diverged;  // follows the one that goes: a copy of it would bring its transactions back
        m.action = Action::rebuild;
      }
    }
    if (nothing_own && !says(chosen, victim, "replica-detached")) {
      cluster::Diagnosis follows_nobody;
      follows_nobody.id = "replica-detached";
      follows_nobody.members = {victim.facts.member};
      chosen.diagnoses.push_back(std::move(follows_nobody));
    }
    return chosen;
  }
};

class MariadbRungs final : public MysqlRungs {
 public:
  /// With semi-sync: a primary that was killed may have a tail in its binary log that no replica has received. Where
  /// the engine has not committed it either, the server cuts it off by itself when it starts as a replica.
  std::optional<Step> tail_step(const TriageReport& report, const MemberReport& member) const override {
    if (report.cluster.replication != cluster::ReplicationMode::semi_sync || report.leader.empty() ||
        member.facts.reachable() || member.facts.runtime.state != "failed" || member.verdict != Verdict::diverged)
      return std::nullopt;
    return step_of(
        kind::CutTail{report.leader},
        {.id = "cut-" + name(member),
         .member = name(member),
         .title = fmt::format("Start {} as a replica: it cuts off what it logged and never committed. If it then has "
                              "nothing that {} lacks, it follows, and need not be copied",
                              name(member), report.leader),
         .preconditions = {"its server crashed; a copy of it is kept"},
         .undo = "stop it",
         .expected_seconds = 20,
         .proof = "its position is within that of " + report.leader + ", or it is stopped again",
         .touches = {"members/" + name(member), "leader", "authority"}});
  }

  /// What a plain start would delete with the relay logs.
  Status before_start(const Planning& planning, const MemberReport& member, bool will_write) const override {
    const TriageReport& report = planning.report;
    if (member.facts.reachable() || !member.facts.stored) return {};
    const std::string& unreadable = member.facts.stored->received_unknown;
    // One that opens for writes gets from nobody what its relay logs held.
    if (unreadable.empty() && !planning.says(member, "relay-log-only-copy") &&
        !(will_write && has_not_applied(report, member)))
      return {};
    if (unreadable.empty() && is_with_a_started_one(report, member, planning.plan())) return {};
    const Request& request = planning.request;
    if (!request.has_repository && !request.no_escrow)
      return fail(
          ErrorClass::refused, "repair.no_repository",
          fmt::format("a start of {} deletes its relay logs, {}; a copy is kept first, and no repository is named",
                      name(member),
                      unreadable.empty() ? "which may be the only copy of what it has not applied"
                                         : "which cannot be read: " + unreadable),
          planning.target_command(member) + " --backups-path REPOSITORY");
    if (!unreadable.empty() && !request.ordinal)
      return fail(
          ErrorClass::refused, "repair.target_unknown",
          fmt::format("what {} received and has not applied is not known: {}", name(member), unreadable),
          fmt::format("to keep a copy and give it up: {} --backups-path REPOSITORY", planning.target_command(member)));
    if (!request.no_escrow) planning.add(escrow_step(name(member), 40));
    if (unreadable.empty())
      planning.add(applying_step(member));
    else
      planning.plan().losses.push_back(
          {fmt::format("what {} received and has not applied is not known, and its start deletes its relay logs",
                       name(member)),
           "discard-unknown:" + name(member)});
    if (request.no_escrow)
      planning.plan().losses.push_back(
          {"no copy of the data of " + name(member) + " will be kept", "no-escrow:" + name(member)});
    return {};
  }
};

}  // namespace

const Rungs& mysql_rungs() {
  static const MysqlRungs rungs;
  return rungs;
}

const Rungs& mariadb_rungs() {
  static const MariadbRungs rungs;
  return rungs;
}

}  // namespace holdfast::repair
