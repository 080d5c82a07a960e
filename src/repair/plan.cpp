#include "repair/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/adopt.h"
#include "repair/keep_plan.h"
#include "repair/logged_position.h"
#include "repair/relay_logs.h"
#include "repair/report_view.h"
#include "repair/rungs_galera.h"
#include "repair/rungs_postgres.h"
#include "repair/sides.h"
#include "repair/unique.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::AuthorityKind;
using cluster::Engine;
using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;
using codec::Value;
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
  void add_rebuild(const MemberReport& member, const MemberReport& donor, bool holds_data);
  const MemberReport* donor_for(const MemberReport& victim) const;

  void add(Step step) { proposal_.plan.steps.push_back(std::move(step)); }
  void add_start(const MemberReport& member, std::string_view why);
  void add_proof(const MemberReport& member) { add(proof_of(member)); }
  void add_tidying(const MemberReport& member);
  void add_resume(const MemberReport& member);
  void add_follow(const MemberReport& member, bool renew = false);
  void add_read_only(const MemberReport& member);
  void add_slot(const MemberReport& member);
  void add_semi_sync(const MemberReport& member);
  Status restart(const MemberReport& member);
  Status resume(const MemberReport& member);

  bool says(const MemberReport& member, std::string_view id) const { return repair::says(report_, member, id); }
  /// It follows a member which this plan starts.
  bool follows_started(const MemberReport& member) const {
    if (!member.facts.upstream()) return false;
    for (const auto& other : report_.cluster.members)
      if (member.facts.upstream()->upstream == fmt::format("{}:{}", other.host, other.port))
        return proposal_.plan.find("start-" + other.name.str()) != nullptr;
    return false;
  }
  /// Whom it follows, when that one is not there and something can be done about it.
  const MemberReport* dead_source(const MemberReport& member) const {
    if (!says(member, "replica-source-unreachable") || !member.facts.upstream()) return nullptr;
    for (const auto& other : report_.cluster.members) {
      const MemberReport* source = report_.find(other.name.str());
      if (source && member.facts.upstream()->upstream == fmt::format("{}:{}", other.host, other.port))
        return source->healthy() ? nullptr : source;
    }
    return nullptr;
  }
  /// It was promoted, and its agent would start it as a replica.
  bool learns_that_it_leads(const MemberReport& member) const {
    return is_leader(member) && says(member, "replica-detached") && report_.cluster.engine != Engine::postgres &&
           report_.authority.kind == AuthorityKind::provable && report_.authority.member == member.facts.member;
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
    return member.action == Action::nothing && says(member, "replica-source-unreachable") && follows_started(member);
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
  if (member.action >= Action::rewind) return 3;  // the last step of a rebuild cannot be taken back
  if (report.authority.member && *report.authority.member == member.facts.member) return 0;
  return member.facts.role_wanted == cluster::MemberRole::primary ? 1 : 2;
}

}  // namespace

Status Planner::check_cluster() const {
  if (request_.ordinal) return {};
  if (report_.has("several-writers") || report_.has("galera-two-components") ||
      report_.authority.kind == AuthorityKind::diverged)
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("the members of {} have come apart: which one to keep is your choice, member by member",
                            report_.cluster.full_name()),
                fmt::format("holdfast triage -c {0} -v shows what each has; then name the one that is to give way: "
                            "holdfast repair -c {0} -i N",
                            report_.cluster.full_name()));
  return {};
}

