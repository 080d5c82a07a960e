#include "repair/keep_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "engine/dump.h"
#include "repair/report_view.h"
#include "repair/steps.h"
#include "repair/unique.h"

namespace holdfast::repair {

using cluster::MemberReport;
using cluster::StoredFacts;
using cluster::TriageReport;
using cluster::Verdict;

namespace {

/// Proven, not only not excluded: a member whose position is unreadable is copied whole, which is enough.
bool holds_its_own(const TriageReport& report, const MemberReport& member, const MemberReport& donor) {
  if (in_one_component(member, donor)) return false;
  return member.verdict == Verdict::diverged || !held_only_by(report, member, donor).value_or("").empty();
}

/// As backup::diverged_path(), for people.
std::string dump_path(const cluster::DatabaseCluster& cluster, const cluster::Member& member) {
  return fmt::format("{}/{}-{}", cluster.full_name(), member.ordinal, engine::dump_file_name(cluster.engine));
}

bool is_stopped_with_data(const MemberReport& member) {
  const auto& f = member.facts;
  return !f.reachable() && f.agent.answers == true && f.runtime.pid <= 0 && f.stored &&
         f.stored->data == StoredFacts::Data::present;
}

}  // namespace

bool is_divergence(const TriageReport& report, const MemberReport& victim, const MemberReport& donor) {
  return holds_its_own(report, victim, donor) || report.authority.kind == cluster::AuthorityKind::diverged ||
         report.has("several-writers") || report.has("galera-two-components");
}

Status plan_keeping(const TriageReport& report, const MemberReport& victim, const MemberReport& donor,
                    Proposal& proposal) {
  if (!is_divergence(report, victim, donor)) return {};
  std::vector<operation::Step> steps;
  std::vector<std::string> remarks;
  // What cut the operation off may have taken the victim's server down; it is to be stopped next anyway.
  const std::vector<std::string> may_die = {fmt::format("members/{}/role", victim.facts.member.str())};
  for (const auto& m : report.members) {
    const std::string name = m.facts.member.str();
    const auto* described = report.cluster.find(name);
    if (!described) continue;
    const bool is_victim = &m == &victim;
    const uint64_t seconds = 5 + m.facts.data_bytes.value_or(0) / (3ULL << 30) * 60;
    if (m.facts.reachable()) {
      // The victim's data directory is copied as well, and the others are not touched: no dump is no loss for these.
      const bool needed = !is_victim && holds_its_own(report, m, donor);
      steps.push_back(step_of(
          kind::DumpMember{needed},
          {.id = "dump-" + name,
           .member = name,
           .title = fmt::format("Keep a dump of {} in the repository, as {}{}", name,
                                dump_path(report.cluster, *described), needed ? "" : "; a failed dump is reported"),
           .preconditions = {"it answers"},
           .undo = "nothing: the dump is kept",
           .expected_seconds = seconds,
           .proof = needed ? "its end marker was seen and every byte of it was read back from the repository"
                           : "every byte of it was read back from the repository",
           .touches = may_die}));
      continue;
    }
    if (is_victim) continue;
    if (!holds_its_own(report, m, donor)) {
      remarks.push_back(fmt::format("no dump of {} is kept: it does not answer", name));
      continue;
    }
    if (!is_stopped_with_data(m))
      return fail(
          ErrorClass::refused, "repair.cannot_keep",
          fmt::format("{} has what no other member has and no copy of it can be taken: {}", name, m.sentence),
          fmt::format("make it answer, or stop its server; then holdfast triage -c {}", report.cluster.full_name()));
    operation::Step escrow = escrow_step(name, seconds * 2);
    escrow.title = fmt::format("Keep a copy of the data directory of {} too, which has transactions of its own", name);
    escrow.touches = may_die;
    steps.push_back(std::move(escrow));
  }
  std::ranges::move(steps, std::back_inserter(proposal.plan.steps));
  std::ranges::move(remarks, std::back_inserter(proposal.remarks));
  return {};
}

}  // namespace holdfast::repair
