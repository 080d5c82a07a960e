// Shows what the steward does as it does it: lines for people, events for programs. Accepts nothing that --accept did
// not.
#pragma once

#include <optional>

#include "cli/context.h"
#include "cli/signals.h"
#include "steward/observer.h"

namespace holdfast::cli {

class StewardObserver : public steward::Observer {
 public:
  /// `details`: plans with preconditions and proofs, refreshed reports with evidence.
  StewardObserver(Output& out, bool details) : out_(out), details_(details) {}
  explicit StewardObserver(const Context& context)
      : StewardObserver(context.out, context.options.count("verbose") > 0) {}

  void note(std::string_view text) override { out_.note(text); }
  void warning(const steward::Warning& warning) override { out_.warning(warning.id, warning.message); }
  void observed(steward::Observed when, const cluster::TriageReport& report) override;
  void refreshed(const cluster::TriageReport& report, bool changed) override;
  void plan_proposed(const steward::PlanRun& run) override;
  void operation_known(const std::string& id) override { out_.set_operation(id); }
  void step_event(const operation::Event& event) override;
  void copies_kept(const std::string& operation, const std::vector<steward::KeptCopy>& kept) override;
  void execution_started() override { shield_.emplace(); }
  void execution_ended() override { shield_.reset(); }

 private:
  Output& out_;
  const bool details_;
  std::optional<SignalShield> shield_;
};

}  // namespace holdfast::cli
