#include "repair/unique.h"

#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::History;
using cluster::MemberReport;
using position::Order;

namespace {

bool took_writes(const History& h) {
  const auto* wal = std::get_if<position::WalPosition>(&h.position);
  return wal && wal->wrote == true;
}

}  // namespace

std::optional<std::string> held_only_by(const cluster::TriageReport& report, const MemberReport& member,
                                        const MemberReport& donor) {
  if (member.verdict == cluster::Verdict::empty) return std::nullopt;
  if (in_one_component(member, donor)) return std::nullopt;
  if (!member.errant.transactions.empty()) return member.errant.transactions;
  if (member.verdict == cluster::Verdict::diverged) return "";
  const auto past = histories_of(report);
  const auto* leader = report.find(report.leader);
  const auto* own = find_history(past, name(member));
  const auto* other = find_history(past, name(leader ? *leader : donor));
  if (!own || !other) return "";
  if (own->read == History::Read::empty) return std::nullopt;
  // Two that took writes on one timeline: that the end of one lies before the fork of a third proves nothing.
  for (const auto& h : past)
    if (&h != own && took_writes(*own) && took_writes(h) &&
        cluster::compare(own->position, h.position) == Order::diverged)
      return cluster::difference(own->position, h.position);
  if (!lies_within(cluster::compare(own->position, other->position)))
    return cluster::difference(own->position, other->position);
  // What it was fed from outside the cluster is nobody's history here, and is with this member alone all the same.
  const auto all = histories_of(report, cluster::Fed::counted);
  const auto* whole = find_history(all, name(member));
  if (!whole || lies_within(cluster::compare(whole->position, other->position))) return std::nullopt;
  return cluster::difference(whole->position, other->position);
}

}  // namespace holdfast::repair
