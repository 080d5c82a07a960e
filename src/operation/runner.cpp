#include "operation/runner.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>

namespace holdfast::operation {

using codec::Value;

/// Of one step.
class Scope : public StepScope {
 public:
  Scope(Runner& runner, size_t index, std::stop_token stop) : runner_(runner), index_(index), stop_(std::move(stop)) {}
  const Step& step() const override { return runner_.step(index_); }
  const Plan& plan() const override { return runner_.journal_.plan(); }
  const std::string& operation() const override { return runner_.journal_.id(); }
  uint64_t epoch() const override { return runner_.lock_.epoch(); }
  std::stop_token stop() const override { return stop_; }
  const Value& progress() const override { return runner_.state_.steps[index_].progress; }
  Status record(Value progress) override {
    return runner_.write(RecordType::step_progress, index_, std::move(progress));
  }
  const Value& result_of(std::string_view step_id) const override {
    static const Value kNothing;
    const auto& steps = plan().steps;
    for (size_t i = 0; i < steps.size(); ++i) {
      const StepStatus& status = runner_.state_.steps[i];
      if (steps[i].id == step_id && status.result) return *status.result;
    }
    return kNothing;
  }

 private:
  Runner& runner_;
  size_t index_;
  std::stop_token stop_;
};

namespace {

/// A handler that throws has failed, and is undone like one that says so.
template <class Call>
auto guarded(const Step& step, Call&& call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& error) {
    return fail(ErrorClass::bug, "bug.exception", fmt::format("unexpected in step {}: {}", step.id, error.what()));
  }
}

/// Somebody else has the cluster now: nothing of ours may be done there, undoing neither.
bool is_taken_over(const Error& error) {
  return error.id == "operation.lock_lost" || error.id == "agent.stale_epoch";
}

bool is_journal_failure(const Error& error) {
  return error.id == "operation.journal_unwritable";
}

}  // namespace

std::string Runner::position(size_t index) const {
  return fmt::format("step {} of {} ({})", index + 1, journal_.plan().steps.size(), step(index).id);
}

Status Runner::write(RecordType type, std::optional<size_t> index, Value data, const Error* error) {
  TRY_VOID(journal_.append(type, index ? step(*index).id : std::string(), std::move(data), error));
  state_ = TRY(operation_state(journal_.plan(), journal_.records()));
  if (options_.on_event) {
    const bool done = index && state_.steps[*index].result;
    options_.on_event(Event{journal_.id(), type, index.value_or(0), index ? &step(*index) : nullptr, error,
                            done ? &*state_.steps[*index].result : nullptr});
  }
  return {};
}

Result<Report> Runner::end(RecordType type) {
  TRY_VOID(write(type));
  return Report{journal_.id(), state_.phase, state_.steps};
}

Error Runner::stopped(size_t index, const Error& error, const std::string& where) {
  if (is_journal_failure(error)) return error;
  // Somebody else may own the journal by now. And what cannot be noted is told all the same.
  if (error.id != "operation.lock_lost") (void)write(RecordType::stopped, std::nullopt, {}, &error);
  std::string hint = fmt::format("remove the cause, then: holdfast operations resume {}", journal_.id());
  if (!state_.past_no_return(journal_.plan()) && state_.phase == Phase::forward)
    hint += fmt::format(", or: holdfast operations undo {}", journal_.id());
  if (!error.hint.empty()) hint = error.hint + "; " + hint;
  return Error{ErrorClass::needs_operator,
               "operation.stopped",
               fmt::format("operation {} stopped {} {}: {}", journal_.id(), where, position(index), error.to_string()),
               std::move(hint),
               {}};
}

Result<Report> Runner::go_on() {
  return state_.phase == Phase::back ? back() : forward();
}

Result<Report> Runner::forward() {
  while (const auto index = state_.current()) {
    if (options_.stop.stop_requested())
      return give_up(*index, Error{ErrorClass::interrupted, "operation.interrupted", "stopped by a signal", "", {}});
    if (auto done = do_step(*index); !done) return give_up(*index, done.error());
  }
  return confirm_and_end();
}

Result<Report> Runner::confirm_and_end() {
  for (size_t i = 0; i < done_before_; ++i) {
    const StepStatus& status = state_.steps[i];
    Scope scope(*this, i, options_.stop);
    auto holds = [&]() -> Status {
      TRY_VOID(lock_.confirm());
      return guarded(step(i), [&] { return handler(i).still_so(scope, status.before, *status.result); });
    }();
    if (!holds) return fail(stopped(i, holds.error(), "before its end; no longer holds:"));
  }
  return end(RecordType::done);
}

Status Runner::do_step(size_t index) {
  TRY_VOID(lock_.confirm());
  Scope scope(*this, index, options_.stop);
  StepHandler& with = handler(index);
  Value result;
  bool reached_all = false;
  if (state_.steps[index].state == StepState::started) {
    HowFar far = TRY(ask_how_far(index));
    reached_all = far.reached == Reached::everything;
    if (reached_all) result = std::move(far.result);
    if (!reached_all) TRY_VOID(write(RecordType::step_started, index, state_.steps[index].before));
  } else {
    Value before = TRY(guarded(step(index), [&] { return with.look_before(scope); }));
    TRY_VOID(write(RecordType::step_started, index, std::move(before)));
  }
  const Value before = state_.steps[index].before;
  if (!reached_all) result = TRY(guarded(step(index), [&] { return with.run(scope, before); }));
  TRY_VOID(guarded(step(index), [&] { return with.prove(scope, before, result); }));
  return write(RecordType::step_done, index, std::move(result));
}

