#include "steward/repair_plan.h"

namespace holdfast::steward {

Result<PlanRun> propose_repair(ClusterAccess& cluster, repair::Request request, cluster::TriageReport seen,
                               std::stop_token stop) {
  auto proposal = TRY(repair::plan_repair(seen, request));
  auto accounts = cluster.check_accounts(proposal.plan, std::move(stop));
  if (!accounts.refused.empty()) {
    request.refused_accounts = std::move(accounts.refused);
    proposal = TRY(repair::plan_repair(seen, request));
  }
  PlanRun run{.before = std::move(seen), .plan = std::move(proposal.plan), .left_alone = std::move(proposal.skipped)};
  for (auto& remark : proposal.remarks) run.warnings.push_back({"repair.remark", std::move(remark)});
  for (auto& remark : accounts.unchecked) run.warnings.push_back({"repair.remark", std::move(remark)});
  return run;
}

}  // namespace holdfast::steward
