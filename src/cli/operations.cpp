// holdfast operations list, show, resume, undo, abandon.
#include <fmt/format.h>

#include "cli/cluster_options.h"
#include "cli/outcome_view.h"
#include "cli/steward_caller.h"
#include "cli/steward_observer.h"
#include "cli/verbs.h"
#include "steward/resume.h"

namespace holdfast::cli {

using codec::Value;
using operation::StoredOperation;
using operation::Summary;
using steward::state_text;

namespace {

Color color_of(const std::string& state) {
  if (state == "done") return Color::green;
  if (state == "unfinished" || state == "damaged") return Color::red;
  return state == "running" ? Color::yellow : Color::none;
}

std::string dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

Value operation_document(const steward::FoundOperation& found, const std::string& repository = {}) {
  const StoredOperation& stored = found.stored;
  Value document = operation::summary_value(found.summary);
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
  document.set("kept", kept_value(steward::kept_copies(stored, repository)));
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
               std::string(operation::step_state_name(state->steps[i].state)) + (unproven ? ", not verified" : ""),
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

steward::OperationRequest request_of(const Options& options) {
  steward::OperationRequest request{.operation = options.positionals().at(0), .dry_run = options.flag("dry-run")};
  if (options.has("accept")) request.accepted = options.list("accept");
  if (options.has("backups-path")) request.repository = options.text("backups-path");
  return request;
}

/// The cluster must be known to this command line.
steward::FindCluster find_cluster(Context& context) {
  return [&context](const operation::Plan& plan) -> Result<std::shared_ptr<steward::ClusterAccess>> {
    for (auto& cluster : TRY(known_clusters(context)))
      if (cluster.full_name() == plan.cluster) return steward::access_cluster(std::move(cluster));
    return fail(ErrorClass::usage, "cluster.not_found", "the cluster " + plan.cluster + " is not known here",
                "--config names the file with it");
  };
}

/// How resume and undo end.
Exit show_end(Context& context, const steward::OperationOutcome& outcome) {
  if (outcome.report)
    context.out.line(
        fmt::format("operation {} is {}", outcome.report->id, operation::phase_name(outcome.report->phase)));
  if (outcome.after) {
    context.out.set_data(operation_document(*outcome.after, context.options.text("backups-path")));
    print_kept(context.out, outcome.after->id, outcome.kept);
  }
  return outcome.status;
}

/// --dry-run of resume, undo and abandon.
Exit show_dry_run(Context& context, const steward::OperationOutcome& outcome, std::string_view what) {
  if (!outcome.status) return outcome.status;
  const auto& it = *outcome.before;
  context.out.set_data(operation_document(it));
  if (!it.stored.plan) return {};
  context.out.line(fmt::format("would {} operation {} ({} of {}), {}", what, it.id, it.summary.verb, it.summary.cluster,
                               state_text(it.summary)));
  if (context.out.is_human()) print_steps(context.out, it.stored);
  return {};
}

}  // namespace

Exit run_operations_list(Context& context) {
  const std::string cluster = context.options.text("cluster");
  Value::List values;
  Table table({"ID", "CLUSTER", "VERB", "STATE", "STARTED", "ENDED", "PLAN", "REMARK"});
  for (const Summary& summary : TRY(operation_store(context)->list())) {
    const auto slash = summary.cluster.find('/');
    if (!cluster.empty() && summary.cluster != cluster && summary.cluster.substr(slash + 1) != cluster) continue;
    if (context.options.flag("unfinished") && !summary.open()) continue;
    values.push_back(operation::summary_value(summary));
    std::string says = state_text(summary);
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
  const auto it =
      TRY(steward::find_operation(steward::Operations(operation_store(context)), context.options.positionals().at(0)));
  const Summary& summary = it.summary;
  context.out.set_operation(it.id);
  context.out.set_data(operation_document(it));
  if (!context.out.is_human()) return {};
  context.out.line(fmt::format("operation {}: {} of {}, {}", it.id, dash(summary.verb), dash(summary.cluster),
                               context.out.paint(color_of(summary.state), summary.state)));
  context.out.line(fmt::format("started {}, ended {}, plan {}", dash(summary.started), dash(summary.ended),
                               dash(summary.plan_hash)));
  if (const std::string says = state_text(summary); !says.empty()) context.out.line(says);
  if (summary.owner)
    context.out.line(fmt::format("running in process {} on {}", summary.owner->pid, summary.owner->host));
  context.out.line();
  if (it.stored.plan) {
    print_steps(context.out, it.stored);
    for (const auto& loss : it.stored.plan->losses) context.out.line(fmt::format("lost with it: {}", loss.what));
    context.out.line();
  }
  print_journal(context.out, it.stored);
  print_kept(context.out, it.id, steward::kept_copies(it.stored, {}));
  if (it.stored.torn)
    context.out.line("the last record was cut off while it was written; nothing was done because of it");
  if (summary.state == "unfinished") {
    context.out.line();
    context.out.line(fmt::format("next: holdfast operations resume {}", it.id));
    if (!summary.past_no_return && !summary.undoing)
      context.out.line(fmt::format("  or: holdfast operations undo {}", it.id));
  }
  return {};
}

Exit run_operations_resume(Context& context) {
  StewardObserver observer(context);
  const auto request = request_of(context.options);
  const auto outcome = steward::resume_operation(request, find_cluster(context), steward_caller(context, observer));
  return request.dry_run ? show_dry_run(context, outcome, "resume") : show_end(context, outcome);
}

Exit run_operations_undo(Context& context) {
  StewardObserver observer(context);
  const auto request = request_of(context.options);
  const auto outcome = steward::undo_operation(request, find_cluster(context), steward_caller(context, observer));
  return request.dry_run ? show_dry_run(context, outcome, "undo") : show_end(context, outcome);
}

Exit run_operations_abandon(Context& context) {
  StewardObserver observer(context);
  const auto request = request_of(context.options);
  const auto outcome = steward::abandon_operation(request, steward_caller(context, observer));
  if (request.dry_run || !outcome.status) return show_dry_run(context, outcome, "abandon");
  context.out.line(fmt::format("operation {} is abandoned", outcome.before->id));
  return {};
}

}  // namespace holdfast::cli
