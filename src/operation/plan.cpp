#include "operation/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codec/hex.h"
#include "crypto/sha256.h"

namespace holdfast::operation {

using codec::Value;

namespace {

Value sorted(const Value& value) {
  if (value.is_list()) {
    Value::List items;
    for (const Value& item : value.items()) items.push_back(sorted(item));
    return Value(std::move(items));
  }
  if (value.is_object()) {
    Value::Object members;
    for (const auto& [name, member] : value.members()) members.emplace_back(name, sorted(member));
    std::stable_sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return Value(std::move(members));
  }
  return value;
}

}  // namespace

const Step* Plan::find(std::string_view id) const {
  for (const Step& step : steps) {
    if (step.id == id) return &step;
  }
  return nullptr;
}

Status check_plan(const Plan& plan) {
  const auto bad = [](const std::string& why) {
    return fail(ErrorClass::bug, "operation.bad_plan", "the plan is not valid: " + why);
  };
  if (plan.verb.empty()) return bad("it has no verb");
  if (plan.cluster.find('/') == std::string::npos) return bad("its cluster has no full name: '" + plan.cluster + "'");
  if (plan.steps.empty()) return bad("it has no steps");
  if (!plan.world.is_object()) return bad("it does not say which state of the cluster it was made for");
  std::set<std::string> ids;
  bool past = false;
  for (const Step& step : plan.steps) {
    if (step.id.empty() || step.kind.empty() || step.title.empty()) return bad("a step without id, kind or title");
    if (!ids.insert(step.id).second) return bad("two steps are called " + step.id);
    if (step.point_of_no_return && past) return bad("it has two points of no return, the second is " + step.id);
    past = past || step.point_of_no_return;
    if (!past && step.undo.empty())
      return bad(fmt::format("step {} cannot be undone, but is before the point of no return", step.id));
  }
  std::set<std::string> names;
  for (const Loss& loss : plan.losses) {
    if (loss.what.empty() || loss.acceptance.empty()) return bad("a loss without a sentence or a name to accept it");
    if (loss.acceptance.find_first_of("@, \n\t") != std::string::npos)
      return bad("no acceptance can be called '" + loss.acceptance + "'");
    if (!names.insert(loss.acceptance).second) return bad("two losses share the acceptance " + loss.acceptance);
  }
  return {};
}

std::string canonical_json(const Value& value) {
  return codec::to_json(sorted(value));
}

bool same_document(const Value& a, const Value& b) {
  return canonical_json(a) == canonical_json(b);
}

std::string plan_hash(const Plan& plan) {
  return plan_value(plan)["hash"].text();  // `created` is not part of it
}

std::string short_hash(const Plan& plan) {
  return plan_hash(plan).substr(0, 12);
}

}  // namespace holdfast::operation
