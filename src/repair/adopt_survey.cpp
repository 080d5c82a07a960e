// What a look at the member and the primary says of adopting.
#include <fmt/format.h>

#include "engine/adopt.h"
#include "provider/errant_log.h"
#include "provider/member_access.h"
#include "repair/adopt.h"
#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::TriageReport;

namespace {

constexpr std::chrono::seconds kPatience{120};

struct Look {
  sql::Target primary, owner;
  engine::Adoptable adoptable;
  engine::TableColumns columns;
};

Result<Look> look_at(const TriageReport& report, const cluster::MemberReport& member, const std::stop_token& stop) {
  const Deadline deadline = Deadline::in(kPatience);
  Look look;
  const provider::ClusterMembers members(report.cluster);
  for (const auto& control : TRY(members.control(stop))) {
    const bool is_leader = control->setup().name == report.leader;
    if (!is_leader && control->setup().name != name(member)) continue;
    TRY_VOID(control->learn());
    (is_leader ? look.primary : look.owner) = control->setup().socket;
  }
  auto* owner = members.find(name(member));
  if (!owner) return fail(ErrorClass::usage, "repair.no_member", "the cluster has no such member");
  look.adoptable = TRY(provider::fetch_adoptable(*owner, member.errant.transactions, deadline, stop));
  look.columns = TRY(engine::check_adoptable(look.adoptable, look.primary, look.owner, deadline, stop));
  const auto gone = TRY(engine::rows_not_held(look.adoptable, look.columns, look.owner, {}, deadline, stop));
  if (!gone.empty())
    return fail(ErrorClass::refused, "adopt.unfit", "it no longer holds what it wrote itself: " + gone.front());
  return look;
}

Status survey(const TriageReport& report, const cluster::MemberReport& member, Adoption& adoption,
              const std::stop_token& stop) {
  const auto look = TRY(look_at(report, member, stop));
  adoption.digest = look.adoptable.digest;
  for (const auto& transaction : look.adoptable.transactions) {
    auto& known = adoption.transactions.emplace_back();
    known.gtid = transaction.gtid;
    for (const auto& [table, rows] : transaction.rows) known.tables[table] = {rows[0], rows[1], rows[2]};
  }
  return {};
}

const cluster::MemberReport* find_member(const TriageReport& report, int ordinal) {
  for (const auto& m : report.cluster.members)
    if (m.ordinal == ordinal) return report.find(m.name.str());
  return nullptr;
}

}  // namespace

Adoption survey_adoption(const TriageReport& report, int ordinal, std::stop_token stop) {
  Adoption adoption;
  const auto* member = find_member(report, ordinal);
  if (report.cluster.engine != cluster::Engine::mysql || !member) return adoption;
  if (report.leader.empty() || report.leader == name(*member)) return adoption;
  if (!member->facts.reachable() || !member->errant.any()) return adoption;
  if (auto seen = survey(report, *member, adoption, stop); !seen) {
    adoption.refused = seen.error().message;
    // What an agent refuses has its own remedy.
    if (seen.error().id.starts_with("agent.") && !seen.error().hint.empty())
      adoption.refused += " (" + seen.error().hint + ")";
  }
  return adoption;
}

Error adoption_error(Error error, const cluster::DatabaseCluster& cluster) {
  if (error.id == "adopt.unfit") error.id = "repair.cannot_adopt";
  if (error.id == "adopt.conflict") error.id = "repair.adopt_conflict";
  if (error.id == "repair.cannot_adopt" || error.id == "repair.adopt_conflict")
    error.hint = fmt::format(
        "holdfast triage -c {0} --export-divergence DIR writes what it has as SQL for a person to "
        "decide; then, without --adopt: holdfast repair -c {0} -i N",
        cluster.full_name());
  return error;
}

Status rehearse_adoption(const TriageReport& report, int ordinal, const Adoption& adoption, std::stop_token stop) {
  const auto* member = find_member(report, ordinal);
  if (!member) return fail(ErrorClass::usage, "repair.no_member", "the cluster has no such member");
  auto rehearsed = [&]() -> Status {
    const auto look = TRY(look_at(report, *member, stop));
    if (look.adoptable.digest != adoption.digest)
      return fail(ErrorClass::refused, "adopt.unfit", "its log does not hold what the plan was made from");
    const Deadline deadline = Deadline::in(kPatience);
    auto adopter = TRY(engine::Adopter::connect(look.primary, look.columns, look.adoptable.format, deadline, stop));
    return adopter.rehearse(look.adoptable.transactions, deadline, stop);
  }();
  if (!rehearsed) return fail(adoption_error(std::move(rehearsed).error(), report.cluster));
  return {};
}

}  // namespace holdfast::repair
