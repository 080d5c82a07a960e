#include "repair/rungs_postgres.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "position/wal.h"
#include "repair/report_view.h"
#include "repair/steps.h"
#include "repair/unique.h"
#include "repair/world.h"

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

/// It holds nothing that the one which takes writes lacks, its pages need no log that is lost, and all the log it has
/// not got yet is still there: it needs only to be started as a standby.
bool can_follow_as_it_is(const TriageReport& report, const MemberReport& member) {
  const MemberReport* leader = report.find(report.leader);
  if (!leader || leader->facts.oldest_wal.empty()) return false;
  const auto two = positions_of(report, name(member), report.leader);
  const auto oldest = position::Lsn::parse(leader->facts.oldest_wal);
  if (!two || !oldest || held_only_by(report, member, *leader)) return false;
  if (two->mine.minimum_recovery && *two->mine.minimum_recovery > two->mine.end) return false;
  return *oldest <= two->mine.end;
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
          .title = fmt::format("Have {} follow the source its agent names, without a restart", name(m)),
          .arguments = Value::object({{"upstream", m.facts.upstream_wanted}}),
          .preconditions = {fmt::format("{} has nothing that {} lacks", name(m), report.leader)},
          .undo = "set again what ALTER SYSTEM had set, unless that holds a password",
          .expected_seconds = 5,
          .proof = "its primary_conninfo names " + m.facts.upstream_wanted,
          .touches = {"members/" + name(m)}};
}

/// The settings it has lower than the one that takes writes get that one's values; they count from its restart on.
void add_match(const TriageReport& report, const MemberReport& m, const MemberReport& leader, operation::Plan& plan) {
  Value settings = Value::object();
  std::string list;
  for (const auto& [setting, value] : cluster::lower_than(m.facts.standby_limits, leader.facts.standby_limits)) {
    settings.set(setting, value);
    list += fmt::format("{}{} = {}", list.empty() ? "" : ", ", setting, value);
  }
  const std::vector<std::string> touches = {"members/" + name(m)};
  plan.steps.push_back({.id = "match-" + name(m),
                        .kind = "match_settings",
                        .member = name(m),
                        .title = fmt::format("Set on {} what {} has: {}", name(m), report.leader, list),
                        .arguments = Value::object({{"settings", settings}}),
                        .preconditions = {},
                        .undo = "set again what ALTER SYSTEM had set",
                        .expected_seconds = 2,
                        .proof = "its postgresql.auto.conf says so",
                        .touches = touches});
  plan.steps.push_back({.id = "start-" + name(m),
                        .kind = "start_server",
                        .member = name(m),
                        .title = fmt::format("Restart the server of {} (the settings count from then on)", name(m)),
                        .arguments = Value::object({{"restart", true}}),
                        .preconditions = {"its agent answers"},
                        .undo = "there is nothing to undo: it ran before",
                        .expected_seconds = 30,
                        .proof = "it accepts logins and is ready",
                        .touches = touches});
  plan.steps.push_back(proof_of(m));
}

/// It does not start with what its files say: it is started with its primary's values, which are then written down.
void add_match_of_stopped(const MemberReport& m, operation::Plan& plan) {
  Value settings = Value::object();
  std::string list;
  for (const auto& [setting, value] : cluster::settings_wanted(m.facts)) {
    settings.set(setting, value);
    list += fmt::format("{}{} = {}", list.empty() ? "" : ", ", setting, value);
  }
  const std::vector<std::string> touches = {"members/" + name(m), "leader", "authority"};
  const auto add = [&](std::string id, const char* kind, std::string title, Value arguments, const char* undo,
                       uint64_t seconds, const char* proof) {
    plan.steps.push_back({.id = std::move(id) + "-" + name(m),
                          .kind = kind,
                          .member = name(m),
                          .title = std::move(title),
                          .arguments = std::move(arguments),
                          .preconditions = {"its agent answers"},
                          .undo = undo,
                          .expected_seconds = seconds,
                          .proof = proof,
                          .touches = touches});
  };
  add("start", "start_server", fmt::format("Start the server of {} with what its primary has: {}", name(m), list),
      Value::object({{"restart", false}, {"settings", settings}}), "stop it again", 30,
      "it accepts logins and is ready");
  add("match", "match_settings", fmt::format("Set it on {} for later starts", name(m)),
      Value::object({{"settings", settings}}), "set again what ALTER SYSTEM had set", 2,
      "its postgresql.auto.conf says so");
  add("restart", "start_server", fmt::format("Restart the server of {} with its own files alone", name(m)),
      Value::object({{"restart", true}}), "there is nothing to undo: it ran before", 30,
      "it accepts logins and is ready");
  plan.steps.push_back(proof_of(m));
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
                          .undo = "restore its agent's setting from before",
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
       .undo = runs ? "there is nothing to undo: it ran before" : "stop it again",
       .expected_seconds = 30,
       .proof = "it accepts logins and is ready",
       .touches = touches});
  plan.steps.push_back(proof_of(m));
}

