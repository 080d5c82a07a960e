#include "operation/operations.h"

namespace holdfast::operation {

using codec::Value;

Summary summarise(const StoredOperation& stored) {
  Summary summary;
  summary.id = stored.id;
  summary.damage = stored.damage;
  summary.state = "damaged";
  if (stored.plan) {
    summary.cluster = stored.plan->cluster;
    summary.cluster_uid = stored.plan->cluster_uid;
    summary.verb = stored.plan->verb;
    summary.plan_hash = short_hash(*stored.plan);
  }
  if (!stored.records.empty()) summary.started = stored.records.front().time;
  if (stored.plan && stored.damage.empty()) {
    const auto state = operation_state(*stored.plan, stored.records);
    if (!state) {
      summary.damage = state.error().message;
    } else {
      summary.state = phase_name(state->phase);
      summary.started = state->started;
      summary.ended = state->ended;
      summary.undoing = state->phase == Phase::back;
      summary.past_no_return = state->past_no_return(*stored.plan);
      if (const auto current = state->current()) summary.step = stored.plan->steps[*current].id;
      if (state->error) summary.error = state->error->to_string();
    }
  }
  if (!stored.abandonment.is_null()) {
    summary.state = phase_name(Phase::abandoned);
    summary.ended = stored.abandonment["time"].text();
  }
  return summary;
}

Value summary_value(const Summary& summary) {
  const auto or_null = [](const std::string& text) { return text.empty() ? Value() : Value(text); };
  return Value::object({{"id", summary.id},
                        {"cluster", or_null(summary.cluster)},
                        {"clusterUid", or_null(summary.cluster_uid)},
                        {"verb", or_null(summary.verb)},
                        {"state", summary.state},
                        {"started", or_null(summary.started)},
                        {"ended", or_null(summary.ended)},
                        {"step", or_null(summary.step)},
                        {"undoing", summary.undoing},
                        {"pastNoReturn", summary.past_no_return},
                        {"planHash", or_null(summary.plan_hash)},
                        {"error", or_null(summary.error)},
                        {"damage", or_null(summary.damage)},
                        {"owner", summary.owner ? owner_value(*summary.owner) : Value()}});
}

}  // namespace holdfast::operation
