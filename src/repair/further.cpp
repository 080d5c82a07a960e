#include "repair/further.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/step_kinds.h"

namespace holdfast::repair {
namespace {

std::string key_of(const operation::Step& step) {
  return fmt::format("{} {} {}", step.kind, step.member, takes<kind::MakeSideCopy>(step).donor);
}

}  // namespace

void PlansTried::add(const operation::Plan& plan) {
  ++count_;
  for (const auto& step : plan.steps) done_.insert(key_of(step));
}

bool PlansTried::is_new(const operation::Plan& plan) const {
  return std::ranges::any_of(plan.steps, [&](const operation::Step& step) {
    return !is<kind::ProveMember>(step) && !done_.contains(key_of(step));
  });
}

bool stands_without_a_name(const cluster::TriageReport& report, Request request, const operation::Plan& plan) {
  if (!request.ordinal) return true;
  request.ordinal.reset();
  const auto unnamed = plan_repair(report, request);
  if (!unnamed) return false;
  std::set<std::string> done;
  for (const auto& step : unnamed->plan.steps) done.insert(key_of(step));
  return std::ranges::all_of(plan.steps, [&](const operation::Step& step) { return done.contains(key_of(step)); });
}

}  // namespace holdfast::repair
