#include "repair/report_view.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::repair {

using cluster::History;
using cluster::MemberReport;
using cluster::TriageReport;
using position::Order;

bool says(const TriageReport& report, const MemberReport& member, std::string_view diagnosis) {
  return std::ranges::any_of(report.diagnoses, [&](const cluster::Diagnosis& d) {
    return d.id == diagnosis && std::ranges::find(d.members, member.facts.member) != d.members.end();
  });
}

Status check_not_outside(const TriageReport& report, const MemberReport& member) {
  if (member.facts.runtime.outside.empty()) return {};
  const auto& user = member.facts.runtime.outside.front();
  return fail(ErrorClass::refused, "repair.outside_agent",
              fmt::format("{}: process {}{} uses its data directory and was not started by its agent: nothing is "
                          "copied, moved or started there",
                          name(member), user.pid, user.program.empty() ? "" : " (" + user.program + ")"),
              fmt::format("stop process {} in order, then {}", user.pid, command(report, "repair", name(member))));
}

bool has_vanished(const MemberReport& member) {
  return !member.facts.reachable() && member.facts.stored && !member.facts.stored->remembered.empty();
}

bool is_delayed(const MemberReport& member) {
  return std::ranges::any_of(member.facts.following,
                             [](const cluster::Following& f) { return f.delay_seconds.value_or(0) > 0; });
}

bool in_primary_component(const MemberReport& member) {
  return cluster::in_primary_component(member.facts);
}

bool in_one_component(const MemberReport& a, const MemberReport& b) {
  return in_primary_component(a) && in_primary_component(b) && a.facts.galera->uuid == b.facts.galera->uuid &&
         cluster::view_key(*a.facts.galera) == cluster::view_key(*b.facts.galera);
}

bool takes_writes(const MemberReport& member) {
  const auto& f = member.facts;
  return f.reachable() && f.role == cluster::MemberRole::primary && f.read_only != true;
}

bool is_told_to_follow(const TriageReport& report, const MemberReport& member, const std::string& source) {
  const auto topology = report.topology();
  const auto self = topology.find(name(member)), wanted = topology.find(source);
  return self && wanted && topology.wanted(*self).is(*wanted);
}

std::vector<History> histories_of(const TriageReport& report, cluster::Fed fed) {
  std::vector<cluster::MemberFacts> facts;
  for (const auto& m : report.members) facts.push_back(m.facts);
  return cluster::histories(report.cluster, facts, fed);
}

const History* find_history(const std::vector<History>& histories, std::string_view member) {
  const auto found = std::ranges::find_if(histories, [&](const History& h) { return h.member.str() == member; });
  return found == histories.end() ? nullptr : &*found;
}

bool lies_within(Order order) {
  return order == Order::equal || order == Order::before;
}

bool holds_nothing_beside(const TriageReport& report, const std::string& member, const std::string& other) {
  // What a blocker shows proves nothing: it was reset, or cannot be read.
  for (const auto& blocker : report.authority.blockers)
    if (blocker.str() == member || blocker.str() == other) return false;
  const auto past = histories_of(report);
  const auto *mine = find_history(past, member), *theirs = find_history(past, other);
  if (!mine || !theirs || mine->read != cluster::History::Read::read || theirs->read != cluster::History::Read::read)
    return false;
  return lies_within(cluster::compare(mine->position, theirs->position));
}

std::string command(const TriageReport& report, std::string_view verb, const std::string& member) {
  std::string text = fmt::format("holdfast {} -c {}", verb, report.cluster.full_name());
  if (const auto* described = member.empty() ? nullptr : report.cluster.find(member))
    text += fmt::format(" -i {}", described->ordinal);
  return text;
}

operation::Loss unknown_loss(const MemberReport& member) {
  if (has_vanished(member))
    return {fmt::format("the cluster continues without what {} may hold on a volume that is not there: {}",
                        name(member), member.facts.stored->remembered),
            "discard-diverged:" + name(member)};
  return {fmt::format(
              "what {} holds cannot be read; if it has transactions the others lack, they will be in its copy in the "
              "repository only",
              name(member)),
          "discard-diverged:" + name(member)};
}

}  // namespace holdfast::repair
