#include "repair/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/adopt.h"
#include "repair/keep_plan.h"
#include "repair/logged_position.h"
#include "repair/rebuild_plan.h"
#include "repair/relay_logs.h"
#include "repair/report_view.h"
#include "repair/rungs_galera.h"
#include "repair/rungs_postgres.h"
#include "repair/sides.h"
#include "repair/sources.h"
#include "repair/steps.h"
#include "repair/unique.h"
#include "repair/world.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::Engine;
using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;
using operation::Step;

namespace {

class Planner {
 public:
  Planner(const TriageReport& report, const Request& request) : report_(report), request_(request) {}

  Result<Proposal> propose();

 private:
  Status check_cluster() const;
  Status check_target(const MemberReport& member) const;
  Status repair(const MemberReport& member);
  Status refill(const MemberReport& member);
  const MemberReport* donor_for(const MemberReport& victim) const;

  void add(Step step) { proposal_.plan.steps.push_back(std::move(step)); }
  void add_proof(const MemberReport& member) { add(proof_of(member)); }
  Status restart(const MemberReport& member);
  Status save_received(const MemberReport& member, bool will_write);
  Status resume(const MemberReport& member);
  /// What only it has would be on no primary any more.
  Status check_may_follow(const MemberReport& member) const;
  /// Another source than the one it has is no remedy while that one may be a member.
  Status check_source_known(const MemberReport& member) const;
  Status follow_leader(const MemberReport& member);
  /// That it gets another source than the one it is configured with.
  void remark_other_source(const MemberReport& member, const std::string& source);
  bool outlived(const MemberReport& member, const MemberReport& source) const;
  bool is_lost_link(const MemberReport& source) const;
  bool only_its_source_refuses(const MemberReport& member) const;
  /// When nobody takes writes: the command that tells how somebody comes to.
  std::string who_is_to_lead() const {
    return report_.authority.kind == AuthorityKind::leader_not_primary
               ? "holdfast explain leader-not-primary"
               : fmt::format("holdfast triage -c {} -v", report_.cluster.full_name());
  }

  bool says(const MemberReport& member, std::string_view id) const { return repair::says(report_, member, id); }
  /// It follows a member which this plan starts.
  bool follows_started(const MemberReport& member) const {
    const auto* source = member.facts.upstream() ? configured_source(report_, member) : nullptr;
    return source &&
           (proposal_.plan.find("start-" + name(*source)) || proposal_.plan.find("continue-" + name(*source)));
  }
  /// ... or whose own replication this plan starts.
  bool follows_mended(const MemberReport& member) const {
    const auto* source = member.facts.upstream() ? configured_source(report_, member) : nullptr;
    return source && !is_lost(*source) && std::ranges::any_of(proposal_.plan.steps, [&](const Step& step) {
             return step.member == name(*source) && step.kind != "prove_member" && step.kind != "discard_side";
           });
  }
  /// It has nothing of its own to repair: its source does not serve, or gets nothing itself.
  bool lacks_its_source(const MemberReport& member) const {
    return says(member, "replica-source-unreachable") || says(member, "replica-chain-broken");
  }
  /// Whom it follows, when that one is not there and something can be done about it.
  const MemberReport* dead_source(const MemberReport& member) const {
    if (!lacks_its_source(member) || !member.facts.upstream()) return nullptr;
    const auto* source = configured_source(report_, member);
    return source && !source->healthy() ? source : nullptr;
  }
  /// It was promoted, and its agent would start it as a replica.
  bool learns_that_it_leads(const MemberReport& member) const {
    return is_leader(member) && says(member, "replica-detached") && report_.authority.kind == AuthorityKind::provable &&
           report_.authority.member == member.facts.member;
  }
  bool nobody_else_leads(const MemberReport& member) const {
    return std::ranges::all_of(report_.members, [&](const MemberReport& m) {
      return &m == &member || m.facts.role_wanted == cluster::MemberRole::replica ||
             proposal_.plan.find("configure-" + name(m)) != nullptr;
    });
  }
  /// It works again as soon as its replicas do.
  bool waits_for_replicas(const MemberReport& member) const {
    if (!is_leader(member) || !member.facts.reachable()) return false;
    const bool fallen_back = says(member, "semi-sync-off") && member.facts.semi_sync.source_enabled == true;
    if (!fallen_back && !says(member, "commits-stuck")) return false;
    return std::ranges::any_of(report_.members, [&](const MemberReport& m) { return &m != &member && !m.healthy(); });
  }
  /// There is nothing to do about it but to wait for that one.
  bool waits_for_started(const MemberReport& member) const {
    return member.action == Action::nothing && lacks_its_source(member) && follows_mended(member);
  }
  bool has_no_return() const {
    return std::ranges::any_of(proposal_.plan.steps, [](const Step& step) { return step.point_of_no_return; });
  }
  bool is_leader(const MemberReport& member) const { return report_.leader == name(member); }
  std::string target_command(const MemberReport& member) const { return command(report_, "repair", name(member)); }

