#include "cli/steward_observer.h"

#include "cli/outcome_view.h"
#include "cli/triage_view.h"

namespace holdfast::cli {

using codec::Value;
using operation::RecordType;

void StewardObserver::observed(steward::Observed when, const cluster::TriageReport& report) {
  if (when == steward::Observed::after) out_.line();
  print_triage(out_, report, false);
  if (when == steward::Observed::before) out_.line();
}

void StewardObserver::refreshed(const cluster::TriageReport& report, bool changed) {
  if (!out_.is_human()) {
    if (changed) out_.event("triage", triage_value(report));
  } else if (out_.streams().out_is_terminal) {
    out_.line("\x1b[H\x1b[2J");
    print_triage(out_, report, details_);
  } else if (changed) {
    print_triage(out_, report, details_);
    out_.line();
  }
}

void StewardObserver::plan_proposed(const steward::PlanRun& run) {
  if (run.further) {
    out_.line();
    out_.line("what is left now has a plan of its own:");
  }
  for (const auto& name : run.left_alone) out_.note("left alone: " + name);
  for (const auto& about : run.warnings) warning(about);
  out_.line(run.plan->steps.empty() ? "nothing to repair" : operation::plan_text(*run.plan, {.details = details_}));
}

void StewardObserver::step_event(const operation::Event& event) {
  out_.event(operation::record_type_name(event.type),
             Value::object({{"operation", event.operation},
                            {"step", event.step ? Value(event.step->id) : Value()},
                            {"error", event.error ? error_value(*event.error) : Value()}}));
  if (event.type == RecordType::begun) out_.note("operation " + event.operation);
  if (!event.step) return;
  if (event.type == RecordType::step_started) out_.note("  " + event.step->title);
  if (event.type == RecordType::step_done) {
    const auto text_of = [&](const char* key) { return event.result ? (*event.result)[key].text() : std::string(); };
    const std::string unproven = text_of("unproven"), remark = text_of("remark");
    out_.note(unproven.empty() ? "    proved: " + event.step->proof : "    not verified: " + unproven);
    if (!remark.empty()) out_.note("    but: " + remark);
  }
  if (event.type == RecordType::step_undo_started) out_.note("  undo: " + event.step->undo);
}

void StewardObserver::copies_kept(const std::string& operation, const std::vector<steward::KeptCopy>& kept) {
  print_kept(out_, operation, kept);
}

}  // namespace holdfast::cli
