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

bool in_primary_component(const MemberReport& member) {
  const auto& f = member.facts;
  return f.reachable() && f.galera && f.galera->status == "Primary" && f.galera->wsrep_on != false;
}

bool in_one_component(const MemberReport& a, const MemberReport& b) {
  return in_primary_component(a) && in_primary_component(b) && a.facts.galera->uuid == b.facts.galera->uuid &&
         a.facts.galera->view == b.facts.galera->view;
}

bool takes_writes(const MemberReport& member) {
  const auto& f = member.facts;
  return f.reachable() && f.role == cluster::MemberRole::primary && f.read_only != true;
}

std::string address_of(const TriageReport& report, const std::string& member) {
  const auto* described = report.cluster.find(member);
  return described ? fmt::format("{}:{}", described->host, described->port) : "";
}

std::vector<History> histories_of(const TriageReport& report) {
  std::vector<cluster::MemberFacts> facts;
  for (const auto& m : report.members) facts.push_back(m.facts);
  return cluster::histories(report.cluster, facts);
}

const History* find_history(const std::vector<History>& histories, std::string_view member) {
  const auto found = std::ranges::find_if(histories, [&](const History& h) { return h.member.str() == member; });
  return found == histories.end() ? nullptr : &*found;
}

bool lies_within(Order order) {
  return order == Order::equal || order == Order::before;
}

std::string command(const TriageReport& report, std::string_view verb, const std::string& member) {
  std::string text = fmt::format("holdfast {} -c {}", verb, report.cluster.full_name());
  if (const auto* described = member.empty() ? nullptr : report.cluster.find(member))
    text += fmt::format(" -i {}", described->ordinal);
  return text;
}

operation::Loss unknown_loss(const MemberReport& member) {
  return {fmt::format("what {} holds cannot be read; if it has something of its own, that will be in its copy in the "
                      "repository only",
                      name(member)),
          "discard-diverged:" + name(member)};
}

}  // namespace holdfast::repair
