#include "repair/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/adopt.h"
#include "repair/keep_plan.h"
#include "repair/rebuild_plan.h"
#include "repair/rungs.h"
#include "repair/sources.h"
#include "repair/unique.h"
#include "repair/world.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;
using operation::Step;

namespace {

class Planner {
 public:
  Planner(const TriageReport& report, const Request& request)
      : report_(report), request_(request), rungs_(rungs_of(report.cluster.engine)) {}
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  Result<Proposal> propose();

 private:
  Status check_cluster() const;
  Status check_target(const MemberReport& member) const;
  Status repair(const MemberReport& member);
  Status common_rung(const MemberReport& member);
  Status refill(const MemberReport& member);
  Status restart(const MemberReport& member);
  Status resume(const MemberReport& member);

  void add(Step step) { proposal_.plan.steps.push_back(std::move(step)); }
  void add_proof(const MemberReport& member) { add(proof_of(member)); }
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
             return step.member == name(*source) && !is<kind::ProveMember>(step) && !is<kind::DiscardSide>(step);
           });
  }
  /// It was promoted, and its agent would start it as a replica.
  bool learns_that_it_leads(const MemberReport& member) const {
    return is_leader(member) && says(member, "replica-detached") && report_.authority.kind == AuthorityKind::provable &&
           report_.authority.member == member.facts.member;
  }
  bool nobody_else_leads(const MemberReport& member) const {
    return std::ranges::all_of(report_.members, [&](const MemberReport& m) {
      return &m == &member || m.facts.runtime.role_wanted == cluster::MemberRole::replica ||
             proposal_.plan.find("configure-" + name(m)) != nullptr;
    });
  }
  /// There is nothing to do about it but to wait for that one.
  bool waits_for_started(const MemberReport& member) const {
    return member.action == Action::nothing && lacks_its_source(report_, member) && follows_mended(member);
  }
  bool has_no_return() const {
    return std::ranges::any_of(proposal_.plan.steps, [](const Step& step) { return step.point_of_no_return; });
  }
  bool is_leader(const MemberReport& member) const { return report_.leader == name(member); }
  std::string target_command(const MemberReport& member) const { return command(report_, "repair", name(member)); }

  const TriageReport& report_;
  const Request& request_;
  const Rungs& rungs_;
  Proposal proposal_;
  const Planning planning_{report_, request_, proposal_};
};

bool is_down(const MemberReport& member) {
  return !member.facts.reachable();
}

/// One that does not get healthy in time is reported, and takes nothing back.
void tell_only(Step& proof) {
  auto how = takes<kind::ProveMember>(proof);
  how.tell = true;
  give(proof, how);
}

/// Members that may be repaired first: those others follow, then by ordinal.
int rank(const TriageReport& report, const MemberReport& member) {
  if (!member.healthy() && member.action == Action::nothing && member.facts.upstream()) return 4;  // waits for another
  if (member.action >= Action::rewind) return 3;  // the last step of a rebuild cannot be taken back
  if (report.authority.member && *report.authority.member == member.facts.member) return 0;
  return member.facts.runtime.role_wanted == cluster::MemberRole::primary ? 1 : 2;
}

}  // namespace

