// One operation in progress: the loop over its steps, forward and back. Used by Executor only.
#pragma once

#include <algorithm>
#include <string>

#include "base/result.h"
#include "operation/executor.h"
#include "operation/journal.h"
#include "operation/lock.h"
#include "operation/state.h"

namespace holdfast::operation {

class Runner {
 public:
  /// All of them but the state outlive it.
  Runner(const ExecutorOptions& options, const ClusterLock& lock, Journal& journal, OperationState state)
      : options_(options), lock_(lock), journal_(journal), state_(std::move(state)) {
    done_before_ =
        static_cast<size_t>(std::ranges::count_if(state_.steps, [](const auto& s) { return s.result.has_value(); }));
  }

  /// Goes on in the direction the operation has.
  Result<Report> go_on();
  /// Turns around, if that is still possible, and undoes everything.
  Result<Report> take_back();

 private:
  /// Undoing leaves it (StepHandler::stays).
  bool stays(size_t index);
  friend class Scope;
  Result<Report> forward();
  Status do_step(size_t index);
  /// What an earlier run proved, looked at again before the operation is called done.
  Result<Report> confirm_and_end();
  /// After a step failed or was stopped: back, or stop where we are.
  Result<Report> give_up(size_t index, const Error& error);
  Result<Report> back();
  /// Whether the step that cannot be taken back is known to have changed nothing; written down if so.
  Status settle_no_return();
  Result<HowFar> ask_how_far(size_t index);
  Result<Report> end(RecordType type);
  Error stopped(size_t index, const Error& error, const std::string& where);

  /// Journal first, then state, then the event.
  Status write(RecordType type, std::optional<size_t> index = {}, codec::Value data = {}, const Error* error = nullptr);
  StepHandler& handler(size_t index) const { return *options_.handlers.find(step(index).kind)->second; }
  const Step& step(size_t index) const { return journal_.plan().steps[index]; }
  std::string position(size_t index) const;

  const ExecutorOptions& options_;
  const ClusterLock& lock_;
  Journal& journal_;
  OperationState state_;
  size_t done_before_ = 0;  ///< steps that an earlier run of this operation did
};

}  // namespace holdfast::operation