  const TriageReport& report_;
  const Request& request_;
  Proposal proposal_;
};

bool is_down(const MemberReport& member) {
  return !member.facts.reachable();
}

/// Members that may be repaired first: those others follow, then by ordinal.
int rank(const TriageReport& report, const MemberReport& member) {
  if (!member.healthy() && member.action == Action::nothing && member.facts.upstream()) return 4;  // waits for another
  if (member.action >= Action::rewind) return 3;  // the last step of a rebuild cannot be taken back
  if (report.authority.member && *report.authority.member == member.facts.member) return 0;
  return member.facts.role_wanted == cluster::MemberRole::primary ? 1 : 2;
}

}  // namespace

Status Planner::check_cluster() const {
  // Members of a Group Replication group are refused one by one: none of them can be named as the one to discard.
  if (request_.ordinal || report_.has("group-replication")) return {};
  // Replicas that wrote something themselves beside a primary that writes on: that one stays, and each asks by itself.
  const bool has_one_primary = report_.cluster.engine == Engine::mariadb || report_.cluster.engine == Engine::mysql;
  const bool only_errant = has_one_primary && !report_.leader.empty() && report_.has("errant-transactions") &&
                           !report_.has("histories-diverged") && !report_.has("leader-not-primary");
  if (report_.has("several-writers") || report_.has("galera-two-components") ||
      (report_.authority.kind == AuthorityKind::diverged && !only_errant))
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("the members of {} {}; choose which members to keep", report_.cluster.full_name(),
                            report_.authority.kind == AuthorityKind::diverged ? "have diverged" : "may have diverged"),
                fmt::format("holdfast triage -c {0} -v shows what each has; then name the one to discard: "
                            "holdfast repair -c {0} -i N",
                            report_.cluster.full_name()));
  return {};
}

