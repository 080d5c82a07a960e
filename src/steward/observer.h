// What a caller learns while the steward works, and what it is asked.
//
// Called in the caller's own thread; warning() also from a thread that does a step. Nothing called here may throw, and
// what is handed in lives as long as the call.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "operation/executor.h"
#include "steward/outcome.h"

namespace holdfast::steward {

/// When a cluster was observed.
enum class Observed {
  before,   ///< a plan is made from it
  after,    ///< a plan has been executed
  settled,  ///< healthy some time after the last plan, without another one
};

class Observer {
 public:
  virtual ~Observer() = default;

  /// A remark for people.
  virtual void note(std::string_view text) { (void)text; }
  virtual void warning(const Warning& warning) { (void)warning; }
  virtual void observed(Observed when, const cluster::TriageReport& report) { (void)when, (void)report; }
  /// watch_cluster(): each observation. `changed`: it says something else than the one before it; the first does.
  virtual void refreshed(const cluster::TriageReport& report, bool changed) { (void)report, (void)changed; }

  /// A plan was made; it has no steps when there is nothing to do. Unless it is a dry run it is executed next.
  virtual void plan_proposed(const PlanRun& run) { (void)run; }
  /// A question: `refusal` names losses of `plan` that are not accepted yet. Returns what is accepted now, each as
  /// NAME@HASH; nothing = the refusal stands, and nothing is changed. May take as long as a person needs: a cluster
  /// that has changed meanwhile ends the plan.
  virtual std::vector<std::string> ask_acceptance(const operation::Plan& plan, const Error& refusal) {
    (void)plan, (void)refusal;
    return {};
  }

  /// The operation the following events are of.
  virtual void operation_known(const std::string& id) { (void)id; }
  /// A record that was just made durable.
  virtual void step_event(const operation::Event& event) { (void)event; }
  /// At the end of an operation that had a repository; empty when it stored nothing there.
  virtual void copies_kept(const std::string& operation, const std::vector<KeptCopy>& kept) {
    (void)operation, (void)kept;
  }

  /// Between these two the caller should not end its process on a second signal: an undo is carried through.
  virtual void execution_started() {}
  virtual void execution_ended() {}
};

/// Calls the two.
class ExecutionScope {
 public:
  explicit ExecutionScope(Observer& observer) : observer_(observer) { observer_.execution_started(); }
  ~ExecutionScope() { observer_.execution_ended(); }
  ExecutionScope(const ExecutionScope&) = delete;
  ExecutionScope& operator=(const ExecutionScope&) = delete;

 private:
  Observer& observer_;
};

}  // namespace holdfast::steward
