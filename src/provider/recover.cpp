#include "provider/recover.h"

namespace holdfast::provider {

using cluster::StoredFacts;

std::vector<RecoverStep> plan_recovery(const cluster::TriageReport& report) {
  std::vector<RecoverStep> steps;
  for (const auto& m : report.members) {
    const auto& f = m.facts;
    RecoverStep step{f.member, RecoverStep::Kind::withheld, "", ""};
    const bool runs =
        f.reachable() || (!f.runtime.state.empty() && f.runtime.state != "stopped" && f.runtime.state != "failed");
    if (runs) {
      step.kind = RecoverStep::Kind::running;
      step.position = f.executed;
      step.why = f.reachable() ? "its server runs" : "its server is " + f.runtime.state;
    } else if (f.agent.answers != true) {
      step.why = "no agent answers: nothing can be run there";
    } else if (!f.stored) {
      step.why = "its data directory could not be looked at";
    } else if (f.stored->data != StoredFacts::Data::present) {
      step.why = f.stored->why.empty() ? "it holds no data" : f.stored->why;
    } else if (!f.stored->aborted_transfer.empty()) {
      step.why = "a state transfer was cut short: what it holds is not a member's history";
    } else if (f.stored->lineage == "00000000-0000-0000-0000-000000000000") {
      step.why = "its grastate.dat has no history: what InnoDB says would be a number without a meaning";
    } else if (!f.stored->position.empty()) {
      step.kind = RecoverStep::Kind::known;
      step.position = f.stored->position;
      step.why = f.stored->position_source == "recovered" ? "recovered before" : "grastate.dat, from a clean stop";
    } else if (f.stored->seqno == -1) {
      step.kind = RecoverStep::Kind::recover;
    } else {
      step.why = f.stored->position_unknown;
    }
    steps.push_back(std::move(step));
  }
  return steps;
}

}  // namespace holdfast::provider
