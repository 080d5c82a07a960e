#include "repair/full_disk.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "position/wal.h"
#include "repair/report_view.h"
#include "repair/slots.h"
#include "repair/steps.h"

namespace holdfast::repair {

using cluster::AuthorityKind;
using cluster::MemberReport;
using cluster::MemberRole;
using cluster::TriageReport;
using position::WalPosition;

namespace {

std::string mib(uint64_t bytes) {
  return fmt::format("{} MiB", bytes >> 20);
}

/// A stopped server's full disk: what it may be freed of, and what must be accepted for that.
class WalToFree {
 public:
  WalToFree(const TriageReport& report, const MemberReport& member) : report_(report), member_(member) {}

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
Status WalToFree::may_start() const {
  if (member_.facts.runtime.role_wanted != MemberRole::primary) return {};
  if (report_.leader.empty() && report_.authority.kind == AuthorityKind::provable &&
      report_.authority.member == member_.facts.member)
    return {};
  return by_hand("it would open for writes without being proven to be the one that may");
}

/// Others may stream from it without a slot: what they lack stays.
Result<position::Lsn> WalToFree::followers_need() const {
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

Status WalToFree::add(operation::Plan& plan) {
  const cluster::Volume* volume = nullptr;
  for (const auto& v : member_.facts.runtime.volumes)
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
  // A member's slot stays: the member would have to be rebuilt.
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
  const std::string what =
      slots.empty() ? "" : fmt::format("Drop the slot{} {}. ", drop > 1 ? "s" : "", fmt::join(slots, ", "));
  plan.steps.push_back(step_of(
      kind::FreeWal{.keep_from = keep.to_string(), .slots = slots},
      {.id = "free-" + name(member_),
       .member = name(member_),
       .title = fmt::format("{}Remove {} of WAL of {} that neither its recovery, nor the archiver, nor a member needs",
                            what, mib(freed(drop)), name(member_)),
       .preconditions = {"its server is stopped"},
       .point_of_no_return = true,
       .expected_seconds = 5,
       .proof = "its volume has space again",
       .touches = {"members/" + name(member_), "authority", "leader"}}));
  plan.steps.push_back(start_step(name(member_), false));
  plan.steps.push_back(proof_of(member_));
  return {};
}

}  // namespace

Status plan_freeing_wal(const TriageReport& report, const MemberReport& member, operation::Plan& plan) {
  return WalToFree(report, member).add(plan);
}

}  // namespace holdfast::repair
