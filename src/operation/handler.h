// What knows how to do one kind of step. Injected into the executor, which knows nothing of databases.
//
// The executor calls, in this order:
//
//   look_before()                        -> journaled as step_started
//   run(before)                          it may act from here on
//   prove(before, result)                -> journaled as step_done
//
// and after a crash in the middle, or when it fails:
//
//   how_far(before)                      what the interrupted run() has reached
//   run(before) again                    if it was not everything; it must take up, or clear away, what is half done
//   still_so(before, result)             of all that was done before the crash, when the rest is done too
//   undo(before, result or nullptr)      to put back what was found before; also when run() did nothing or half of it
//
// Rules for handlers:
// - What run() and undo() did is durable when they return; a crash after it does not bring the old state back.
// - undo() restores `before`, not an idea of what is normal: what was stopped stays stopped, what was fenced stays
//   fenced. It can be called again after a crash in the middle of it, also when all is restored already.
// - look_before(), how_far() and prove() change nothing. A precondition that does not hold is look_before()'s error.
// - What run() made may hold "unproven": why this step's proof was done without. It is told in the proof's place.
//   It may hold "remark": what the proof leaves open. It is told after it.
// - A value that cannot be read is an error, never a guess: unknown stops the operation, it does not undo blindly.
// - run() watches scope.stop() and gives up at its next safe point with an error; undo() is not stopped.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/value.h"
#include "operation/plan.h"

namespace holdfast::operation {

/// What a handler may know and write down while it works on one step.
class StepScope {
 public:
  virtual ~StepScope() = default;
  virtual const Step& step() const = 0;
  virtual const Plan& plan() const = 0;
  virtual const std::string& operation() const = 0;  ///< its id, for names of things the step makes
  virtual uint64_t epoch() const = 0;                ///< to be carried by every command to a member
  virtual std::stop_token stop() const = 0;
  /// What this step's handler recorded last, also before a crash; null at first.
  virtual const codec::Value& progress() const = 0;
  /// Writes down, durably, what must be known after a crash: the name of a folder before it is made. Not for ticks.
  virtual Status record(codec::Value progress) = 0;
  /// What an earlier step made; null if there is no such step or it is not done.
  virtual const codec::Value& result_of(std::string_view step_id) const = 0;
};

/// How far a step came whose run() was cut off. `nothing` and `everything` are claims that must be certain.
enum class Reached { nothing, part, everything };

struct HowFar {
  Reached reached = Reached::part;
  codec::Value result;  ///< with everything: what run() would have returned
};

class StepHandler {
 public:
  virtual ~StepHandler() = default;
  virtual Result<codec::Value> look_before(StepScope& scope) = 0;
  virtual Result<codec::Value> run(StepScope& scope, const codec::Value& before) = 0;
  virtual Status prove(StepScope& scope, const codec::Value& before, const codec::Value& result) = 0;
  virtual Status undo(StepScope& scope, const codec::Value& before, const codec::Value* result) = 0;
  virtual Result<HowFar> how_far(StepScope& scope, const codec::Value& before) = 0;
  /// What this step did was proven to be whole, and what has failed later does not rest on it: then it is not taken
  /// back because of that. Told from the journal alone. Whoever asks for undo, or interrupts, gets all of it.
  virtual bool stays(StepScope&) { return false; }
  /// An operation that was cut off and taken up again is about to end: whether what this step proved before the cut is
  /// still so. It may start again what a power failure took down. An error stops the operation where it stands.
  virtual Status still_so(StepScope&, const codec::Value& before, const codec::Value& result) {
    (void)before, (void)result;
    return {};
  }
};

/// Handlers by kind of step.
using HandlerMap = std::map<std::string, std::shared_ptr<StepHandler>, std::less<>>;

}  // namespace holdfast::operation