std::string mib(uint64_t bytes) {
  return fmt::format("{} MiB", bytes >> 20);
}

/// A stopped server's full disk: what it may be freed of, and what must be accepted for that.
class Room {
 public:
  Room(const TriageReport& report, const MemberReport& member) : report_(report), member_(member) {}

  Status add(operation::Plan& plan);

 private:
  /// Refusals, with what a person must do.
  Status by_hand(const std::string& why) const {
    return fail(ErrorClass::refused, "repair.needs_operator",
                fmt::format("{} has a full disk, and {}", name(member_), why),
                "give its volume more space, or remove what does not belong there (never WAL by hand); then " +
                    command(report_, "repair", name(member_)));
  }
  Status may_start() const;
  Result<position::Lsn> followers_need() const;
  std::string slot_owner(const std::string& slot) const {
    for (const auto& m : report_.members)
      if (&m != &member_ && (usual_slot(m) == slot || slot_of(m) == slot)) return name(m);
    return {};
  }

  const TriageReport& report_;
  const MemberReport& member_;
};

/// Beside what triage calls full (32 MiB): a segment for recovery to write, and one more.
uint64_t enough(uint64_t segment_size) {
  return (uint64_t{32} << 20) + 2 * segment_size;
}

/// It must not open for writes beside another, or without what others have.
Status Room::may_start() const {
  if (member_.facts.role_wanted != MemberRole::primary) return {};
  if (report_.leader.empty() && report_.authority.kind == AuthorityKind::provable &&
      report_.authority.member == member_.facts.member)
    return {};
  return by_hand("it would open for writes without being proven to be the one that may");
}

/// Others may stream from it without a slot: what they lack stays.
Result<position::Lsn> Room::followers_need() const {
  position::Lsn need{~uint64_t{0}};
  for (const auto& h : histories_of(report_)) {
    if (h.member == member_.facts.member || h.read == cluster::History::Read::empty) continue;
    const auto* position = std::get_if<WalPosition>(&h.position);
    if (h.read != cluster::History::Read::read || !position)
      return fail(by_hand(fmt::format("how much of its WAL {} still needs is not known", h.member.str())).error());
    need = std::min(need, position->end);
  }
  return need;
}

Status Room::add(operation::Plan& plan) {
  const cluster::Volume* volume = nullptr;
  for (const auto& v : member_.facts.volumes)
    if (v.total > 0 && (!volume || v.purpose == "log")) volume = &v;
  const auto* stored = member_.facts.stored ? &*member_.facts.stored : nullptr;
  if (!volume || !stored || !stored->wal_room || !stored->wal_room->unknown.empty() ||
      stored->wal_room->segment_size == 0)
    return by_hand("which of its WAL is no longer needed is not known");
  TRY_VOID(may_start());
  const auto& room = *stored->wal_room;
  const auto oldest = TRY(position::Lsn::parse(room.oldest)), recovery = TRY(position::Lsn::parse(room.recovery));
  position::Lsn keep = std::min(recovery, TRY(followers_need()));
  std::string holder;
  if (!room.archiver.empty()) {
    const auto archiver = TRY(position::Lsn::parse(room.archiver));
    if (archiver < keep)
      holder = fmt::format("{} segments wait to be archived: fix its archive_command", stored->archive_ready);
    keep = std::min(keep, archiver);
  }
  // A member's slot stays: the member would have to be made anew.
  std::vector<std::pair<position::Lsn, std::string>> strangers;
  for (const auto& slot : room.slots) {
    if (slot.restart_lsn.empty()) continue;
    const auto restart = TRY(position::Lsn::parse(slot.restart_lsn));
    const std::string owner = slot_owner(slot.name);
    if (owner.empty()) {
      strangers.emplace_back(restart, slot.name);
    } else if (restart < keep) {
      keep = restart;
      holder = fmt::format("{} needs it: repair that one first", owner);
    }
  }
  // From the one that keeps most on: as many as are needed, and no more.
  std::ranges::sort(strangers);
  const auto freed = [&](size_t dropped) {
    const position::Lsn limit = dropped < strangers.size() ? std::min(keep, strangers[dropped].first) : keep;
    const uint64_t segments =
        limit > oldest ? limit.value / room.segment_size - oldest.value / room.segment_size : uint64_t{0};
    return segments * room.segment_size;
  };
  size_t drop = 0;
  while (drop < strangers.size() && volume->free + freed(drop) < enough(room.segment_size)) ++drop;
  if (volume->free + freed(drop) < enough(room.segment_size))
    return by_hand(fmt::format("of its WAL {} could be freed, which is not enough{}", mib(freed(drop)),
                               holder.empty() ? "" : "; " + holder));
  std::vector<std::string> slots;
  for (size_t i = 0; i < drop; ++i) {
    slots.push_back(strangers[i].second);
    plan.losses.push_back({fmt::format("the replication slot {} on {} is dropped, which no member uses: a "
                                       "server that uses it must be rebuilt",
                                       slots.back(), name(member_)),
                           "drop-slot:" + slots.back()});
  }
  const std::vector<std::string> touches = {"members/" + name(member_), "authority", "leader"};
  plan.steps.push_back(
      {.id = "free-" + name(member_),
       .kind = "free_wal",
       .member = name(member_),
       .title = fmt::format(
           "{}Remove {} of WAL of {} that neither its recovery, nor the archiver, nor a member needs",
           slots.empty() ? "" : fmt::format("Drop the slot{} {}. ", drop > 1 ? "s" : "", fmt::join(slots, ", ")),
           mib(freed(drop)), name(member_)),
       .arguments = Value::object({{"keepFrom", keep.to_string()}, {"slots", Value::list_of(slots)}}),
       .preconditions = {"its server is stopped"},
       .undo = "",
       .point_of_no_return = true,
       .expected_seconds = 5,
       .proof = "its volume has space again",
       .touches = touches});
  plan.steps.push_back({.id = "start-" + name(member_),
                        .kind = "start_server",
                        .member = name(member_),
                        .title = fmt::format("Start the server of {}", name(member_)),
                        .arguments = Value::object({{"restart", false}}),
                        .preconditions = {"its agent answers"},
                        .undo = "stop it again",
                        .expected_seconds = 30,
                        .proof = "it accepts logins and is ready",
                        .touches = touches});
  plan.steps.push_back(proof_of(member_));
  return {};
}

}  // namespace

