#include "operation/operations.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "operation/folders.h"

namespace holdfast::operation {

using codec::Value;

namespace {

Result<std::vector<std::string>> operation_ids(const std::string& state_dir) {
  std::vector<std::string> ids;
  const std::string folder = operations_folder(state_dir);
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error), end;
  for (; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with('.') || name == "locks" || name == "epochs") continue;
    std::error_code ignored;
    if (entry->is_directory(ignored)) ids.push_back(name);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(sys::errno_error(error.value(), "read " + folder));
  std::ranges::sort(ids);
  return ids;
}

}  // namespace

Summary summarise(const std::string& state_dir, const StoredOperation& stored) {
  Summary summary;
  summary.id = stored.id;
  summary.damage = stored.damage;
  summary.state = "damaged";
  if (stored.plan) {
    summary.cluster = stored.plan->cluster;
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
      if (!is_over(state->phase)) {
        if (auto holder = lock_holder(state_dir, summary.cluster); holder && holder->operation == stored.id) {
          summary.state = "running";
          summary.owner = std::move(holder);
        }
      }
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

Result<std::vector<Summary>> list_operations(const std::string& state_dir) {
  std::vector<Summary> all;
  for (const auto& id : TRY(operation_ids(state_dir))) {
    auto stored = read_operation(state_dir, id);
    if (!stored) continue;  // removed since it was listed
    all.push_back(summarise(state_dir, *stored));
  }
  return all;
}

Result<std::vector<Summary>> unfinished_operations(const std::string& state_dir, std::string_view cluster) {
  std::vector<Summary> all = TRY(list_operations(state_dir));
  std::erase_if(all, [&](const Summary& summary) {
    const bool open = summary.state == "unfinished" || summary.state == "running" || summary.state == "damaged";
    return !open || (!summary.cluster.empty() && summary.cluster != cluster);
  });
  return all;
}

Result<std::string> find_operation(const std::string& state_dir, std::string_view name) {
  const auto ids = TRY(operation_ids(state_dir));
  if (name == "latest" && !ids.empty()) return ids.back();
  std::vector<std::string> fits;
  for (const auto& id : ids) {
    if (id == name) return id;
    if (!name.empty() && id.starts_with(name)) fits.push_back(id);
  }
  if (fits.size() == 1) return fits.front();
  if (fits.empty())
    return fail(ErrorClass::usage, "operation.not_found", fmt::format("there is no operation {}", name),
                "holdfast operations list");
  return fail(ErrorClass::usage, "operation.ambiguous",
              fmt::format("{} operations begin with {}: {}", fits.size(), name, fmt::join(fits, ", ")),
              "give more of the id");
}

}  // namespace holdfast::operation