Result<HowFar> Runner::ask_how_far(size_t index) {
  Scope scope(*this, index, {});
  auto far = guarded(step(index), [&] { return handler(index).how_far(scope, state_.steps[index].before); });
  if (far) return far;
  Error error = std::move(far).error();
  error.error_class = ErrorClass::needs_operator;
  error.id = "operation.unknown_state";
  error.message = fmt::format("it is not known how far {} came: {}", step(index).id, error.message);
  return fail(std::move(error));
}

Status Runner::settle_no_return() {
  for (size_t i = 0; i < state_.steps.size(); ++i) {
    if (!step(i).point_of_no_return || state_.steps[i].state != StepState::started) continue;
    if (state_.steps[i].reached_nothing) continue;
    const HowFar far = TRY(ask_how_far(i));
    if (far.reached == Reached::nothing)
      TRY_VOID(write(RecordType::step_failed, i, Value::object({{"reached", "nothing"}})));
  }
  return {};
}

Result<Report> Runner::give_up(size_t index, const Error& error) {
  if (is_journal_failure(error)) return fail(error);
  if (error.id == "operation.unknown_state" || is_taken_over(error) || error.id == "operation.journal_damaged")
    return fail(stopped(index, error, "before"));
  const bool interrupted = options_.stop.stop_requested();
  if (state_.steps[index].state == StepState::started) {
    TRY_VOID(write(RecordType::step_failed, index, Value::object({{"reached", Value()}}), &error));
    // Unknown counts as passed; what could not be found out is only worth telling with the failure itself.
    if (auto settled = settle_no_return(); !settled && is_journal_failure(settled.error()))
      return fail(settled.error());
  }
  const std::string id = journal_.id();
  if (state_.past_no_return(journal_.plan())) {
    if (!interrupted) return fail(stopped(index, error, "after its point of no return, at"));
    TRY_VOID(write(RecordType::stopped, std::nullopt, {}, &error));
    return fail(ErrorClass::interrupted, "operation.interrupted",
                fmt::format("interrupted: operation {} is past its point of no return and waits before the end of {}",
                            id, position(index)),
                fmt::format("holdfast operations resume {}", id));
  }
  const auto begun = state_.begun(journal_.plan());
  TRY_VOID(write(RecordType::undo_begun, std::nullopt,
                 Value::object({{"reason", interrupted ? "interrupted" : "failed"}}), &error));
  std::vector<std::string> taken_back, kept;
  for (size_t i = 0; i < state_.steps.size(); ++i)
    if (std::ranges::find(begun, step(i).id) != begun.end()) (stays(i) ? kept : taken_back).push_back(step(i).id);
  TRY(back());
  const std::string undone = begun.empty()  ? "nothing had been changed"
                             : kept.empty() ? fmt::format("undone: {}; all is as it was before", fmt::join(begun, ", "))
                                            : fmt::format("undone: {}; what was proven before that stays: {}",
                                                          fmt::join(taken_back, ", "), fmt::join(kept, ", "));
  if (interrupted) {
    return fail(ErrorClass::interrupted, "operation.interrupted",
                fmt::format("interrupted: operation {} was stopped at {}; {}", id, position(index), undone),
                fmt::format("holdfast operations show {}", id));
  }
  return fail(ErrorClass::failed, "operation.failed_undone",
              fmt::format("operation {} failed at {}: {}; {}", id, position(index), error.to_string(), undone),
              error.hint.empty() ? fmt::format("holdfast operations show {}", id) : error.hint);
}

bool Runner::stays(size_t index) {
  if (state_.undo_reason != "failed" || !state_.steps[index].result) return false;
  Scope scope(*this, index, {});
  return handler(index).stays(scope);
}

Result<Report> Runner::back() {
  while (const auto index = state_.current()) {
    const StepStatus status = state_.steps[*index];
    Scope scope(*this, *index, {});
    auto undone = [&]() -> Status {
      TRY_VOID(lock_.confirm());
      if (stays(*index)) return {};
      TRY_VOID(write(RecordType::step_undo_started, index));
      return guarded(step(*index), [&] {
        return handler(*index).undo(scope, status.before, status.result ? &*status.result : nullptr);
      });
    }();
    if (!undone) {
      if (is_journal_failure(undone.error())) return fail(undone.error());
      if (!is_taken_over(undone.error())) TRY_VOID(write(RecordType::step_undo_failed, index, {}, &undone.error()));
      return fail(stopped(*index, undone.error(), "while it undid"));
    }
    TRY_VOID(write(RecordType::step_undone, index, stays(*index) ? Value::object({{"stays", true}}) : Value()));
  }
  return end(state_.undo_reason == "failed" ? RecordType::failed : RecordType::undone);
}

Result<Report> Runner::take_back() {
  if (state_.phase == Phase::forward) {
    const std::string id = journal_.id();
    auto settled = settle_no_return();
    if (!settled && is_journal_failure(settled.error())) return fail(settled.error());
    if (state_.past_no_return(journal_.plan())) {
      std::string why = "its point of no return has been passed";
      for (size_t i = 0; i < state_.steps.size(); ++i) {
        if (step(i).point_of_no_return) why = fmt::format("{} has started, and cannot be undone", position(i));
      }
      if (!settled) why += "; " + settled.error().message;
      return fail(ErrorClass::refused, "operation.past_no_return",
                  fmt::format("operation {} cannot be undone: {}", id, why),
                  fmt::format("holdfast operations resume {}", id));
    }
    TRY_VOID(write(RecordType::undo_begun, std::nullopt, Value::object({{"reason", "asked"}})));
  }
  return back();
}

}  // namespace holdfast::operation