Status Planner::check_target(const MemberReport& member) const {
  TRY_VOID(check_not_outside(report_, member));
  if (member.healthy() && learns_that_it_leads(member)) return {};
  if (member.healthy() && is_leader(member))
    return fail(ErrorClass::refused, "repair.target_is_primary",
                fmt::format("{} accepts writes: it is what the others are repaired from", name(member)),
                fmt::format("holdfast triage -c {} says which members need repair", report_.cluster.full_name()));
  if (member.verdict == Verdict::unknown)
    return fail(ErrorClass::refused, "repair.target_unknown",
                fmt::format("{}: {}; nothing is done to what is not known", name(member), member.sentence),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (is_leader(member) && member.action != Action::resume)
    return fail(
        ErrorClass::refused, "repair.target_is_primary",
        fmt::format("{} accepts writes; what is wrong with it needs a person: {}", name(member), member.sentence),
        member.reasons.empty() ? "" : "holdfast explain " + member.reasons[0].substr(0, member.reasons[0].find(':')));
  return {};
}

const MemberReport* Planner::donor_for(const MemberReport& victim) const {
  if (report_.cluster.engine == Engine::galera) return galera_donor(report_, victim);
  const MemberReport* donor = nullptr;
  const std::string source = source_for(report_, victim);
  for (const auto& m : report_.members) {
    if (&m == &victim || (!m.healthy() && !waits_for_replicas(m)) || is_delayed(m)) continue;
    // A replica rather than the writer, so that the copy costs the clients nothing; of replicas the one it is to
    // follow, which then has all that is in the copy.
    if (!donor || is_leader(*donor) || (name(m) == source && !is_leader(m))) donor = &m;
  }
  return donor;
}

Status Planner::refill(const MemberReport& member) {
  const std::string victim = name(member);
  // Named, and with a copy that is read back, the only member that is not known may be made anew.
  const bool nothing_there = has_vanished(member);
  const bool chosen = (request_.ordinal && (nothing_there || (request_.has_repository && !request_.no_escrow)) &&
                       ((report_.cluster.engine == Engine::postgres && postgres_only_it_is_unknown(report_, member)) ||
                        only_it_is_unknown(report_, member))) ||
                      galera_only_it_is_unknown(report_, member);
  if (report_.authority.kind == AuthorityKind::undeterminable && !chosen)
    return fail(ErrorClass::refused, "repair.undeterminable",
                fmt::format("{} would have to be rebuilt, but who has all data is not known", victim),
                nothing_there ? fmt::format("mount its volume; where that is gone for good: {}", target_command(member))
                : only_it_is_unknown(report_, member)
                    ? fmt::format("nothing else is unknown: to give up what only it may have, keep a copy of it: {} -r "
                                  "REPOSITORY",
                                  target_command(member))
                    : fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (report_.leader.empty() && report_.authority.member == member.facts.member)
    return fail(ErrorClass::refused, "repair.target_is_authority",
                victim + " holds what no other member holds; it is the last thing to touch",
                fmt::format("holdfast triage -c {} --export-divergence DIR", report_.cluster.full_name()));
  if (report_.leader.empty() && report_.cluster.engine != Engine::galera)
    return fail(ErrorClass::refused, "repair.no_donor",
                "there is no primary for " + victim + " to follow after a rebuild: that comes first", who_is_to_lead());
  const MemberReport* donor = donor_for(member);
  if (!donor)
    return fail(ErrorClass::refused, "repair.no_donor", "no healthy member is left to copy " + victim + " from",
                fmt::format("holdfast triage -c {}", report_.cluster.full_name()));
  const bool holds_data = member.verdict != Verdict::empty && !nothing_there;
  if (holds_data && !request_.has_repository && !request_.no_escrow)
    return fail(
        ErrorClass::refused, "repair.no_repository",
        fmt::format("{} has to be rebuilt; a copy of what it holds is kept first, and no repository is named", victim),
        target_command(member) + " --backups-path REPOSITORY");
  if (holds_data && !request_.no_escrow) TRY_VOID(plan_keeping(report_, member, *donor, proposal_));
  plan_rebuild(report_, request_, member, *donor, holds_data, proposal_);
  return {};
}

Status Planner::restart(const MemberReport& member) {
  // A primary that comes back opens for writes: it must be the one that holds everything.
  const bool will_write = member.facts.role_wanted == cluster::MemberRole::primary && is_down(member);
  const std::string source = source_for(report_, member);
  const bool told_otherwise = is_told_otherwise(report_, member, source);
  if (told_otherwise && is_down(member) && !holds_nothing_beside(report_, name(member), report_.leader))
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("{} is not proven to hold nothing but what {} has: it cannot simply follow it",
                            name(member), report_.leader),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (told_otherwise && is_down(member)) {
    TRY_VOID(save_received(member, false));
    remark_other_source(member, source);
    add(telling_step(name(member), source));
    add(start_step(report_, member, "as a replica"));
    add(follow_step(member, source));
    add_proof(member);
    return {};
  }
  if (will_write && !report_.leader.empty())
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("{} would come back as a primary while {} accepts writes", name(member), report_.leader),
                fmt::format("tell its agent that it is a replica now, or rebuild it: {}", target_command(member)));
  if (will_write &&
      (report_.authority.kind != AuthorityKind::provable || report_.authority.member != member.facts.member))
    return fail(ErrorClass::refused, "repair.target_is_not_authority",
                fmt::format("{} would open for writes, but it is not proven to hold everything", name(member)),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (says(member, "server-frozen")) {
    add(continue_step(member));
    add(proof_of_start(member));
    return {};
  }
  const size_t before = proposal_.plan.steps.size();
  TRY_VOID(save_received(member, will_write));
  const bool saved = proposal_.plan.steps.size() > before;
  add(start_step(report_, member, is_down(member) ? "it does not run" : "it does not work as it is"));
  Step proof = proof_of_start(member);
  // What was saved stays saved, whether or not there is a source to follow.
  if (saved && report_.leader.empty()) proof.arguments.set("tell", true);
  add(std::move(proof));
  return {};
}

/// MariaDB: what a plain start would delete with the relay logs.
Status Planner::save_received(const MemberReport& member, bool will_write) {
  if (report_.cluster.engine != Engine::mariadb || !is_down(member) || !member.facts.stored) return {};
  const std::string& unreadable = member.facts.stored->received_unknown;
  // One that opens for writes gets from nobody what its relay logs held.
  if (unreadable.empty() && !says(member, "relay-log-only-copy") && !(will_write && has_not_applied(report_, member)))
    return {};
  if (unreadable.empty() && is_with_a_started_one(report_, member, proposal_.plan)) return {};
  if (!request_.has_repository && !request_.no_escrow)
    return fail(
        ErrorClass::refused, "repair.no_repository",
        fmt::format("a start of {} deletes its relay logs, {}; a copy is kept first, and no repository is named",
                    name(member),
                    unreadable.empty() ? "which may be the only copy of what it has not applied"
                                       : "which cannot be read: " + unreadable),
        target_command(member) + " --backups-path REPOSITORY");
  if (!unreadable.empty() && !request_.ordinal)
    return fail(ErrorClass::refused, "repair.target_unknown",
                fmt::format("what {} received and has not applied is not known: {}", name(member), unreadable),
                fmt::format("to keep a copy and give it up: {} --backups-path REPOSITORY", target_command(member)));
  if (!request_.no_escrow) add(keeping_step(member));
  if (unreadable.empty())
    add(applying_step(member));
  else
    proposal_.plan.losses.push_back(
        {fmt::format("what {} received and has not applied is not known, and its start deletes its relay logs",
                     name(member)),
         "discard-unknown:" + name(member)});
  if (request_.no_escrow)
    proposal_.plan.losses.push_back(
        {"no copy of the data of " + name(member) + " will be kept", "no-escrow:" + name(member)});
  return {};
}

Status Planner::resume(const MemberReport& member) {
  if (report_.leader.empty())
    return fail(ErrorClass::refused, "repair.no_donor", "there is no primary for " + name(member) + " to follow",
                who_is_to_lead());
  const std::string source = source_for(report_, member);
  const bool unreadable = says(member, "replica-relay-log-damaged");  // MySQL
  const bool relay_log_damaged =
      !unreadable && std::ranges::any_of(member.facts.following, [](const cluster::Following& f) {
        return f.apply_errno == 1594 || f.apply_errno == 1595;
      });
  const bool leads = is_leader(member);  // it may have been promoted, and nobody told its agent
  const bool detached = !leads && (says(member, "replica-detached") || says(member, "replica-wrong-source"));
  const bool follows_anew = detached || says(member, "replica-access-denied") || relay_log_damaged;
  if (follows_anew && report_.cluster.engine != Engine::postgres) {
    TRY_VOID(check_may_follow(member));
    if (!detached) TRY_VOID(check_source_known(member));
  }
  if (unreadable && !can_fetch_logs_anew(report_, member, source)) return refill(member);
  const bool out_of_order =
      std::ranges::any_of(member.facts.following, [](const cluster::Following& f) { return f.apply_errno == 1950; });
  if (out_of_order && !may_go_on_behind_its_log(report_, member)) return refill(member);
  if (!leads && is_told_otherwise(report_, member, source)) add(telling_step(name(member), source));
  if (says(member, "replica-writable")) add(read_only_step(member));
  const bool refused = says(member, "replica-access-denied");
  const bool stopped = says(member, "replica-thread-stopped") || says(member, "replica-not-receiving") || refused ||
                       says(member, "replica-apply-error");
  const bool connects_anew = (stopped && !says(member, "replica-thread-stopped")) || says(member, "replica-silent");
  if (detached) {
    if (report_.cluster.engine == Engine::postgres)
      add(start_step(report_, member, "its agent configures its source when it starts it"));
    else
      add(follow_step(member, source));
    remark_other_source(member, source);
  } else if (says(member, "replica-slot-missing")) {
    add(slot_step(member, report_.leader));
    add(start_step(report_, member, "so that it reconnects"));
  } else if (connects_anew && report_.cluster.engine == Engine::postgres) {
    add(start_step(report_, member, "so that it reconnects"));
  } else if (out_of_order) {
    add(going_on_step(name(member), source));
  } else if (unreadable) {
    add(fetching_step(name(member), source));
  } else if (refused || relay_log_damaged) {
    add(follow_step(member, source, true));
  } else if (stopped) {
    add(resume_step(member, says(member, "replica-apply-error")));
  } else if (says(member, "replica-silent")) {
    add(reconnect_step(member));
  }
  if (says(member, "semi-sync-off") || says(member, "semi-sync-replica-off")) add(semi_sync_step(member, leads));
  add_proof(member);
  return {};
}

/// MariaDB, MySQL: what it follows was the primary, and is dead while another one takes writes and has everything.
bool Planner::outlived(const MemberReport& member, const MemberReport& source) const {
  const bool sql = report_.cluster.engine == Engine::mariadb || report_.cluster.engine == Engine::mysql;
  return sql && report_.authority.kind == AuthorityKind::provable && report_.authority.member &&
         report_.authority.member->str() == report_.leader && report_.leader != name(source) && !is_leader(member) &&
         source.facts.role_wanted != cluster::MemberRole::replica;
}

/// MariaDB, MySQL: another replica, which it follows, has no logs of what it needs. The primary is asked before
/// anything is copied.
bool Planner::only_its_source_refuses(const MemberReport& member) const {
  const auto* source = configured_source(report_, member);
  if (report_.cluster.engine != Engine::mariadb && report_.cluster.engine != Engine::mysql) return false;
  if (!member.facts.reachable() || !source || report_.leader.empty() || name(*source) == report_.leader) return false;
  if (!says(member, "replica-position-refused") && !says(member, "replica-log-purged")) return false;
  const auto of_the_source = [&](const cluster::Diagnosis& d) {
    const bool of_it = std::ranges::find(d.members, member.facts.member) != d.members.end();
    return !of_it || d.severity < cluster::Severity::error || d.id == "replica-position-refused" ||
           d.id == "replica-log-purged" || d.id == "replica-wrong-source";
  };
  return std::ranges::all_of(report_.diagnoses, of_the_source) &&
         holds_nothing_beside(report_, name(member), report_.leader);
}

/// MariaDB, MySQL: it was a replica that others follow.
bool Planner::is_lost_link(const MemberReport& source) const {
  return (report_.cluster.engine == Engine::mariadb || report_.cluster.engine == Engine::mysql) &&
         !report_.leader.empty() && source.facts.role_wanted == cluster::MemberRole::replica && is_lost(source);
}

Status Planner::check_may_follow(const MemberReport& member) const {
  if (holds_nothing_beside(report_, name(member), report_.leader)) return {};
  return fail(ErrorClass::refused, "repair.undeterminable",
              fmt::format("{} is not proven to hold nothing but what {} has: it is not made to follow it", name(member),
                          report_.leader),
              fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
}

Status Planner::check_source_known(const MemberReport& member) const {
  if (!source_is_unknown(report_, member)) return {};
  return fail(ErrorClass::refused, "repair.source_unidentified",
              fmt::format("{} follows {}, and which member that is, if any, is not known: it is not made to follow "
                          "another one",
                          name(member), member.facts.upstream()->upstream),
              fmt::format("if it is a member, add that address to its aliases (spec.members[].aliases); then {}",
                          target_command(member)));
}

Status Planner::follow_leader(const MemberReport& member) {
  TRY_VOID(check_may_follow(member));
  if (is_told_otherwise(report_, member, report_.leader)) add(telling_step(name(member), report_.leader));
  remark_other_source(member, report_.leader);
  add(follow_step(member, report_.leader));
  add_proof(member);
  return {};
}

void Planner::remark_other_source(const MemberReport& member, const std::string& source) {
  const auto* before = configured_source(report_, member);
  if (!before || name(*before) == source) return;
  proposal_.remarks.push_back(
      fmt::format("{} was configured to follow {}{}: it follows {} from now on", name(member), name(*before),
                  before->healthy() ? "" : fmt::format(", which cannot be its source ({})", before->sentence), source));
}

Status Planner::repair(const MemberReport& member) {
  if (member.facts.agent == false)
    return fail(
        ErrorClass::refused, "repair.needs_operator",
        !member.facts.agent_refused.empty()
            ? name(member) + " has an agent that cannot be asked: " + member.facts.agent_refused
        : !member.facts.agent_silent.empty()
            ? name(member) + " has an agent that cannot be reached: " + member.facts.agent_silent
            : name(member) + " has no agent running that could do anything to it: start it first",
        member.facts.certificate_over ? "holdfast explain agent-certificate-ending" : "holdfast explain agent-gone");
  TRY_VOID(check_not_outside(report_, member));
  if (const auto refused = request_.refused_accounts.find(name(member)); refused != request_.refused_accounts.end())
    return fail(refused->second);
  if (report_.cluster.engine == Engine::postgres) {
    switch (TRY(add_postgres_rung(report_, member, request_, proposal_.plan))) {
      case PostgresRung::done:
        return {};
      case PostgresRung::refill:
        return refill(member);
      case PostgresRung::common:
        break;
    }
  }
  if (report_.cluster.engine == Engine::galera) {
    switch (TRY(add_galera_rung(report_, member, request_.ordinal.has_value(), proposal_.plan))) {
      case GaleraRung::done:
        return {};
      case GaleraRung::refill:
        return refill(member);
      case GaleraRung::common:
        break;
    }
  }
  switch (member.action) {
    case Action::nothing:
      if (const MemberReport* source = dead_source(member)) {
        if (outlived(member, *source)) return follow_leader(member);
        if (is_lost_link(*source)) return follow_leader(member);
        if (report_.authority.kind == AuthorityKind::leader_not_primary && report_.leader.empty())
          return fail(ErrorClass::refused, "repair.needs_operator",
                      fmt::format("{} follows {}, which does not serve and lacks what {} has: which one is to "
                                  "be the primary needs your decision",
                                  name(member), name(*source), report_.authority.member->str()),
                      "holdfast explain leader-not-primary");
        return fail(ErrorClass::refused, "repair.needs_operator",
                    fmt::format("{} waits for {}, which it follows and which does not serve: repair that one first",
                                name(member), name(*source)),
                    target_command(*source));
      }
      return fail(
          ErrorClass::refused, "repair.needs_operator",
          fmt::format("{} needs a person: {}", name(member), member.sentence),
          member.reasons.empty() ? "" : "holdfast explain " + member.reasons[0].substr(0, member.reasons[0].find(':')));
    case Action::restart:
      return restart(member);
    case Action::resume:
      return says(member, "server-frozen") ? restart(member) : resume(member);
    case Action::rewind:
    case Action::reseed:
    case Action::rebuild:
      return only_its_source_refuses(member) ? follow_leader(member) : refill(member);
  }
  return {};
}

namespace {

/// One that does not get healthy in time takes back what was done to it, but not what was done to others: a primary
/// that was started stays, whatever its replicas say. Nothing of the kind for one made anew: its old copy is kept until
/// it is proven.
void keep_what_is_done(operation::Plan& plan) {
  const auto acts = [](const operation::Step& step) { return step.kind != "prove_member"; };
  for (auto& step : plan.steps) {
    if (acts(step) || plan.find("swap-" + step.member)) continue;
    const bool only_waits =
        std::ranges::none_of(plan.steps, [&](const auto& s) { return acts(s) && s.member == step.member; });
    const bool beside_others =
        std::ranges::any_of(plan.steps, [&](const auto& s) { return acts(s) && s.member != step.member; });
    if (!only_waits && !beside_others) continue;
    step.arguments.set("tell", true);
    step.title += "; on timeout this is reported and completed steps are kept";
  }
}

}  // namespace

Result<Proposal> Planner::propose() {
  proposal_.plan.verb = "repair";
  proposal_.plan.cluster = report_.cluster.full_name();
  proposal_.plan.cluster_uid = report_.cluster.uid;
  proposal_.plan.world = world_of(report_);
  TRY_VOID(check_cluster());
  std::vector<const MemberReport*> targets;
  for (const auto& m : report_.members) {
    if (request_.ordinal && report_.cluster.find(name(m))->ordinal != *request_.ordinal) continue;
    targets.push_back(&m);
  }
  if (targets.empty()) {
    std::string known;
    for (const auto& m : report_.cluster.members)
      known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", m.ordinal, m.name.str());
    return fail(ErrorClass::usage, "repair.no_member",
                fmt::format("{} has no member {}", report_.cluster.full_name(), request_.ordinal.value_or(-1)),
                "one of: " + known);
  }
  std::ranges::stable_sort(targets, {}, [&](const MemberReport* m) { return rank(report_, *m); });
  std::optional<Error> refused;
  bool rebuilding = false;
  std::vector<const MemberReport*> waiting, channels;
  const MemberReport* taught = nullptr;
  for (const auto* m : targets) {
    if (request_.ordinal) TRY_VOID(check_target(*m));
    if (waits_for_replicas(*m)) {
      waiting.push_back(m);
      continue;
    }
    if (m->healthy()) {
      if (learns_that_it_leads(*m)) {
        taught = m;
        continue;
      }
      if (has_broken_channels(*m))
        channels.push_back(m);
      else
        proposal_.skipped.push_back(name(*m) + ": healthy");
      if (auto tidying = tidying_step(*m)) add(std::move(*tidying));
      continue;
    }
    if (waits_for_started(*m)) {
      add_proof(*m);
      continue;
    }
    if (!request_.ordinal && m->action >= Action::rewind && (rebuilding || has_no_return())) {
      proposal_.skipped.push_back(name(*m) + ": one member is rebuilt at a time; its turn comes after");
      continue;
    }
    auto done = request_.ordinal ? repair(*m) : [&]() -> Status {
      TRY_VOID(check_target(*m));
      return repair(*m);
    }();
    if (done) {
      rebuilding = rebuilding || m->action >= Action::rewind;
      continue;
    }
    if (request_.ordinal) return fail(std::move(done).error());
    // Untargeted: what can be healed is healed, what cannot is told.
    proposal_.skipped.push_back(name(*m) + ": " + done.error().message);
    if (!refused) refused = std::move(done).error();
  }
  // Those that followed a restarted one lose it for a moment.
  for (const auto& m : report_.members)
    if (follows_started(m) && !proposal_.plan.find("prove-" + name(m)) &&
        (m.healthy() || (m.action == Action::nothing && waits_for_started(m))))
      add_proof(m);
  // Last, when no other agent says the same of its member any more.
  if (taught && nobody_else_leads(*taught)) add(telling_step(name(*taught), ""));
  for (const auto* m : waiting) {
    if (!proposal_.plan.steps.empty() && !refused) {
      // It comes back with the next write; on an idle cluster there is none.
      if (says(*m, "semi-sync-off")) add(semi_sync_step(*m, true));
      add_proof(*m);
      continue;
    }
    proposal_.skipped.push_back(name(*m) + ": works again when its replicas do");
    if (!refused && proposal_.plan.steps.empty())
      refused = Error{ErrorClass::refused,
                      "repair.needs_operator",
                      name(*m) + " works again when its replicas do: repair them first",
                      fmt::format("holdfast repair -c {}", report_.cluster.full_name()),
                      {}};
  }
  // Last: they cannot be undone.
  for (const auto* m : channels) drop_broken_channels(report_, *m, proposal_.plan);
  if (proposal_.plan.steps.empty() && refused) return fail(std::move(*refused));
  if (proposal_.plan.steps.empty() && !request_.ordinal && !report_.healthy && !report_.diagnoses.empty())
    return fail(ErrorClass::refused, "repair.needs_operator",
                fmt::format("no member needs repair, and yet not all is well: {}", report_.diagnoses[0].summary),
                "holdfast explain " + report_.diagnoses[0].id);
  keep_what_is_done(proposal_.plan);
  return std::move(proposal_);
}

namespace {

/// The one that stays may have been promoted beside its agent, which would start it as a replica of the other. Not
/// while another agent says that its member is the primary.
void tell_who_stays(const TriageReport& chosen, operation::Plan& plan) {
  const MemberReport* stays = chosen.find(chosen.leader);
  if (!stays || stays->facts.agent != true || stays->facts.role_wanted != cluster::MemberRole::replica) return;
  const bool alone = std::ranges::all_of(chosen.members, [&](const MemberReport& m) {
    return &m == stays || m.facts.role_wanted == cluster::MemberRole::replica || plan.find("configure-" + name(m));
  });
  if (!alone) return;
  // Before what cannot be undone.
  const auto at = std::ranges::find_if(plan.steps, [](const Step& step) { return step.point_of_no_return; });
  plan.steps.insert(at, telling_step(name(*stays), ""));
}

}  // namespace

Result<Proposal> plan_repair(const TriageReport& report, const Request& request) {
  if (request.adoption) return plan_adoption(report, request);
  if (const auto chosen = TRY(postgres_after_choice(report, request))) {
    auto proposal = TRY(Planner(*chosen, request).propose());
    tell_who_stays(*chosen, proposal.plan);
    postgres_settle_choice(report, chosen->leader, proposal.plan);
    return proposal;
  }
  const auto chosen = TRY(after_choice(report, request));
  if (!chosen) return Planner(report, request).propose();
  auto proposal = TRY(Planner(*chosen, request).propose());
  for (const auto& m : report.cluster.members)
    if (m.ordinal == *request.ordinal)
      proposal.plan.steps.insert(proposal.plan.steps.begin(), closing_step(m.name.str(), chosen->leader));
  tell_who_stays(*chosen, proposal.plan);
  proposal.plan.world = world_of(report);
  return proposal;
}

}  // namespace holdfast::repair
