#include "repair/rebuild_plan.h"

#include <fmt/format.h>

#include "repair/rungs.h"
#include "repair/sources.h"
#include "repair/unique.h"

namespace holdfast::repair {

using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;

void plan_rebuild(const TriageReport& report, const Request& request, const MemberReport& member,
                  const MemberReport& donor, bool holds_data, Proposal& proposal) {
  const std::string victim = name(member);
  auto& steps = proposal.plan.steps;
  // In coarse steps: a plan must be the same when it is shown and when it is accepted, while the data grows.
  const uint64_t copy_seconds = 20 + donor.facts.data_bytes.value_or(0) / (3ULL << 30) * 30;
  const bool escrow = holds_data && !request.no_escrow;
  if (member.facts.reachable() || member.facts.runtime.pid > 0) steps.push_back(stop_step(victim));
  if (escrow) steps.push_back(escrow_step(victim, copy_seconds * 2));
  const Rungs& rungs = rungs_of(report.cluster.engine);
  const std::string source = source_for(report, member);
  if (rungs.needs_telling(report, member, source)) steps.push_back(telling_step(victim, source));
  std::string cut;
  if (auto tail = escrow ? rungs.tail_step(report, member) : std::nullopt) {
    cut = tail->id;
    steps.push_back(std::move(*tail));
  }
  const bool rewind = holds_data && rungs.can_rewind(report, member);
  steps.push_back(copy_step(
      victim,
      {.donor = rewind ? report.leader : name(donor), .rewind = rewind, .unless = cut, .rate = request.copy_rate},
      copy_seconds));
  steps.push_back(try_step(victim, {.source = source, .unless = cut}, "it follows and has caught up"));
  steps.push_back(swap_step(victim));
  steps.push_back(start_step(victim, false));
  steps.push_back(proof_of(victim, 60));
  if (escrow) steps.push_back(drop_step(victim));
  auto lose = [&](std::string what, std::string_view acceptance) {
    proposal.plan.losses.push_back({std::move(what), fmt::format("{}:{}", acceptance, victim)});
  };
  const auto own_loss = rungs.loss(report, member, donor);
  if (own_loss)
    proposal.plan.losses.push_back(*own_loss);
  else if (member.verdict == Verdict::foreign)
    lose(victim + " will no longer have its data of another cluster", "discard-foreign");
  else if (const auto own = held_only_by(report, member, donor))
    lose(fmt::format("{} will no longer have what only it has{}", victim, own->empty() ? "" : ": " + *own),
         "discard-diverged");
  if (holds_data && request.no_escrow) lose("no copy of the data of " + victim + " will be kept", "no-escrow");
}

}  // namespace holdfast::repair
