#include "repair/bootstrap.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "position/galera.h"
#include "repair/plan.h"
#include "repair/report_view.h"
#include "repair/rungs_galera.h"
#include "repair/world.h"

namespace holdfast::repair {

using cluster::AuthorityKind;
using cluster::MemberReport;
using cluster::StoredFacts;
using cluster::TriageReport;
using operation::Step;
using position::GaleraPosition;
using position::GaleraSource;

namespace {

constexpr std::string_view kZero = "00000000-0000-0000-0000-000000000000";

/// What a member is to the new component.
struct Part {
  enum class Kind {
    proven,      ///< its position is known and proves what it holds
    empty,       ///< holds nothing
    foreign,     ///< proven, of another history
    distrusted,  ///< it holds data that is no point of any history
    unread,      ///< nobody knows; it is not touched
  };
  const MemberReport* member = nullptr;
  Kind kind = Kind::unread;
  GaleraPosition position;
  bool runs = false;
  bool may_run = false;      ///< nobody can say that its server is down
  std::string refusal, why;  ///< of those that are not proven
  std::string loses;         ///< name of the acceptance
};

class Bootstrapper {
 public:
  Bootstrapper(const TriageReport& report, const BootstrapRequest& request) : report_(report), request_(request) {}
  Result<Bootstrap> plan();

 private:
  Status check_cluster() const;
  Result<Part> part_of(const MemberReport& member) const;
  Result<std::string> choose_history();
  const Part& first_of(const std::string& history) const;
  Status mark_losses(const std::string& history, const Part& first);
  Status check_authority(const Part& first) const;

  void add_cold_start(const Part& first);
  void add_warm_start(const Part& first);
  void add_escrow(const Part& part);
  void add_rebuild(const Part& part, const std::string& donor);
  void add(Step step) { result_.plan.steps.push_back(std::move(step)); }
  void add_first(Step step);

  bool made_anew(const Part& part) const {
    return part.kind == Part::Kind::empty || part.kind == Part::Kind::foreign || part.kind == Part::Kind::distrusted;
  }
  static std::string name(const Part& part) { return part.member->facts.member.str(); }
  std::string command(std::string_view verb, std::string_view more = "") const {
    return fmt::format("holdfast {} -c {}{}", verb, report_.cluster.full_name(), more);
  }
  std::string repair_command(const Part& part) const {
    return command("repair", fmt::format(" -i {}", report_.cluster.find(name(part))->ordinal));
  }

