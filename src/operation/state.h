// Where an operation stands: its plan and its records, added up. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/value.h"
#include "operation/plan.h"
#include "operation/record.h"

namespace holdfast::operation {

enum class StepState {
  waiting,  ///< not begun
  started,  ///< begun; how far it came only its handler can find out
  done,     ///< done and proved
  undoing,  ///< its undo began
  undone,
};
std::string_view step_state_name(StepState state);

struct StepStatus {
  StepState state = StepState::waiting;
  codec::Value before;    ///< what was there when it began first; undo restores this
  codec::Value progress;  ///< what its handler wrote down last
  std::optional<codec::Value> result;
  bool reached_nothing = false;  ///< it failed, and its handler is sure that it changed nothing
};

enum class Phase {
  forward,    ///< unfinished, going on
  back,       ///< unfinished, being undone
  done,       ///< all steps done
  undone,     ///< taken back on request or after a signal
  failed,     ///< a step failed; all before it taken back
  abandoned,  ///< closed by a person
};
std::string_view phase_name(Phase phase);
inline bool is_over(Phase phase) {
  return phase != Phase::forward && phase != Phase::back;
}

struct OperationState {
  Phase phase = Phase::forward;
  std::vector<StepStatus> steps;  ///< as in the plan
  std::string undo_reason;        ///< "failed", "interrupted", "asked"; with phase back and after it
  std::optional<Error> error;     ///< what failed first (and was not made good by a later try)
  uint64_t epoch = 0;             ///< under which it ran last
  std::string started, ended;     ///< UTC; ended is empty while unfinished

  /// The step in flight or next in its direction; nullopt when there is none.
  std::optional<size_t> current() const;
  /// Whether the step that cannot be taken back has begun, and is not known to have changed nothing.
  bool past_no_return(const Plan& plan) const;
  /// Ids of steps that were begun, also when undone since.
  std::vector<std::string> begun(const Plan& plan) const;
};

/// "operation.journal_damaged" (needs_operator) if the records make no sense for this plan.
Result<OperationState> operation_state(const Plan& plan, const std::vector<Record>& records);

}  // namespace holdfast::operation