Status Planner::check_target(const MemberReport& member) const {
  if (member.healthy() && is_leader(member))
    return fail(ErrorClass::refused, "repair.target_is_primary",
                fmt::format("{} takes writes: it is what the others are repaired from", name(member)),
                fmt::format("holdfast triage -c {} says which members need repair", report_.cluster.full_name()));
  if (member.verdict == Verdict::unknown)
    return fail(ErrorClass::refused, "repair.target_unknown",
                fmt::format("{}: {}; nothing is done to what is not known", name(member), member.sentence),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (is_leader(member) && member.action != Action::resume)
    return fail(
        ErrorClass::refused, "repair.target_is_primary",
        fmt::format("{} takes writes; what is wrong with it needs a person: {}", name(member), member.sentence),
        member.reasons.empty() ? "" : "holdfast explain " + member.reasons[0].substr(0, member.reasons[0].find(':')));
  return {};
}

void Planner::add_start(const MemberReport& member, std::string_view why) {
  const bool runs = !is_down(member) || says(member, "server-frozen");
  add({.id = "start-" + name(member),
       .kind = "start_server",
       .member = name(member),
       .title = fmt::format("{} the server of {} ({})", runs ? "Restart" : "Start", name(member), why),
       .arguments = Value::object({{"restart", runs}}),
       .preconditions = {"its agent answers"},
       .undo = runs ? "there is nothing to take back: it ran before" : "stop it again",
       .expected_seconds = 30,
       .proof = "it signs us in and says that it serves",
       .touches = {"members/" + name(member), "leader", "authority"}});
}

void Planner::add_resume(const MemberReport& member) {
  add({.id = "resume-" + name(member),
       .kind = "resume_replication",
       .member = name(member),
       .title = fmt::format("Start replication on {} where it was stopped", name(member)),
       .arguments = Value::object({{"level", says(member, "replica-apply-error")}}),
       .preconditions = {"it has nothing of its own", "no event is skipped"},
       .undo = "stop again what was stopped before",
       .expected_seconds = 10,
       .proof = "it receives and applies",
       .touches = {"members/" + name(member)}});
}

void Planner::add_follow(const MemberReport& member, bool renew) {
  add({.id = "follow-" + name(member),
       .kind = "follow_source",
       .member = name(member),
       .title = fmt::format("Make {} follow {}{}", name(member), report_.leader,
                            renew ? " anew: with the account its agent has, and from the position it has applied" : ""),
       .arguments = Value::object({{"source", report_.leader}, {"renew", renew}}),
       .preconditions = {fmt::format("{} has nothing that {} lacks", name(member), report_.leader)},
       .undo = "make it follow whom it followed before",
       .expected_seconds = 10,
       .proof = "it receives from " + report_.leader + " and applies",
       .touches = {"members/" + name(member)}});
}

void Planner::add_read_only(const MemberReport& member) {
  add({.id = "close-" + name(member),
       .kind = "set_read_only",
       .member = name(member),
       .title = fmt::format("Close {} for writes", name(member)),
       .arguments = Value::object(),
       .preconditions = {},
       .undo = "open it again if it was open",
       .expected_seconds = 2,
       .proof = "it says read-only",
       .touches = {"members/" + name(member)}});
}

void Planner::add_slot(const MemberReport& member) {
  add({.id = "slot-" + name(member),
       .kind = "create_slot",
       .member = report_.leader,
       .title = fmt::format("Make the replication slot {} on {}", member.facts.upstream()->slot, report_.leader),
       .arguments = Value::object({{"slot", member.facts.upstream()->slot}}),
       .preconditions = {report_.leader + " still has the WAL that " + name(member) + " needs"},
       .undo = "drop it if it was not there before",
       .expected_seconds = 2,
       .proof = "it is listed in pg_replication_slots",
       .touches = {"members/" + name(member)}});
}

void Planner::add_semi_sync(const MemberReport& member) {
  add({.id = "semi-sync-" + name(member),
       .kind = "set_semi_sync",
       .member = name(member),
       .title = fmt::format("Switch semi-synchronous replication on for {}", name(member)),
       .arguments = Value::object({{"source", is_leader(member)}}),
       .preconditions = {},
       .undo = "switch it off again if it was off",
       .expected_seconds = 5,
       .proof = "the server says that it is on",
       .touches = {"members/" + name(member)}});
}

/// What an operation that nobody knows of any more left with a healthy member. A successor that never took the data
/// directory's place is a copy of a donor, so nothing is lost with it; an old data directory that was put aside may
/// hold what nothing else does, and stays.
void Planner::add_tidying(const MemberReport& member) {
  const bool left = std::ranges::any_of(member.facts.leftovers, [](const cluster::Leftover& leftover) {
    return leftover.kind != cluster::Leftover::Kind::replaced;
  });
  if (!left && member.facts.agent_work.empty()) return;
  add({.id = "tidy-" + name(member),
       .kind = "discard_side",
       .member = name(member),
       .title =
           fmt::format("Remove the new data directory of {} that an earlier repair left beside its own", name(member)),
       .arguments = Value::object(),
       .preconditions = {"no operation is unfinished", "it is not the directory in use"},
       .undo = "nothing: it was a copy of another member",
       .expected_seconds = 5,
       .proof = "it is gone, and the agent is at nothing",
       .touches = {"members/" + name(member)}});
}

const MemberReport* Planner::donor_for(const MemberReport& victim) const {
  if (report_.cluster.engine == Engine::galera) return galera_donor(report_, victim);
  const MemberReport* donor = nullptr;
  for (const auto& m : report_.members) {
    if (&m == &victim || (!m.healthy() && !waits_for_replicas(m))) continue;
    // A replica rather than the writer, so that the copy costs the clients nothing.
    if (!donor || is_leader(*donor)) donor = &m;
  }
  return donor;
}

void Planner::add_rebuild(const MemberReport& member, const MemberReport& donor, bool holds_data) {
  const std::string victim = name(member);
  const std::vector<std::string> touches = {"members/" + victim, "authority", "leader"};
  auto step = [&](std::string_view what, std::string_view kind, std::string title, std::string undo, uint64_t seconds,
                  std::string proof, Value arguments = Value::object()) -> Step& {
    add({.id = fmt::format("{}-{}", what, victim),
         .kind = std::string(kind),
         .member = victim,
         .title = std::move(title),
         .arguments = std::move(arguments),
         .undo = std::move(undo),
         .expected_seconds = seconds,
         .proof = std::move(proof),
         .touches = touches});
    return proposal_.plan.steps.back();
  };
  // In coarse steps: a plan must be the same when it is shown and when it is accepted, while the data grows.
  const uint64_t copy_seconds = 20 + donor.facts.data_bytes.value_or(0) / (3ULL << 30) * 30;
  if (!is_down(member) || member.facts.server_pid > 0)
    step("stop", "stop_server", fmt::format("Stop the server of {}", victim), "start it again if it ran before", 20,
         "its process is gone");
  if (holds_data && !request_.no_escrow)
    step("escrow", "take_escrow", fmt::format("Keep a copy of the data directory of {} in the repository", victim),
         "nothing: the copy is kept", copy_seconds * 2, "every byte of it was read back from the repository");
  const bool postgres = report_.cluster.engine == Engine::postgres;
  const bool told_otherwise = postgres ? postgres_is_told_otherwise(report_, member)
                                       : (report_.cluster.engine != Engine::galera &&
                                          member.facts.role_wanted != cluster::MemberRole::replica) ||
                                             is_told_otherwise(report_, member, report_.leader);
  if (told_otherwise) add(telling_step(victim, report_.leader));
  const bool cuts = holds_data && !request_.no_escrow && may_cut_its_tail(report_, member);
  if (cuts) add(cutting_step(victim, report_.leader));
  const std::string cut = cuts ? "cut-" + victim : "";
  if (postgres && holds_data && postgres_can_rewind(report_, member))
    step(
        "copy", "make_side_copy",
        fmt::format("Copy the directory of {0} beside itself and rewind the copy onto {1}; where that is not possible, "
                    "copy {1} instead",
                    victim, report_.leader),
        "remove the new directory", copy_seconds, "the copy came to its end and tells its position",
        Value::object({{"donor", report_.leader}, {"rewind", true}, {"unless", cut}}));
  else
    step("copy", "make_side_copy",
         fmt::format("Copy {} into a new directory of {}, beside the old one", name(donor), victim),
         "remove the new directory", copy_seconds, "the copy came to its end and tells its position",
         Value::object({{"donor", name(donor)}, {"unless", cut}}));
  step("try", "prove_side", fmt::format("Start {} on the new directory and see that it keeps up", victim), "stop it",
       60, "it follows and is level", Value::object({{"source", report_.leader}, {"unless", cut}}));
  step("swap", "swap_side", fmt::format("Put the new directory in the old one's place, by rename", victim),
       "put the old directory back", 5, "the old directory stands beside it");
  step("start", "start_server", fmt::format("Start the server of {}", victim), "stop it again", 30,
       "it signs us in and says that it serves", Value::object({{"restart", false}}));
  step("prove", "prove_member", fmt::format("Wait until triage finds {} healthy", victim),
       "there is nothing to take back", 60, "triage says healthy");
  if (holds_data && !request_.no_escrow) {
    Step& drop =
        step("drop", "drop_aside", fmt::format("Remove the old directory of {}; its copy is in the repository", victim),
             "", 10, "the directory is gone", Value::object({{"swap", "swap-" + victim}}));
    drop.point_of_no_return = true;
  }
  auto lose = [&](std::string what, std::string_view acceptance) {
    proposal_.plan.losses.push_back({std::move(what), fmt::format("{}:{}", acceptance, victim)});
  };
  const auto own_loss = postgres ? postgres_loss(member, postgres_only_it_is_unknown(report_, member))
                        : only_it_is_unknown(report_, member) ? unknown_loss(member)
                        : report_.cluster.engine == Engine::galera && member.verdict != Verdict::diverged
                            ? galera_loss(member)
                            : std::nullopt;
  if (own_loss)
    proposal_.plan.losses.push_back(*own_loss);
  else if (member.verdict == Verdict::foreign)
    lose(victim + " will no longer have its data of another cluster", "discard-foreign");
  else if (const auto own = held_only_by(report_, member, donor))
    lose(fmt::format("{} will no longer have what only it has{}", victim, own->empty() ? "" : ": " + *own),
         "discard-diverged");
  if (holds_data && request_.no_escrow) lose("no copy of the data of " + victim + " will be kept", "no-escrow");
}

Status Planner::refill(const MemberReport& member) {
  const std::string victim = name(member);
  // Named, and with a copy that is read back, the only member that is not known may be made anew.
  const bool chosen = (request_.ordinal && request_.has_repository && !request_.no_escrow &&
                       ((report_.cluster.engine == Engine::postgres && postgres_only_it_is_unknown(report_, member)) ||
                        only_it_is_unknown(report_, member))) ||
                      galera_only_it_is_unknown(report_, member);
  if (report_.authority.kind == AuthorityKind::undeterminable && !chosen)
    return fail(ErrorClass::refused, "repair.undeterminable",
                fmt::format("{} would have to be made anew, but who has all data is not known", victim),
                only_it_is_unknown(report_, member)
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
                "nobody takes writes whom " + victim + " could follow once it is made anew: that comes first",
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  const MemberReport* donor = donor_for(member);
  if (!donor)
    return fail(ErrorClass::refused, "repair.no_donor", "no healthy member is left to copy " + victim + " from",
                fmt::format("holdfast triage -c {}", report_.cluster.full_name()));
  const bool holds_data = member.verdict != Verdict::empty;
  if (holds_data && !request_.has_repository && !request_.no_escrow)
    return fail(ErrorClass::refused, "repair.no_repository",
                fmt::format("{} has to be made anew; a copy of what it holds is kept first, and no repository is named",
                            victim),
                target_command(member) + " --backups-path REPOSITORY");
  if (holds_data && !request_.no_escrow) TRY_VOID(plan_keeping(report_, member, *donor, proposal_));
  add_rebuild(member, *donor, holds_data);
  return {};
}

Status Planner::restart(const MemberReport& member) {
  // A primary that comes back opens for writes: it must be the one that holds everything.
  const bool will_write = member.facts.role_wanted == cluster::MemberRole::primary && is_down(member);
  const bool told_otherwise = is_told_otherwise(report_, member, report_.leader);
  if (told_otherwise && is_down(member) && !holds_nothing_beside(report_, name(member), report_.leader))
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("{} is not proven to hold nothing but what {} has: it cannot simply follow it",
                            name(member), report_.leader),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (told_otherwise && is_down(member)) {
    add(telling_step(name(member), report_.leader));
    add_start(member, "as a replica");
    add_follow(member);
    add_proof(member);
    return {};
  }
  if (will_write && !report_.leader.empty())
    return fail(ErrorClass::refused, "repair.split_brain",
                fmt::format("{} would come back as a primary while {} takes writes", name(member), report_.leader),
                fmt::format("tell its agent that it is a replica now, or rebuild it: {}", target_command(member)));
  if (will_write &&
      (report_.authority.kind != AuthorityKind::provable || report_.authority.member != member.facts.member))
    return fail(ErrorClass::refused, "repair.target_is_not_authority",
                fmt::format("{} would open for writes, but it is not proven to hold everything", name(member)),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  add_start(member, is_down(member) ? "it does not run" : "it does not work as it is");
  add(proof_of_start(member));
  return {};
}

Status Planner::resume(const MemberReport& member) {
  if (report_.leader.empty())
    return fail(ErrorClass::refused, "repair.no_donor", "nobody takes writes whom " + name(member) + " could follow",
                fmt::format("holdfast triage -c {}", report_.cluster.full_name()));
  const bool unreadable = says(member, "replica-relay-log-damaged");  // MySQL
  const bool relay_log_damaged =
      !unreadable && std::ranges::any_of(member.facts.following, [](const cluster::Following& f) {
        return f.apply_errno == 1594 || f.apply_errno == 1595;
      });
  const bool follows_anew = says(member, "replica-detached") || says(member, "replica-wrong-source") ||
                            says(member, "replica-access-denied") || relay_log_damaged;
  if (follows_anew && report_.cluster.engine != Engine::postgres &&
      !holds_nothing_beside(report_, name(member), report_.leader))
    return fail(ErrorClass::refused, "repair.undeterminable",
                fmt::format("{} is not proven to hold nothing but what {} has: it is not made to follow it",
                            name(member), report_.leader),
                fmt::format("holdfast triage -c {} -v", report_.cluster.full_name()));
  if (unreadable && !can_fetch_logs_anew(report_, member)) return refill(member);
  const bool out_of_order =
      std::ranges::any_of(member.facts.following, [](const cluster::Following& f) { return f.apply_errno == 1950; });
  if (out_of_order && !may_go_on_behind_its_log(report_, member)) return refill(member);
  if (is_told_otherwise(report_, member, report_.leader)) add(telling_step(name(member), report_.leader));
  if (says(member, "replica-writable")) add_read_only(member);
  const bool refused = says(member, "replica-access-denied");
  const bool stopped = says(member, "replica-thread-stopped") || says(member, "replica-not-receiving") || refused ||
                       says(member, "replica-apply-error");
  if (says(member, "replica-detached") || says(member, "replica-wrong-source")) {
    if (report_.cluster.engine == Engine::postgres)
      add_start(member, "its agent writes whom it follows when it starts it");
    else
      add_follow(member);
  } else if (says(member, "replica-slot-missing")) {
    add_slot(member);
    add_start(member, "so that it connects anew");
  } else if (stopped && report_.cluster.engine == Engine::postgres && !says(member, "replica-thread-stopped")) {
    add_start(member, "so that it connects anew");
  } else if (out_of_order) {
    add(going_on_step(name(member), report_.leader));
  } else if (unreadable) {
    add(fetching_step(name(member), report_.leader));
  } else if (refused || relay_log_damaged) {
    add_follow(member, true);
  } else if (stopped) {
    add_resume(member);
  }
  if (says(member, "semi-sync-off") || says(member, "semi-sync-replica-off")) add_semi_sync(member);
  add_proof(member);
  return {};
}

Status Planner::repair(const MemberReport& member) {
  if (member.facts.agent == false)
    return fail(ErrorClass::refused, "repair.needs_operator",
                name(member) + " has no agent running that could do anything to it: start it first",
                "holdfast explain agent-gone");
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
      if (const MemberReport* source = dead_source(member))
        return fail(ErrorClass::refused, "repair.needs_operator",
                    fmt::format("{} waits for {}, which it follows and which does not serve: repair that one first",
                                name(member), name(*source)),
                    target_command(*source));
      return fail(
          ErrorClass::refused, "repair.needs_operator",
          fmt::format("{} needs a person: {}", name(member), member.sentence),
          member.reasons.empty() ? "" : "holdfast explain " + member.reasons[0].substr(0, member.reasons[0].find(':')));
    case Action::restart:
      return restart(member);
    case Action::resume:
      return resume(member);
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
  const auto acts = [](const operation::Step& step) { return step.kind != "prove_member"; };
  for (auto& step : plan.steps) {
    if (acts(step) || plan.find("swap-" + step.member)) continue;
    const bool only_waits =
        std::ranges::none_of(plan.steps, [&](const auto& s) { return acts(s) && s.member == step.member; });
    const bool beside_others =
        std::ranges::any_of(plan.steps, [&](const auto& s) { return acts(s) && s.member != step.member; });
    if (!only_waits && !beside_others) continue;
    step.arguments.set("tell", true);
    step.title += "; if it takes too long that is told, and all that was done stays";
  }
}

}  // namespace

Result<Proposal> Planner::propose() {
  proposal_.plan.verb = "repair";
  proposal_.plan.cluster = report_.cluster.full_name();
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
  std::vector<const MemberReport*> waiting;
  const MemberReport* taught = nullptr;
  for (const auto* m : targets) {
    if (request_.ordinal) TRY_VOID(check_target(*m));
    if (waits_for_replicas(*m)) {
      waiting.push_back(m);
      continue;
    }
    if (m->healthy()) {
      if (!request_.ordinal && learns_that_it_leads(*m)) {
        taught = m;
        continue;
      }
      proposal_.skipped.push_back(name(*m) + ": healthy");
      add_tidying(*m);
      continue;
    }
    if (waits_for_started(*m)) {
      add_proof(*m);
      continue;
    }
    if (!request_.ordinal && m->action >= Action::rewind && (rebuilding || has_no_return())) {
      proposal_.skipped.push_back(name(*m) + ": one member is made anew at a time; run repair again for it");
      continue;
    }
    rebuilding = rebuilding || m->action >= Action::rewind;
    auto done = request_.ordinal ? repair(*m) : [&]() -> Status {
      TRY_VOID(check_target(*m));
      return repair(*m);
    }();
    if (done) continue;
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
  if (proposal_.plan.steps.empty() && refused) return fail(std::move(*refused));
  if (proposal_.plan.steps.empty() && !request_.ordinal && !report_.healthy && !report_.diagnoses.empty())
    return fail(ErrorClass::refused, "repair.needs_operator",
                fmt::format("no member needs repair, and yet not all is well: {}", report_.diagnoses[0].summary),
                "holdfast explain " + report_.diagnoses[0].id);
  keep_what_is_done(proposal_.plan);
  return std::move(proposal_);
}

Result<Proposal> plan_repair(const TriageReport& report, const Request& request) {
  if (request.adoption) return plan_adoption(report, request);
  if (const auto chosen = TRY(postgres_after_choice(report, request))) {
    auto proposal = TRY(Planner(*chosen, request).propose());
    postgres_settle_choice(report, chosen->leader, proposal.plan);
    return proposal;
  }
  const auto chosen = TRY(after_choice(report, request));
  if (!chosen) return Planner(report, request).propose();
  auto proposal = TRY(Planner(*chosen, request).propose());
  for (const auto& m : report.cluster.members)
    if (m.ordinal == *request.ordinal)
      proposal.plan.steps.insert(proposal.plan.steps.begin(), closing_step(m.name.str(), chosen->leader));
  proposal.plan.world = world_of(report);
  return proposal;
}

Value world_of(const TriageReport& report) {
  Value members = Value::object();
  // What a second writer has of its own grows with every commit: no part of a world that must stay as it is.
  const bool several = report.has("several-writers") || report.has("galera-two-components") ||
                       (report.cluster.engine == Engine::postgres && report.leader.empty());
  // Nothing moves in a Galera cluster without a component; and who is ahead there is what a bootstrap rests on.
  const bool still = report.has("galera-no-primary-component");
  for (const auto& m : report.members) {
    const bool grows = several && m.facts.reachable() && m.facts.role != cluster::MemberRole::replica;
    Value member = Value::object(
        {{"role", cluster::member_role_name(m.facts.role)},
         {"action", cluster::action_name(m.action)},
         {"errant", grows ? "" : m.errant.transactions},
         {"lineage", m.facts.lineage.empty() && m.facts.stored ? m.facts.stored->lineage : m.facts.lineage}});
    if (still)
      member.set("position", m.facts.reachable() ? m.facts.executed : m.facts.stored ? m.facts.stored->position : "");
    members.set(m.facts.member.str(), std::move(member));
  }
  // Whether a replica with transactions of its own lacks any of the leader's by now is a matter of the moment.
  const bool beside_leader = !report.leader.empty() && (report.authority.kind == AuthorityKind::leader_not_primary ||
                                                        report.authority.kind == AuthorityKind::diverged);
  return Value::object(
      {{"leader", report.leader},
       {"authority", beside_leader ? "not of the leader alone" : cluster::authority_kind_name(report.authority.kind)},
       {"members", members}});
}

}  // namespace holdfast::repair
