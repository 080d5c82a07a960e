// A plan as people read it.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/units.h"
#include "operation/plan.h"

namespace holdfast::operation {

std::string plan_text(const Plan& plan, const PlanTextOptions& options) {
  const auto about = [](uint64_t seconds) {
    if (seconds < 60) return fmt::format("about {}s", seconds);
    return "about " + human_span(std::chrono::duration<double>(seconds));
  };
  uint64_t total = 0;
  for (const Step& step : plan.steps) total += step.expected_seconds;
  const std::string hash = short_hash(plan);
  std::string text = fmt::format("plan {}: {} of {}, {} step{}, {}\n", hash, plan.verb, plan.cluster, plan.steps.size(),
                                 plan.steps.size() == 1 ? "" : "s", about(total));
  size_t number = 0;
  for (const Step& step : plan.steps) {
    if (step.point_of_no_return) text += "  --- point of no return: from here on nothing is undone ---\n";
    text += fmt::format("{:>3}. {}  [{}{}{}, {}]\n", ++number, step.title, step.member, step.member.empty() ? "" : ", ",
                        step.id, about(step.expected_seconds));
    if (options.details) {
      for (const auto& condition : step.preconditions) text += fmt::format("       needs: {}\n", condition);
    }
    text += fmt::format("       undo:  {}\n", step.undo.empty() ? "none" : step.undo);
    if (options.details && !step.proof.empty()) text += fmt::format("       proof: {}\n", step.proof);
  }
  for (const bool adds : {true, false}) {
    const auto of_kind = [&](const Loss& loss) { return loss.adds() == adds; };
    if (std::ranges::none_of(plan.losses, of_kind)) {
      if (!adds) text += "nothing is lost\n";
      continue;
    }
    text += adds ? "will be written and stay:\n" : "will be lost:\n";
    for (const Loss& loss : plan.losses)
      if (of_kind(loss))
        text += fmt::format("  - {}\n    to accept it: --accept={}@{}\n", loss.what, loss.acceptance, hash);
  }
  return text;
}

}  // namespace holdfast::operation