bool postgres_is_told_otherwise(const TriageReport& report, const MemberReport& member) {
  if (member.facts.role_wanted == MemberRole::unknown) return false;  // no agent has said
  if (member.facts.role_wanted != MemberRole::replica) return true;
  if (is_told_to_follow(report, member, report.leader)) return false;
  // It may follow another standby on purpose; one that serves nobody is no upstream.
  return std::ranges::none_of(report.members, [&](const MemberReport& m) {
    return &m != &member && m.healthy() && is_told_to_follow(report, member, name(m));
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
  return report.authority.kind == AuthorityKind::undeterminable && leader && leader != &member &&
         takes_writes(*leader) && !member.facts.reachable() && member.facts.agent == true &&
         member.verdict != Verdict::unknown && report.authority.blockers.size() == 1 &&
         report.authority.blockers[0] == member.facts.member;
}

std::optional<operation::Loss> postgres_loss(const MemberReport& member, bool unknown) {
  if (unknown) return unknown_loss(member);
  if (member.verdict != Verdict::diverged || !takes_writes(member)) return std::nullopt;
  // It goes on writing until it is stopped: where it diverged stays true, where it ends does not.
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

void postgres_settle_choice(const TriageReport& report, const std::string& leader, operation::Plan& plan) {
  plan.world = world_of(report);
  for (auto& step : plan.steps) {
    step.touches.push_back("members/" + leader);
    if (step.kind != "stop_server") continue;
    step.title += fmt::format(": {} stays the primary", leader);
    step.undo = "it stays stopped: a second writer is not a state to restore";
    step.arguments.set("keep", true);
  }
}

Result<PostgresRung> add_postgres_rung(const TriageReport& report, const MemberReport& member, const Request&,
                                       operation::Plan& plan) {
  switch (member.action) {
    case Action::resume:
      if (says(report, member, "server-frozen")) return PostgresRung::common;
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
        add_match(report, member, *leader, plan);
        return PostgresRung::done;
      }
      if ((says(report, member, "replica-wrong-source") || uses_another_slot(report, member) ||
           has_no_source(member)) &&
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
    case Action::restart:
      if (!says(report, member, "replica-settings-too-small") || postgres_is_told_otherwise(report, member))
        return PostgresRung::common;
      add_match_of_stopped(member, plan);
      return PostgresRung::done;
    case Action::rewind:
      if (member.verdict == Verdict::stale && can_follow_as_it_is(report, member)) {
        add_rejoin(report, member, plan);
        return PostgresRung::done;
      }
      return PostgresRung::common;
    case Action::nothing:
      // The point of no return comes first in it: nothing else may be in that plan.
      if (!says(report, member, "disk-full") || member.facts.reachable() || member.facts.server_pid > 0 ||
          !plan.steps.empty() || !says_it_stopped(report, member))
        return PostgresRung::common;
      TRY_VOID(Room(report, member).add(plan));
      return PostgresRung::done;
    default:
      return PostgresRung::common;
  }
}

}  // namespace holdfast::repair
