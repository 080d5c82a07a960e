// holdfast operations list, show, resume, undo, abandon.
#include "operation/operations.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/kept_copies.h"
#include "cli/operation_handlers.h"
#include "cli/signals.h"
#include "cli/verbs.h"

namespace holdfast::cli {

using codec::Value;
using operation::StoredOperation;
using operation::Summary;

namespace {

Color color_of(const std::string& state) {
  if (state == "done") return Color::green;
  if (state == "unfinished" || state == "damaged") return Color::red;
  return state == "running" ? Color::yellow : Color::none;
}

std::string dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

/// "not over yet: undoing stop-a", "error: ..."
std::string remark(const Summary& summary) {
  if (!summary.damage.empty()) return "damaged: " + summary.damage;
  if (summary.state != "running" && summary.state != "unfinished") return summary.error;
  std::string text = fmt::format("{}{}", summary.undoing ? "undoing " : "at ", dash(summary.step));
  if (summary.past_no_return) text += ", past the point of no return";
  if (!summary.error.empty()) text += ": " + summary.error;
  return text;
}

Value operation_document(const Summary& summary, const StoredOperation& stored, const std::string& repository = {}) {
  Value document = operation::summary_value(summary);
  document.set("plan", stored.plan ? operation::plan_value(*stored.plan) : Value());
  Value::List records, steps;
  for (const auto& record : stored.records) records.push_back(operation::record_value(record));
  if (stored.plan) {
    if (const auto state = operation::operation_state(*stored.plan, stored.records)) {
      for (size_t i = 0; i < stored.plan->steps.size(); ++i) {
        steps.push_back(Value::object({{"id", stored.plan->steps[i].id},
                                       {"state", operation::step_state_name(state->steps[i].state)},
                                       {"before", state->steps[i].before},
                                       {"progress", state->steps[i].progress},
                                       {"result", state->steps[i].result.value_or(Value())}}));
      }
    }
  }
  document.set("steps", Value(std::move(steps)));
  document.set("journal", Value(std::move(records)));
  document.set("tornTail", stored.torn);
  document.set("kept", kept_value(kept_copies(stored, repository)));
  return document;
}

void print_steps(Output& out, const StoredOperation& stored) {
  const auto state = operation::operation_state(*stored.plan, stored.records);
  if (!state) return;
  Table table({"", "STEP", "MEMBER", "STATE", "WHAT"});
  for (size_t i = 0; i < stored.plan->steps.size(); ++i) {
    const auto& step = stored.plan->steps[i];
    const auto& result = state->steps[i].result;
    const bool unproven = result && !(*result)["unproven"].text().empty();
    table.row({std::to_string(i + 1), step.id, dash(step.member),
               std::string(operation::step_state_name(state->steps[i].state)) + (unproven ? ", not proved" : ""),
               step.title + (step.point_of_no_return ? " (point of no return)" : "")});
  }
  table.print(out);
}

void print_journal(Output& out, const StoredOperation& stored) {
  Table table({"TIME", "RECORD", "STEP", "SAYS"});
  for (const auto& record : stored.records) {
    std::string says = record.error            ? record.error->to_string()
                       : record.data.is_null() ? ""
                                               : codec::to_json(record.data);
    if (says.size() > 100 && !out.is_wide()) says = says.substr(0, 97) + "...";
    table.row({record.time, std::string(operation::record_type_name(record.type)), record.step, says});
  }
  table.print(out);
}

/// What resume and undo are asked to do, found and shown.
struct Asked {
  std::string state_dir, id;
  StoredOperation stored;
  Summary summary;
};
Result<Asked> asked(Context& context) {
  Asked asked;
  asked.state_dir = state_dir_of(context);
  asked.id = TRY(operation::find_operation(asked.state_dir, context.options.positionals().at(0)));
  asked.stored = TRY(operation::read_operation(asked.state_dir, asked.id));
  asked.summary = operation::summarise(asked.state_dir, asked.stored);
  context.out.set_operation(asked.id);
  return asked;
}

Result<operation::Executor> executor_for(Context& context, const Asked& asked) {
  operation::ExecutorOptions options;
  options.state_dir = asked.state_dir;
  options.stop = context.stop;
  if (!asked.stored.plan || !asked.stored.damage.empty())
    return operation::Executor(std::move(options));  // it will refuse
  OperationSupport support = TRY(operation_handlers(context, *asked.stored.plan));
  options.handlers = std::move(support.handlers);
  options.min_epoch = support.min_epoch;
  options.fence = std::move(support.fence);
  options.world_now = std::move(support.world_now);
  options.on_event = [&out = context.out](const operation::Event& event) { tell_event(out, event); };
  return operation::Executor(std::move(options));
}

Status refuse_if_over(const Asked& asked) {
  const auto& state = asked.summary.state;
  if (state == "unfinished" || state == "running" || state == "damaged") return {};
  return fail(ErrorClass::refused, "operation.over", fmt::format("operation {} is over: {}", asked.id, state),
              "holdfast operations show " + asked.id);
}

/// --accept of a verb that knows one name; "" or the name, and an error for any other.
Result<bool> accepts(Context& context, const std::string& name) {
  const auto given = context.options.list("accept");
  for (const auto& other : given) {
    if (other != name)
      return fail(ErrorClass::usage, "operation.acceptance_not_needed",
                  fmt::format("--accept={} is not needed here", other),
                  fmt::format("only --accept={} has a meaning here", name));
  }
  return !given.empty();
}

Exit finished(Context& context, const Asked& asked, const Result<operation::Report>& report) {
  if (report) context.out.line(fmt::format("operation {} is {}", report->id, operation::phase_name(report->phase)));
  if (const auto stored = operation::read_operation(asked.state_dir, asked.id)) {
    const Summary summary = operation::summarise(asked.state_dir, *stored);
    const std::string repository = context.options.text("backups-path");
    context.out.set_data(operation_document(summary, *stored, repository));
    print_kept(context.out, asked.id, kept_copies(*stored, repository));
  }
  if (!report) return fail(report.error());
  return {};
}

/// --dry-run of resume and undo.
Exit would(Context& context, const Asked& asked, std::string_view what) {
  context.out.set_data(operation_document(asked.summary, asked.stored));
  if (!asked.stored.plan) return {};
  context.out.line(fmt::format("would {} operation {} ({} of {}), {}", what, asked.id, asked.summary.verb,
                               asked.summary.cluster, remark(asked.summary)));
  if (context.out.is_human()) print_steps(context.out, asked.stored);
  return {};
}

}  // namespace

Exit run_operations_list(Context& context) {
  const std::string cluster = context.options.text("cluster");
  Value::List values;
  Table table({"ID", "CLUSTER", "VERB", "STATE", "STARTED", "ENDED", "PLAN", "REMARK"});
  for (const Summary& summary : TRY(operation::list_operations(state_dir_of(context)))) {
    const auto slash = summary.cluster.find('/');
    if (!cluster.empty() && summary.cluster != cluster && summary.cluster.substr(slash + 1) != cluster) continue;
    const bool open = summary.state == "running" || summary.state == "unfinished" || summary.state == "damaged";
    if (context.options.flag("unfinished") && !open) continue;
    values.push_back(operation::summary_value(summary));
    std::string says = remark(summary);
    if (says.size() > 60 && !context.out.is_wide()) says = says.substr(0, 57) + "...";
    table.row({summary.id, dash(summary.cluster), dash(summary.verb),
               context.out.paint(color_of(summary.state), summary.state), dash(summary.started), dash(summary.ended),
               dash(summary.plan_hash), says});
  }
  context.out.set_data(Value::object({{"operations", Value(std::move(values))}}));
  if (table.empty()) {
    context.out.line("no operations");
  } else {
    table.print(context.out);
  }
  return {};
}

Exit run_operations_show(Context& context) {
  const Asked it = TRY(asked(context));
  const Summary& summary = it.summary;
  context.out.set_data(operation_document(summary, it.stored));
  if (!context.out.is_human()) return {};
  context.out.line(fmt::format("operation {}: {} of {}, {}", it.id, dash(summary.verb), dash(summary.cluster),
                               context.out.paint(color_of(summary.state), summary.state)));
  context.out.line(fmt::format("started {}, ended {}, plan {}", dash(summary.started), dash(summary.ended),
                               dash(summary.plan_hash)));
  if (const std::string says = remark(summary); !says.empty()) context.out.line(says);
  if (summary.owner)
    context.out.line(fmt::format("running in process {} on {}", summary.owner->pid, summary.owner->host));
  context.out.line();
  if (it.stored.plan) {
    print_steps(context.out, it.stored);
    for (const auto& loss : it.stored.plan->losses) context.out.line(fmt::format("lost with it: {}", loss.what));
    context.out.line();
  }
  print_journal(context.out, it.stored);
  print_kept(context.out, it.id, kept_copies(it.stored, {}));
  if (it.stored.torn) context.out.line("the last record was cut off while it was written; nobody acted upon it");
  if (summary.state == "unfinished") {
    context.out.line();
    context.out.line(fmt::format("next: holdfast operations resume {}", it.id));
    if (!summary.past_no_return && !summary.undoing)
      context.out.line(fmt::format("  or: holdfast operations undo {}", it.id));
  }
  return {};
}

Exit run_operations_resume(Context& context) {
  const Asked it = TRY(asked(context));
  TRY_VOID(refuse_if_over(it));
  const bool changed_world = TRY(accepts(context, "changed-world:" + it.id));
  operation::Executor executor = TRY(executor_for(context, it));
  if (context.options.flag("dry-run")) return would(context, it, "go on with");
  const SignalShield shield;
  return finished(context, it, executor.resume(it.id, changed_world));
}

Exit run_operations_undo(Context& context) {
  const Asked it = TRY(asked(context));
  TRY_VOID(refuse_if_over(it));
  operation::Executor executor = TRY(executor_for(context, it));
  if (context.options.flag("dry-run")) return would(context, it, "undo");
  const SignalShield shield;
  return finished(context, it, executor.undo(it.id));
}

Exit run_operations_abandon(Context& context) {
  const Asked it = TRY(asked(context));
  TRY_VOID(refuse_if_over(it));
  const std::string name = "abandon:" + it.id;
  if (!TRY(accepts(context, name))) {
    return fail(ErrorClass::refused, "operation.not_accepted",
                fmt::format("operation {} would be closed as it is, {}", it.id, remark(it.summary)),
                fmt::format("once its cluster is right: holdfast operations abandon {} --accept={}", it.id, name));
  }
  if (context.options.flag("dry-run")) return would(context, it, "abandon");
  operation::ExecutorOptions options;
  options.state_dir = it.state_dir;
  TRY_VOID(operation::Executor(std::move(options)).abandon(it.id));
  context.out.line(fmt::format("operation {} is abandoned", it.id));
  return {};
}

}  // namespace holdfast::cli
