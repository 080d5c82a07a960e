#include "steward/recover_positions.h"

#include "operation/journal.h"
#include "repair/inspect.h"
#include "steward/execution.h"

namespace holdfast::steward {

namespace {

Error error_from(const codec::Value& document) {
  Error error{ErrorClass::failed, document["id"].text(), document["message"].text(), document["hint"].text(), {}};
  for (int i = 0; i <= static_cast<int>(ErrorClass::interrupted); ++i)
    if (error_class_name(static_cast<ErrorClass>(i)) == document["class"].text())
      error.error_class = static_cast<ErrorClass>(i);
  return error;
}

}  // namespace

Result<std::map<std::string, Result<std::string>>> recover_positions(ClusterAccess& cluster,
                                                                     const cluster::TriageReport& report,
                                                                     const std::vector<std::string>& members,
                                                                     std::chrono::seconds limit, const Caller& caller) {
  std::map<std::string, Result<std::string>> found;
  if (members.empty()) return found;
  auto plan = repair::plan_inspection(report, members, limit.count());
  plan.created = operation::utc_now();
  CopyKeeper copies(cluster.cluster(), caller.copies, caller.observer);
  auto options = TRY(executor_options(cluster, [&] { return report; }, copies, caller));
  const ExecutionScope executing(caller.observer);
  auto executor = caller.operations.executor(std::move(options));
  const auto done = TRY(executor.execute(plan));
  const codec::Value result = done.steps[0].result.value_or(codec::Value());
  for (const auto& [name, of_member] : result.members()) {
    if (const auto* error = of_member.find("error"))
      found.emplace(name, fail(error_from(*error)));
    else
      found.emplace(name, of_member["position"].text());
  }
  return found;
}

}  // namespace holdfast::steward
