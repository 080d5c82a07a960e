#include "repair/rungs.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/rungs_galera.h"
#include "repair/rungs_mysql.h"
#include "repair/rungs_postgres.h"
#include "repair/sources.h"

namespace holdfast::repair {

using cluster::Engine;
using cluster::MemberReport;
using cluster::TriageReport;

const Rungs& rungs_of(Engine engine) {
  switch (engine) {
    case Engine::galera:
      return galera_rungs();
    case Engine::postgres:
      return postgres_rungs();
    case Engine::mariadb:
      return mariadb_rungs();
    case Engine::mysql:
      break;
  }
  return mysql_rungs();
}

void Planning::remark_other_source(const MemberReport& member, const std::string& source) const {
  const auto* before = configured_source(report, member);
  if (!before || name(*before) == source) return;
  proposal.remarks.push_back(
      fmt::format("{} was configured to follow {}{}: it follows {} from now on", name(member), name(*before),
                  before->healthy() ? "" : fmt::format(", which cannot be its source ({})", before->sentence), source));
}

const MemberReport* Rungs::donor(const TriageReport& report, const MemberReport& victim) const {
  const auto leads = [&](const MemberReport& m) { return report.leader == name(m); };
  const MemberReport* donor = nullptr;
  const std::string source = source_for(report, victim);
  for (const auto& m : report.members) {
    if (&m == &victim || (!m.healthy() && !waits_for_replicas(report, m)) || is_delayed(m)) continue;
    // A replica rather than the writer, so that the copy costs the clients nothing; of replicas the one it is to
    // follow, which then has all that is in the copy.
    if (!donor || leads(*donor) || (name(m) == source && !leads(m))) donor = &m;
  }
  return donor;
}

bool waits_for_replicas(const TriageReport& report, const MemberReport& member) {
  if (report.leader != name(member) || !member.facts.reachable()) return false;
  const bool fallen_back = says(report, member, "semi-sync-off") && member.facts.semi_sync.source_enabled == true;
  if (!fallen_back && !says(report, member, "commits-stuck")) return false;
  return std::ranges::any_of(report.members, [&](const MemberReport& m) { return &m != &member && !m.healthy(); });
}

bool lacks_its_source(const TriageReport& report, const MemberReport& member) {
  return says(report, member, "replica-source-unreachable") || says(report, member, "replica-chain-broken");
}

const MemberReport* dead_source(const TriageReport& report, const MemberReport& member) {
  if (!lacks_its_source(report, member) || !member.facts.upstream()) return nullptr;
  const auto* source = configured_source(report, member);
  return source && !source->healthy() ? source : nullptr;
}

std::string who_is_to_lead(const TriageReport& report) {
  return report.authority.kind == cluster::AuthorityKind::leader_not_primary
             ? "holdfast explain leader-not-primary"
             : fmt::format("holdfast triage -c {} -v", report.cluster.full_name());
}

}  // namespace holdfast::repair
