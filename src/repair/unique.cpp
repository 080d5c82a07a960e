#include "repair/unique.h"

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
  if (!member.errant.transactions.empty()) return member.errant.transactions;
  if (member.verdict == cluster::Verdict::diverged) return "";
  std::vector<cluster::MemberFacts> facts;
  for (const auto& m : report.members) facts.push_back(m.facts);
  const auto past = cluster::histories(report.cluster, facts);
  const auto* leader = report.find(report.leader);
  const MemberReport& reference = leader ? *leader : donor;
  const History *own = nullptr, *other = nullptr;
  for (const auto& h : past) {
    if (h.member == member.facts.member) own = &h;
    if (h.member == reference.facts.member) other = &h;
  }
  if (!own || !other) return "";
  if (own->read == History::Read::empty) return std::nullopt;
  // Two that took writes on one timeline: that the end of one lies before the fork of a third proves nothing.
  for (const auto& h : past)
    if (&h != own && took_writes(*own) && took_writes(h) &&
        cluster::compare(own->position, h.position) == Order::diverged)
      return cluster::difference(own->position, h.position);
  const Order order = cluster::compare(own->position, other->position);
  if (order == Order::equal || order == Order::before) return std::nullopt;
  return cluster::difference(own->position, other->position);
}

}  // namespace holdfast::repair
