#include "steward/kept_copies.h"

#include <fmt/format.h>

#include "operation/state.h"
#include "repair/step_kinds.h"

namespace holdfast::steward {

std::vector<KeptCopy> kept_copies(const operation::StoredOperation& stored, const std::string& repository) {
  std::vector<KeptCopy> kept;
  if (!stored.plan) return kept;
  const auto state = operation::operation_state(*stored.plan, stored.records);
  if (!state) return kept;
  for (size_t i = 0; i < state->steps.size(); ++i) {
    const auto& step = stored.plan->steps[i];
    const bool dump = repair::is<repair::kind::DumpMember>(step);
    if ((!dump && !repair::is<repair::kind::TakeEscrow>(step)) || !state->steps[i].result) continue;
    const std::string snapshot = (*state->steps[i].result)["snapshot"].text();
    if (snapshot.empty()) continue;
    kept.push_back({step.member, dump ? "diverged" : "escrow", snapshot,
                    fmt::format("holdfast restore --snapshot {} -c {} -i {} --into DIR -r {}", snapshot.substr(0, 8),
                                stored.plan->cluster, step.member, repository.empty() ? "R" : repository)});
  }
  return kept;
}

}  // namespace holdfast::steward
