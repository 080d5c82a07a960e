// Carries out a plan: journal, act, prove; undo on failure; resume or undo after a crash.
//
// How a call ends (Report, or an error that names the operation):
// - done, or undone on request: a Report
// - a step failed before the point of no return, everything is as it was, or as a proof before it has left it
//   (StepHandler::stays): "operation.failed_undone" (failed, exit 8)
// - stopped by a signal before it, everything is as it was: "operation.interrupted" (interrupted, exit 130)
// - stopped by a signal after it: "operation.interrupted" too; unfinished, to be resumed
// - a step failed after it, or an undo failed, or nobody can tell how far a step came: "operation.stopped"
//   (needs_operator, exit 9); unfinished
// - refused before anything was changed: "operation.locked", "operation.unfinished" (conflict),
// "operation.plan_changed",
//   "operation.world_changed", "operation.past_no_return", "operation.over", "operation.no_handler" (refused), ...
//
// Blocking; one thread. A second stop request changes nothing: an undo that has begun is carried through.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "operation/handler.h"
#include "operation/state.h"
#include "operation/store.h"

namespace holdfast::operation {

/// Something worth telling while it runs: a record that was just made durable.
struct Event {
  std::string operation;
  RecordType type = RecordType::begun;
  size_t index = 0;            ///< of the step, when there is one
  const Step* step = nullptr;  ///< nullptr for records about the operation
  const Error* error = nullptr;
  /// What the step made, once it is done.
  const codec::Value* result = nullptr;
};

struct ExecutorOptions {
  std::shared_ptr<OperationStore> store;
  HandlerMap handlers;
  std::stop_token stop;
  /// Highest epoch the members know, asked by the caller before; see ClusterLock.
  uint64_t min_epoch = 0;
  /// Makes the members refuse lower epochs; called under the lock, before anything else is asked of them. Its failure
  /// ends the call before anything was changed: "agent.stale_epoch" when a member knows a higher one.
  std::function<Status(uint64_t epoch)> fence;
  /// The facts Plan::world is made of, read now, under the lock. Without it nothing is compared.
  std::function<Result<codec::Value>()> world_now;
  /// Called after the record is durable.
  std::function<void(const Event&)> on_event;
};

struct Report {
  std::string id;
  Phase phase = Phase::done;
  std::vector<StepStatus> steps;
};

class Executor {
 public:
  explicit Executor(ExecutorOptions options) : options_(std::move(options)) {}

  /// Takes the lock, looks whether the world is still the plan's, and runs it. Acceptances must have been checked
  /// (check_acceptances()); they are written down with who gave them.
  Result<Report> execute(const Plan& plan, const std::vector<std::string>& acceptances = {});
  /// Goes on in the direction the operation had. Before anything is done the world is compared with the plan's, but for
  /// what begun steps touch; `accept_changed_world` goes on all the same.
  Result<Report> resume(std::string id, bool accept_changed_world = false);
  /// Takes back what was done; only before the point of no return.
  Result<Report> undo(std::string id);
  /// Closes an unfinished or damaged operation without doing anything to its cluster.
  Status abandon(std::string id);

  /// The operation the last call was about; empty if it did not come to one.
  const std::string& operation() const { return operation_; }

 private:
  ExecutorOptions options_;
  std::string operation_;
};

}  // namespace holdfast::operation
