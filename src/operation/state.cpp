#include "operation/state.h"

#include <fmt/format.h>

namespace holdfast::operation {

std::string_view step_state_name(StepState state) {
  switch (state) {
    case StepState::waiting:
      return "waiting";
    case StepState::started:
      return "started";
    case StepState::done:
      return "done";
    case StepState::undoing:
      return "undoing";
    case StepState::undone:
      return "undone";
  }
  return "?";
}

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::forward:
    case Phase::back:
      return "unfinished";
    case Phase::done:
      return "done";
    case Phase::undone:
      return "undone";
    case Phase::failed:
      return "failed";
    case Phase::abandoned:
      return "abandoned";
  }
  return "?";
}

std::optional<size_t> OperationState::current() const {
  if (phase == Phase::forward) {
    for (size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].state != StepState::done) return i;
    }
  }
  if (phase == Phase::back) {
    for (size_t i = steps.size(); i-- > 0;) {
      const bool begun = steps[i].state != StepState::waiting && steps[i].state != StepState::undone;
      if (begun && !steps[i].reached_nothing) return i;
    }
  }
  return std::nullopt;
}

bool OperationState::past_no_return(const Plan& plan) const {
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    if (plan.steps[i].point_of_no_return) return steps[i].state != StepState::waiting && !steps[i].reached_nothing;
  }
  return false;
}

std::vector<std::string> OperationState::begun(const Plan& plan) const {
  std::vector<std::string> ids;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].state != StepState::waiting) ids.push_back(plan.steps[i].id);
  }
  return ids;
}

Result<OperationState> operation_state(const Plan& plan, const std::vector<Record>& records) {
  OperationState state;
  state.steps.resize(plan.steps.size());
  for (const Record& record : records) {
    const auto senseless = [&](std::string_view why) {
      return fail(ErrorClass::needs_operator, "operation.journal_damaged",
                  fmt::format("record {} ({} {}) makes no sense: {}", record.seq, record_type_name(record.type),
                              record.step, why));
    };
    if ((record.seq == 1) != (record.type == RecordType::begun)) return senseless("every journal begins once");
    if (is_over(state.phase)) return senseless("the operation was over");
    StepStatus* step = nullptr;
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      if (plan.steps[i].id == record.step) step = &state.steps[i];
    }
    if (!record.step.empty() && !step) return senseless("the plan has no such step");
    const bool about_step = record.type >= RecordType::step_started && record.type <= RecordType::step_failed;
    const bool about_undo = record.type >= RecordType::step_undo_started && record.type <= RecordType::step_undo_failed;
    if ((about_step || about_undo) != (step != nullptr))
      return senseless("it names a step where none belongs, or none");
    if (about_undo && state.phase != Phase::back) return senseless("nothing is being undone");
    if (record.type == RecordType::step_started &&
        (state.phase != Phase::forward || (step->state != StepState::waiting && step->state != StepState::started)))
      return senseless("the step cannot begin now");
    if ((record.type == RecordType::step_done || record.type == RecordType::step_failed) &&
        (step->state != StepState::started || state.phase != Phase::forward))
      return senseless("the step is not being done");
    switch (record.type) {
      case RecordType::begun:
        state.started = record.time;
        [[fallthrough]];
      case RecordType::resumed:
        state.epoch = record.data["epoch"].unsigned_integer();
        break;
      case RecordType::step_started:
        if (step->state == StepState::waiting) step->before = record.data;  // a second try starts from a changed world
        step->state = StepState::started;
        step->reached_nothing = false;
        state.error.reset();
        break;
      case RecordType::step_progress:
        step->progress = record.data;
        break;
      case RecordType::step_done:
        step->state = StepState::done;
        step->result = record.data;
        step->reached_nothing = false;
        state.error.reset();
        break;
      case RecordType::step_failed:
        step->reached_nothing = record.data["reached"].text() == "nothing";
        state.error = record.error;
        break;
      case RecordType::undo_begun:
        if (state.past_no_return(plan)) return senseless("the point of no return was passed");
        state.phase = Phase::back;
        state.undo_reason = record.data["reason"].text();
        break;
      case RecordType::step_undo_started:
        if (step->state == StepState::waiting) return senseless("the step was never started");
        step->state = StepState::undoing;
        break;
      case RecordType::step_undone:
        step->state = StepState::undone;
        break;
      case RecordType::step_undo_failed:
      case RecordType::stopped:
        if (record.error) state.error = record.error;
        break;
      case RecordType::done:
        state.phase = Phase::done;
        state.ended = record.time;
        break;
      case RecordType::undone:
        state.phase = Phase::undone;
        state.ended = record.time;
        break;
      case RecordType::failed:
        state.phase = Phase::failed;
        state.ended = record.time;
        break;
    }
  }
  return state;
}

}  // namespace holdfast::operation