  const TriageReport& report_;
  const BootstrapRequest& request_;
  std::vector<Part> parts_;
  Bootstrap result_;
};

Status Bootstrapper::check_cluster() const {
  const std::string cluster = report_.cluster.full_name();
  if (report_.cluster.engine != cluster::Engine::galera)
    return fail(ErrorClass::usage, "bootstrap.not_galera",
                fmt::format("{} is not a Galera cluster: {} has nothing to bootstrap", cluster,
                            cluster::engine_name(report_.cluster.engine)),
                command("repair"));
  if (report_.has("galera-two-components"))
    return fail(
        ErrorClass::refused, "bootstrap.split_brain",
        "two primary components accept writes: which side to keep is your choice, and a third would make it worse",
        "stop writes; " + command("triage", " -v") + " shows each side; then " +
            command("repair", " -i N -r REPOSITORY") + " for the members of the side to give up");
  for (const auto& m : report_.members) {
    const auto& f = m.facts;
    const std::string member = f.member.str();
    if (!f.reachable()) TRY_VOID(check_not_outside(report_, m));
    if (f.reachable() && f.galera && (f.galera->wsrep_on == false || f.galera->provider == "none"))
      return fail(ErrorClass::refused, "bootstrap.running",
                  member + " runs without replicating, and may accept writes that go nowhere",
                  "holdfast explain galera-replication-off");
    if (f.reachable() && f.galera && f.galera->status == "Primary")
      return fail(ErrorClass::refused, "bootstrap.has_primary",
                  fmt::format("{} is in a primary component: a second one would split the cluster", member),
                  command("repair") + " brings members back into it");
    if (!f.reachable() && (f.runtime.pid > 0 ||
                           (!f.runtime.state.empty() && f.runtime.state != "stopped" && f.runtime.state != "failed")))
      return fail(
          ErrorClass::refused, "bootstrap.running",
          fmt::format("{}: its server runs and does not answer; whether it accepts writes is not known", member),
          command("triage", " -v"));
  }
  for (const auto& m : report_.members)
    if (m.facts.reachable() && m.facts.tcp == false)
      return fail(ErrorClass::refused, "bootstrap.network",
                  m.facts.member.str() + " runs, but cannot be reached over the network: the others could not join it",
                  "repair the network first (holdfast explain tcp-unreachable); the members may find each other then");
  return {};
}

Result<Part> Bootstrapper::part_of(const MemberReport& member) const {
  const auto& f = member.facts;
  Part part{.member = &member, .runs = f.reachable()};
  const std::string name = f.member.str();
  auto is = [&](Part::Kind kind, std::string refusal, std::string why, std::string_view acceptance = "lose-unread") {
    part.kind = kind;
    part.refusal = std::move(refusal);
    part.why = std::move(why);
    part.loses = fmt::format("{}:{}", acceptance, name);
    return part;
  };
  if (f.reachable()) {
    if (f.galera && f.galera->state.starts_with("Inconsistent"))
      return is(Part::Kind::distrusted, "bootstrap.inconsistent", "it was voted out: its data differs",
                "discard-diverged");
    const auto at = GaleraPosition::parse(f.executed, GaleraSource::live);
    if (!at || !at->proves() || (f.galera && f.galera->state.starts_with("Join")))
      return is(Part::Kind::unread, "bootstrap.unread", "its wsrep position could not be read: " + f.error);
    part.kind = Part::Kind::proven;
    part.position = *at;
    return part;
  }
  // Its files were read from here, and no process uses them: it is down whatever its agent is.
  const bool seen_down = f.agent.answers == false && f.stored && f.stored->data != StoredFacts::Data::unknown;
  part.may_run = (f.agent.answers != true || f.runtime.state.empty()) && !seen_down;
  if (f.agent.answers != true || f.runtime.state.empty())
    return is(Part::Kind::unread, "bootstrap.unread",
              "its agent does not answer: neither what it holds nor whether its server runs is known");
  if (!f.stored || f.stored->data == StoredFacts::Data::unknown)
    return is(Part::Kind::unread, "bootstrap.unread",
              "its data directory cannot be read" + (f.stored ? ": " + f.stored->why : ""));
  const StoredFacts& stored = *f.stored;
  if (stored.data != StoredFacts::Data::present) {
    part.kind = Part::Kind::empty;
    return part;
  }
  if (!stored.aborted_transfer.empty())
    return is(Part::Kind::distrusted, "bootstrap.aborted_transfer",
              "a state transfer into it was cut short: what it holds is not a member's history");
  if (stored.lineage == kZero)
    return is(Part::Kind::distrusted, "bootstrap.zero_uuid", "it has data, but its grastate.dat has no history");
  const auto at = GaleraPosition::parse(
      stored.position, stored.seqno.value_or(-1) >= 0 ? GaleraSource::grastate : GaleraSource::recovered);
  if (at && at->proves()) {
    part.kind = Part::Kind::proven;
    part.position = *at;
    return part;
  }
  if (const auto failed = request_.not_recovered.find(name); failed != request_.not_recovered.end())
    return is(Part::Kind::unread, "bootstrap.unread", "its position could not be recovered: " + failed->second);
  if (stored.seqno == -1)
    return fail(ErrorClass::refused, "bootstrap.not_recovered",
                fmt::format("{} crashed: its position is in InnoDB alone, and was not recovered yet", name),
                command("inspect", " --fence") + " recovers it without starting anything");
  return is(Part::Kind::unread, "bootstrap.unread", stored.position_unknown);
}

/// The recorded one, the only one, or what most members hold: the others are named in the losses.
Result<std::string> Bootstrapper::choose_history() {
  std::map<std::string, std::vector<std::string>> histories;
  for (const auto& part : parts_)
    if (part.kind == Part::Kind::proven) histories[part.position.uuid.to_string()].push_back(name(part));
  std::string list;
  for (const auto& [uuid, members] : histories)
    list += fmt::format("{}{} is held by {}", list.empty() ? "" : "; ", uuid, fmt::join(members, ", "));
  if (histories.empty())
    return fail(ErrorClass::refused, "bootstrap.no_position",
                "no member has a position that proves what it holds: there is nothing to start from",
                command("triage", " -v") + "; a backup is the other way: holdfast restore");
  std::string recorded = report_.cluster.lineage;
  std::ranges::transform(recorded, recorded.begin(), [](unsigned char c) { return std::tolower(c); });
  if (!recorded.empty()) {
    if (histories.contains(recorded)) return recorded;
    return fail(ErrorClass::refused, "bootstrap.foreign",
                fmt::format("no member is of the recorded history {}: {}", recorded, list),
                "find the members that are; spec.lineage of the DatabaseCluster records it");
  }
  std::string best;
  bool tie = false;
  for (const auto& [uuid, members] : histories) {
    if (!best.empty() && members.size() == histories[best].size()) tie = true;
    if (best.empty() || members.size() > histories[best].size()) best = uuid, tie = false;
  }
  if (!tie) return best;
  return fail(ErrorClass::refused, "bootstrap.foreign", "the members are of several histories: " + list,
              "find out which is the cluster's, and record it: spec.lineage of the DatabaseCluster; then " +
                  command("bootstrap", " --dry-run"));
}

/// The highest; of several, one that runs, then one that stopped last.
const Part& Bootstrapper::first_of(const std::string& history) const {
  const Part* best = nullptr;
  auto rank = [](const Part& p) {
    return std::tuple(p.position.seqno, p.runs,
                      p.member->facts.stored && p.member->facts.stored->safe_to_bootstrap == true);
  };
  for (const auto& part : parts_)
    if (part.kind == Part::Kind::proven && part.position.uuid.to_string() == history &&
        (!best || rank(part) > rank(*best)))
      best = &part;
  return *best;
}

Status Bootstrapper::mark_losses(const std::string& history, const Part& first) {
  bool keeps = false;
  for (auto& part : parts_) {
    if (part.kind == Part::Kind::proven && part.position.uuid.to_string() != history) {
      part.kind = Part::Kind::foreign;
      part.refusal = "bootstrap.foreign";
      part.why = fmt::format("it is of another history, {}", part.position.to_string());
      part.loses = "discard-foreign:" + name(part);
    }
    if (part.loses.empty()) continue;
    keeps = keeps || part.kind != Part::Kind::unread;
    std::string what =
        part.kind == Part::Kind::unread
            ? fmt::format("the cluster continues without what {} may hold beyond {}: {}. It is left as it is",
                          name(part), first.position.to_string(), part.why)
            : fmt::format("{} is rebuilt: {}", name(part), part.why);
    result_.refusals[part.loses] = Error{ErrorClass::refused,
                                         part.refusal,
                                         fmt::format("{}: {}", name(part), part.why),
                                         command("bootstrap", " --dry-run"),
                                         {}};
    result_.plan.losses.push_back({std::move(what), part.loses});
    if (part.may_run) {
      const std::string acceptance = "second-primary:" + name(part);
      result_.refusals[acceptance] =
          Error{ErrorClass::refused,
                "bootstrap.second_primary",
                fmt::format("{}: whether its server runs is not known; one that is in a primary component of its own "
                            "continues to accept writes beside the new one",
                            name(part)),
                "see that its server is down (on its host: systemctl stop, or power off), then " +
                    command("bootstrap", " --dry-run"),
                {}};
      result_.plan.losses.push_back(
          {fmt::format("if the server of {} runs and is in a primary component, the cluster has two that accept "
                       "writes, and one side's rows are lost when they are brought together: see first that it is down",
                       name(part)),
           acceptance});
    }
    if (request_.no_escrow && part.kind != Part::Kind::unread)
      result_.plan.losses.push_back(
          {fmt::format("no copy of the data of {} will be kept", name(part)), "no-escrow:" + name(part)});
  }
  if (!keeps || request_.has_repository || request_.no_escrow) return {};
  return fail(ErrorClass::refused, "bootstrap.no_repository",
              "members have to be rebuilt; a copy of what they hold is kept first, and no repository is named",
              command("bootstrap", " -r REPOSITORY --dry-run"));
}

/// Two ways to the same answer: where nothing is left out, the rules of authority must agree.
Status Bootstrapper::check_authority(const Part& first) const {
  if (!result_.plan.losses.empty()) return {};
  std::optional<int64_t> proven;
  for (const auto& part : parts_)
    if (report_.authority.member && part.member->facts.member == *report_.authority.member)
      proven = part.position.seqno;
  if (report_.authority.kind == AuthorityKind::provable && proven == first.position.seqno) return {};
  return fail(
      ErrorClass::refused, "bootstrap.undeterminable",
      fmt::format("which member holds everything is not proven: {}", fmt::join(report_.authority.reasons, "; ")),
      command("triage", " -v"));
}

void Bootstrapper::add_escrow(const Part& part) {
  if (part.runs) add(stop_step(name(part)));
  if (part.kind != Part::Kind::empty && !request_.no_escrow) add(escrow_step(name(part), 40));
}

/// From it on there is a component again. Members that run find it by themselves.
void Bootstrapper::add_first(Step step) {
  step.point_of_no_return = true;
  step.touches = {"members", "authority", "leader"};
  add(std::move(step));
}

/// `part` is the first of a new component, all servers being stopped.
void Bootstrapper::add_cold_start(const Part& first) {
  std::vector<std::string> clear;
  for (const auto& part : parts_) {
    if (&part == &first || part.kind == Part::Kind::unread || part.kind == Part::Kind::empty) continue;
    if (part.runs && !made_anew(part)) {
      Step stop = stop_step(name(part), "(it runs outside a primary component)");
      stop.preconditions = {"it accepts no writes"};
      add(std::move(stop));
    }
    if (part.member->facts.stored && part.member->facts.stored->seqno) clear.push_back(name(part));
  }
  const std::string member = name(first);
  Step mark = step_of(
      kind::MarkBootstrap{clear},
      {.id = "mark-" + member,
       .member = member,
       .title = fmt::format("Mark {} alone as safe to bootstrap from: it is at {}", member, first.position.to_string()),
       .preconditions = {"its position is proven and the highest"},
       .undo = "restore the marks as they were",
       .expected_seconds = 2,
       .proof = "grastate.dat of each says so",
       .touches = {"members/" + member, "authority", "leader"}});
  // An agent forgets what it has recovered when grastate.dat is written.
  for (const auto& other : clear) mark.touches.push_back("members/" + other);
  add(std::move(mark));
  add_first(
      step_of(kind::BootstrapServer{},
              {.id = "bootstrap-" + member,
               .member = member,
               .title = fmt::format("Start {} as the first of a new primary component (it holds everything)", member),
               .preconditions = {"no other member is in a primary component"},
               .undo = "stop it again",
               .expected_seconds = 60,
               .proof = "it says Primary and Synced"}));
}

void Bootstrapper::add_warm_start(const Part& first) {
  const std::string member = name(first);
  add_first(
      step_of(kind::BootstrapRunning{},
              {.id = "bootstrap-" + member,
               .member = member,
               .title = fmt::format("Tell {}, which runs and is at {}, that its component is primary", member,
                                    first.position.to_string()),
               .preconditions = {"no other member is in a primary component", "its position is proven and the highest"},
               .undo = "stop it again",
               .expected_seconds = 10,
               .proof = "it says Primary and Synced"}));
}

void Bootstrapper::add_rebuild(const Part& part, const std::string& donor) {
  const std::string member = name(part);
  add(copy_step(member, {.donor = donor}, 30));
  add(try_step(member, {}, "it is part of the component"));
  add(swap_step(member));
  add(join_step(member, false, true, "on the new directory"));
  add(proof_of(member, 60));
  if (part.kind == Part::Kind::empty || request_.no_escrow) return;
  Step drop = drop_step(member);
  drop.point_of_no_return = false;  // long passed
  add(std::move(drop));
}

Result<Bootstrap> Bootstrapper::plan() {
  TRY_VOID(check_cluster());
  for (const auto& member : report_.members) parts_.push_back(TRY(part_of(member)));
  const std::string history = TRY(choose_history());
  result_.plan.verb = "bootstrap";
  result_.plan.cluster = report_.cluster.full_name();
  result_.plan.cluster_uid = report_.cluster.uid;
  result_.plan.world = world_of(report_);
  const Part& first = first_of(history);
  TRY_VOID(mark_losses(history, first));
  TRY_VOID(check_authority(first));
  // Everything that can still be taken back comes first.
  for (const auto& part : parts_)
    if (made_anew(part)) add_escrow(part);
  if (first.runs)
    add_warm_start(first);
  else
    add_cold_start(first);
  std::string donor = name(first);
  for (const auto& part : parts_) {
    if (part.kind != Part::Kind::proven || &part == &first) continue;
    const bool waits = first.runs && part.runs;
    // It holds nothing but a part of that history: should its state be transferred whole, nothing is lost.
    add(join_step(name(part), false, true,
                  waits ? "unless it finds it by itself" : "it is at " + part.position.to_string()));
    add(proof_of(name(part), 60));
    donor = name(part);
  }
  for (const auto& part : parts_) {
    if (made_anew(part)) add_rebuild(part, donor);
    if (part.kind == Part::Kind::unread)
      result_.left_alone.push_back(
          fmt::format("{}: {}; once it can be read: {}", name(part), part.why, repair_command(part)));
  }
  return std::move(result_);
}

}  // namespace

Result<Bootstrap> plan_bootstrap(const TriageReport& report, const BootstrapRequest& request) {
  return Bootstrapper(report, request).plan();
}

}  // namespace holdfast::repair
