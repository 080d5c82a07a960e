#include "operation/executor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "operation/runner.h"
#include "operation/world.h"

namespace holdfast::operation {

using codec::Value;

namespace {

Status check_handlers(const Plan& plan, const HandlerMap& handlers) {
  std::set<std::string> missing;
  for (const Step& step : plan.steps) {
    const auto found = handlers.find(step.kind);
    if (found == handlers.end() || !found->second) missing.insert(step.kind);
  }
  if (missing.empty()) return {};
  return fail(ErrorClass::refused, "operation.no_handler",
              fmt::format("this program does not know how to do: {}", fmt::join(missing, ", ")),
              "use the version of holdfast that began the operation");
}

struct Taken {
  std::unique_ptr<ClusterLock> lock;
  std::unique_ptr<Journal> journal;
  OperationState state;
};

/// Takes an unfinished operation over.
Result<Taken> take_over(const ExecutorOptions& options, const std::string& id) {
  const StoredOperation stored = TRY(options.store->read(id));
  if (!stored.damage.empty()) TRY_VOID(check_usable(stored));  // so it has a plan
  TRY_VOID(check_handlers(*stored.plan, options.handlers));
  auto lock = TRY(options.store->acquire({stored.plan->key(), id, stored.plan->verb, options.min_epoch}));
  auto journal = TRY(options.store->open(*lock, id));  // again: it may have moved until the lock was ours
  if (options.fence) TRY_VOID(options.fence(lock->epoch()));
  OperationState state = TRY(operation_state(journal->plan(), journal->records()));
  if (is_over(state.phase)) {
    return fail(ErrorClass::refused, "operation.over",
                fmt::format("operation {} is over: {}", id, phase_name(state.phase)),
                fmt::format("holdfast operations show {}", id));
  }
  return Taken{std::move(lock), std::move(journal), std::move(state)};
}

/// Written once the operation is going to be touched.
Status note_resumed(Taken& taken) {
  const Value data = Value::object({{"owner", owner_value(taken.lock->owner())}, {"epoch", taken.lock->epoch()}});
  TRY_VOID(taken.journal->append(RecordType::resumed, {}, data));
  taken.state = TRY(operation_state(taken.journal->plan(), taken.journal->records()));
  return {};
}

}  // namespace

Result<Report> Executor::execute(const Plan& plan, const std::vector<std::string>& acceptances) {
  operation_.clear();
  TRY_VOID(check_plan(plan));
  TRY_VOID(check_handlers(plan, options_.handlers));
  if (options_.stop.stop_requested())
    return fail(ErrorClass::interrupted, "operation.interrupted", "interrupted before anything was changed");
  const std::string id = new_operation_id();
  const auto lock = TRY(options_.store->acquire({plan.key(), id, plan.verb, options_.min_epoch}));
  if (options_.fence) TRY_VOID(options_.fence(lock->epoch()));
  if (options_.world_now) {
    const Value now = TRY(options_.world_now());
    if (const auto changes = world_changes(plan.world, now); !changes.empty()) {
      return fail(
          ErrorClass::refused, "operation.plan_changed",
          fmt::format("the cluster changed after plan {} was made: {}", short_hash(plan), changes_text(changes)),
          "run it again with --dry-run: there is a new plan");
    }
  }
  const auto journal = TRY(options_.store->create(*lock, id, plan,
                                                  Value::object({{"owner", owner_value(lock->owner())},
                                                                 {"epoch", lock->epoch()},
                                                                 {"acceptances", Value::list_of(acceptances)}})));
  operation_ = id;
  if (options_.on_event) options_.on_event(Event{id});
  OperationState state = TRY(operation_state(journal->plan(), journal->records()));
  return Runner(options_, *lock, *journal, std::move(state)).go_on();
}

Result<Report> Executor::resume(std::string id, bool accept_changed_world) {
  operation_.clear();
  Taken taken = TRY(take_over(options_, id));
  operation_ = id;
  // Undoing restores what was found; that the world has changed since is no reason to leave it half undone.
  if (options_.world_now && taken.state.phase == Phase::forward && !accept_changed_world) {
    const Plan& plan = taken.journal->plan();
    const Value now = TRY(options_.world_now());
    if (const auto changes = foreign_changes(plan, taken.state.begun(plan), now); !changes.empty()) {
      std::string hint =
          fmt::format("to continue all the same: holdfast operations resume {0} --accept=changed-world:{0}", id);
      if (!taken.state.past_no_return(plan)) hint = fmt::format("holdfast operations undo {}, or ", id) + hint;
      return fail(
          ErrorClass::refused, "operation.world_changed",
          fmt::format("operation {} cannot simply continue, the cluster has changed: {}", id, changes_text(changes)),
          hint);
    }
  }
  TRY_VOID(note_resumed(taken));
  return Runner(options_, *taken.lock, *taken.journal, std::move(taken.state)).go_on();
}

Result<Report> Executor::undo(std::string id) {
  operation_.clear();
  Taken taken = TRY(take_over(options_, id));
  operation_ = std::move(id);
  TRY_VOID(note_resumed(taken));
  return Runner(options_, *taken.lock, *taken.journal, std::move(taken.state)).take_back();
}

Status Executor::abandon(std::string id) {
  OperationStore& store = *options_.store;
  const StoredOperation stored = TRY(store.read(id));
  const Summary summary = store.summary(stored);
  const bool over =
      summary.state == "done" || summary.state == "undone" || summary.state == "failed" || summary.state == "abandoned";
  if (over) {
    return fail(ErrorClass::refused, "operation.over", fmt::format("operation {} is over: {}", id, summary.state),
                fmt::format("holdfast operations show {}", id));
  }
  operation_ = id;
  if (!stored.plan) return store.write_abandonment(id, owner_value(this_owner(id, "abandon")));
  // Its owner may be at work. Other unfinished operations of the cluster are no reason to keep this one open.
  const auto lock =
      TRY(store.acquire({stored.plan->key(), id, "abandon", options_.min_epoch, /*beside_unfinished=*/true}));
  return store.write_abandonment(id, owner_value(lock->owner()));
}

}  // namespace holdfast::operation
