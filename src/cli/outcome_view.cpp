#include "cli/outcome_view.h"

#include <fmt/format.h>

#include "cli/triage_view.h"

namespace holdfast::cli {

using codec::Value;

namespace {

Value run_value(const steward::PlanRun& run) {
  auto value = Value::object({{"before", triage_value(run.before)}});
  if (run.proposed) value.set("skipped", Value::list_of(run.left_alone));
  if (run.plan) value.set("plan", operation::plan_value(*run.plan));
  if (!run.operation.empty()) value.set("operation", run.operation);
  if (run.after) value.set("after", triage_value(*run.after));
  if (run.kept) value.set("kept", kept_value(*run.kept));
  return value;
}

}  // namespace

Value outcome_value(const steward::Outcome& outcome) {
  if (outcome.runs.empty()) return {};
  Value data = run_value(outcome.runs[0]);
  for (size_t i = 1; i < outcome.runs.size(); ++i) {
    const Value further = run_value(outcome.runs[i]);
    data.set("further", data["further"]).push(further);
    if (const auto* after = further.find("after")) data.set("after", *after);
    for (const auto& copy : further["kept"].items()) data.set("kept", data["kept"]).push(copy);
  }
  return data;
}

void print_dry_run(Output& out, const steward::Outcome& outcome) {
  const bool planned = !outcome.runs.empty() && outcome.runs[0].proposed && !outcome.runs[0].plan->steps.empty();
  if (planned) out.line("nothing was changed (--dry-run)");
}

Value kept_value(const std::vector<steward::KeptCopy>& kept) {
  Value::List list;
  for (const auto& copy : kept)
    list.push_back(Value::object(
        {{"member", copy.member}, {"type", copy.type}, {"snapshot", copy.snapshot}, {"restore", copy.restore}}));
  return Value(std::move(list));
}

void print_kept(Output& out, const std::string& operation, const std::vector<steward::KeptCopy>& kept) {
  if (kept.empty()) return;
  out.line();
  out.line(fmt::format("kept in the repository, as job={}:", operation));
  for (const auto& copy : kept)
    out.line(
        fmt::format("  {} of {}: {}", copy.type == "escrow" ? "data directory" : "dump", copy.member, copy.restore));
}

}  // namespace holdfast::cli
