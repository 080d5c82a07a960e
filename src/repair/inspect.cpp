#include "repair/inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <thread>

#include "repair/member_step.h"
#include "repair/plan.h"
#include "repair/world.h"

namespace holdfast::repair {

using std::chrono::seconds;

operation::Plan plan_inspection(const cluster::TriageReport& report, const std::vector<std::string>& members,
                                int64_t seconds) {
  operation::Plan plan;
  plan.verb = "inspect";
  plan.cluster = report.cluster.full_name();
  plan.cluster_uid = report.cluster.uid;
  plan.world = world_of(report);
  std::vector<std::string> touches = {"authority"};
  for (const auto& name : members) touches.push_back("members/" + name);
  plan.steps.push_back(step_of(
      kind::RecoverPositions{members, static_cast<uint64_t>(seconds)},
      {.id = kRecoverStep,
       .title = fmt::format("Recover the positions of {} (mariadbd --wsrep-recover)", fmt::join(members, ", ")),
       .preconditions = {"their servers are stopped, and are kept from being started meanwhile"},
       .undo = "nothing: no server was stopped or started; recovering InnoDB's log is what its next start does first",
       .expected_seconds = 10,
       .proof = "each reported a position, or why not",
       .touches = std::move(touches)}));
  return plan;
}

namespace {

class RecoverPositions : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto [names, limit] = takes<kind::RecoverPositions>(scope.step());
    const Deadline deadline = Deadline::in(seconds(limit));
    std::vector<Result<Value>> answers(names.size(), Value());
    {
      std::vector<std::jthread> threads;
      for (size_t i = 0; i < names.size(); ++i)
        threads.emplace_back([&, i] { answers[i] = recover(scope, names[i], deadline); });
    }
    Value result = Value::object();
    for (size_t i = 0; i < names.size(); ++i) {
      if (answers[i]) {
        result.set(names[i], Value::object({{"position", (*answers[i])["position"].text()}}));
        continue;
      }
      Error& error = answers[i].error();
      if (error.id == "agent.stale_epoch" || scope.stop().stop_requested()) return fail(std::move(error));
      result.set(names[i], Value::object({{"error", Value::object({{"class", error_class_name(error.error_class)},
                                                                   {"id", error.id},
                                                                   {"message", error.to_string()},
                                                                   {"hint", error.hint}})}}));
    }
    return result;
  }
  Status prove(StepScope&, const Value&, const Value&) override { return {}; }  // what was told is the result

 private:
  Result<Value> recover(StepScope& scope, const std::string& name, Deadline deadline) const {
    const auto* way = members_->access.find(name);
    if (!way || !way->supervised())
      return fail(ErrorClass::refused, "inspect.no_agent", name + " has no agent: nothing can be run there",
                  "on its host: mariadbd --wsrep-recover");
    return members_->ask(scope, name, "recover_position", Value::object(), deadline, scope.stop());
  }
};

}  // namespace

void add_inspection_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::RecoverPositions, RecoverPositions>(handlers, members);
}

}  // namespace holdfast::repair