Status Planner::check_cluster() const {
  // Members of a Group Replication group are refused one by one: none of them can be named as the one to discard.
  if (request_.ordinal || report_.has("group-replication")) return {};
  // Replicas that wrote something themselves beside a primary that writes on: that one stays, and each asks by itself.
  const bool only_errant = rungs_.has_one_primary() && !report_.leader.empty() && report_.has("errant-transactions") &&
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

Status Planner::refill(const MemberReport& member) {
  const std::string victim = name(member);
  const bool nothing_there = has_vanished(member);
  const bool alone_unknown = rungs_.only_it_is_unknown(report_, member);
  // Named, and with a copy that is read back, the only member that is not known may be made anew.
  const bool kept = request_.has_repository && !request_.no_escrow;
  const bool chosen =
      alone_unknown && (rungs_.refills_unknown_unasked() || (request_.ordinal && (nothing_there || kept)));
  if (report_.authority.kind == AuthorityKind::undeterminable && !chosen)
    return fail(ErrorClass::refused, "repair.undeterminable",
                fmt::format("{} would have to be rebuilt, but who has all data is not known", victim),
                nothing_there ? fmt::format("mount its volume; where that is gone for good: {}", target_command(member))
                : alone_unknown
                    ? fmt::format("nothing else is unknown: to give up what only it may have, keep a copy of it: {} -r "
                                  "REPOSITORY",
                                  target_command(member))
                    : fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (report_.leader.empty() && report_.authority.member == member.facts.member)
    return fail(ErrorClass::refused, "repair.target_is_authority",
                victim + " holds what no other member holds; it is the last thing to touch",
                fmt::format("holdfast triage -c {} --export-divergence DIR", report_.cluster.full_name()));
  if (report_.leader.empty() && rungs_.follows_a_primary())
    return fail(ErrorClass::refused, "repair.no_donor",
                "there is no primary for " + victim + " to follow after a rebuild: that comes first",
                who_is_to_lead(report_));
  const MemberReport* donor = rungs_.donor(report_, member);
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
  const bool will_write = member.facts.runtime.role_wanted == cluster::MemberRole::primary && is_down(member);
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
  TRY_VOID(rungs_.before_start(planning_, member, will_write));
  const bool saved = proposal_.plan.steps.size() > before;
  add(start_step(report_, member, is_down(member) ? "it does not run" : "it does not work as it is"));
  Step proof = proof_of_start(member);
  // What was saved stays saved, whether or not there is a source to follow.
  if (saved && report_.leader.empty()) tell_only(proof);
  add(std::move(proof));
  return {};
}

Status Planner::resume(const MemberReport& member) {
  if (report_.leader.empty())
    return fail(ErrorClass::refused, "repair.no_donor", "there is no primary for " + name(member) + " to follow",
                who_is_to_lead(report_));
  return TRY(rungs_.resume(planning_, member)) == Rung::refill ? refill(member) : Status();
}

Status Planner::repair(const MemberReport& member) {
  if (member.facts.agent.answers == false)
    return fail(ErrorClass::refused, "repair.needs_operator",
                !member.facts.agent.refused.empty()
                    ? name(member) + " has an agent that cannot be asked: " + member.facts.agent.refused
                : !member.facts.agent.silent.empty()
                    ? name(member) + " has an agent that cannot be reached: " + member.facts.agent.silent
                    : name(member) + " has no agent running that could do anything to it: start it first",
                member.facts.agent.certificate_over ? "holdfast explain agent-certificate-ending"
                                                    : "holdfast explain agent-gone");
  TRY_VOID(check_not_outside(report_, member));
  if (const auto refused = request_.refused_accounts.find(name(member)); refused != request_.refused_accounts.end())
    return fail(refused->second);
  switch (TRY(rungs_.add(planning_, member))) {
    case Rung::done:
      return {};
    case Rung::refill:
      return refill(member);
    case Rung::common:
      break;
  }
  return common_rung(member);
}

Status Planner::common_rung(const MemberReport& member) {
  switch (member.action) {
    case Action::nothing:
      if (const MemberReport* source = dead_source(report_, member)) {
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
      return refill(member);
  }
  return {};
}

namespace {

/// One that does not get healthy in time takes back what was done to it, but not what was done to others: a primary
/// that was started stays, whatever its replicas say. Nothing of the kind for one made anew: its old copy is kept until
/// it is proven.
void keep_what_is_done(operation::Plan& plan) {
  const auto acts = [](const operation::Step& step) { return !is<kind::ProveMember>(step); };
  for (auto& step : plan.steps) {
    if (acts(step) || plan.find("swap-" + step.member)) continue;
    const bool only_waits =
        std::ranges::none_of(plan.steps, [&](const auto& s) { return acts(s) && s.member == step.member; });
    const bool beside_others =
        std::ranges::any_of(plan.steps, [&](const auto& s) { return acts(s) && s.member != step.member; });
    if (!only_waits && !beside_others) continue;
    tell_only(step);
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
    if (waits_for_replicas(report_, *m)) {
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
  if (!stays || stays->facts.agent.answers != true || stays->facts.runtime.role_wanted != cluster::MemberRole::replica)
    return;
  const bool alone = std::ranges::all_of(chosen.members, [&](const MemberReport& m) {
    return &m == stays || m.facts.runtime.role_wanted == cluster::MemberRole::replica ||
           plan.find("configure-" + name(m));
  });
  if (!alone) return;
  // Before what cannot be undone.
  const auto at = std::ranges::find_if(plan.steps, [](const Step& step) { return step.point_of_no_return; });
  plan.steps.insert(at, telling_step(name(*stays), ""));
}

}  // namespace

Result<Proposal> plan_repair(const TriageReport& report, const Request& request) {
  if (request.adoption) return plan_adoption(report, request);
  const Rungs& rungs = rungs_of(report.cluster.engine);
  const auto chosen = TRY(rungs.after_choice(report, request));
  if (!chosen) return Planner(report, request).propose();
  auto proposal = TRY(Planner(*chosen, request).propose());
  tell_who_stays(*chosen, proposal.plan);
  rungs.settle_choice(report, *chosen, request, proposal.plan);
  return proposal;
}

}  // namespace holdfast::repair
