// A caller of the steward that writes down what it is shown and asked.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <vector>

#include "steward/observer.h"

namespace holdfast::test {

class RecordingObserver : public steward::Observer {
 public:
  /// In the order they came:
  ///   "note: TEXT", "warning: ID"
  ///   "before: healthy" or "before: SENTENCE"; after, settled, refreshed, "refreshed, changed" likewise
  ///   "plan: start-m1 prove-m1" ("further plan: ..." behind another), "asked: ERROR ID", "operation"
  ///   "begun", "step_started start-m1", "done", ...; "execution started", "execution ended", "kept: 1"
  std::vector<std::string> seen;
  /// What it answers to a question; called with the plan.
  std::function<std::vector<std::string>(const operation::Plan&)> answer;
  /// Called after each line.
  std::function<void(const std::string& line)> on_line;

  std::vector<operation::Plan> plans;   ///< proposed
  std::vector<std::string> operations;  ///< known
  std::vector<cluster::TriageReport> reports;

  /// Lines that begin so.
  std::vector<std::string> lines(std::string_view prefix) const {
    std::vector<std::string> found;
    for (const auto& line : seen)
      if (line.starts_with(prefix)) found.push_back(line);
    return found;
  }
  size_t count(std::string_view prefix) const { return lines(prefix).size(); }
  std::string all() const { return fmt::format("{}", fmt::join(seen, "\n")); }

  void note(std::string_view text) override { add(fmt::format("note: {}", text)); }
  void warning(const steward::Warning& warning) override { add("warning: " + warning.id); }
  void observed(steward::Observed when, const cluster::TriageReport& report) override {
    const char* kNames[] = {"before", "after", "settled"};
    show(kNames[static_cast<size_t>(when)], report);
  }
  void refreshed(const cluster::TriageReport& report, bool changed) override {
    show(changed ? "refreshed, changed" : "refreshed", report);
  }
  void plan_proposed(const steward::PlanRun& run) override {
    plans.push_back(*run.plan);
    add((run.further ? "further plan:" : "plan:") + ids_of(*run.plan));
  }
  std::vector<std::string> ask_acceptance(const operation::Plan& plan, const Error& refusal) override {
    add("asked: " + refusal.id);
    return answer ? answer(plan) : std::vector<std::string>{};
  }
  void operation_known(const std::string& id) override {
    operations.push_back(id);
    add("operation");
  }
  void step_event(const operation::Event& event) override {
    add(fmt::format("{}{}{}", operation::record_type_name(event.type), event.step ? " " : "",
                    event.step ? event.step->id : ""));
  }
  void copies_kept(const std::string&, const std::vector<steward::KeptCopy>& kept) override {
    add(fmt::format("kept: {}", kept.size()));
  }
  void execution_started() override { add("execution started"); }
  void execution_ended() override { add("execution ended"); }

  /// " start-m1 prove-m1"
  static std::string ids_of(const operation::Plan& plan) {
    std::string ids;
    for (const auto& step : plan.steps) ids += " " + step.id;
    return ids;
  }
  /// Everything the plan loses, accepted for it alone.
  static std::vector<std::string> accept_all(const operation::Plan& plan) {
    std::vector<std::string> accepted;
    for (const auto& loss : plan.losses) accepted.push_back(loss.acceptance + "@" + operation::short_hash(plan));
    return accepted;
  }

 private:
  void show(const char* when, const cluster::TriageReport& report) {
    reports.push_back(report);
    add(fmt::format("{}: {}", when, report.healthy ? "healthy" : report.sentence));
  }
  void add(std::string line) {
    seen.push_back(std::move(line));
    if (on_line) on_line(seen.back());
  }
};

}  // namespace holdfast::test
