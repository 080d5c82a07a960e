#include "operation/world.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::operation {

using codec::Value;

namespace {

std::string shown(const Value* value) {
  if (!value) return "nothing";
  std::string text = canonical_json(*value);
  constexpr size_t kLimit = 120;
  if (text.size() > kLimit) text = text.substr(0, kLimit) + "...";
  return text;
}

void compare(const std::string& path, const Value* before, const Value* now, std::vector<WorldChange>& changes) {
  if (before && now && before->is_object() && now->is_object()) {
    const std::string prefix = path.empty() ? "" : path + "/";
    for (const auto& [name, member] : before->members()) compare(prefix + name, &member, now->find(name), changes);
    for (const auto& [name, member] : now->members()) {
      if (!before->find(name)) compare(prefix + name, nullptr, &member, changes);
    }
    return;
  }
  if (before && now && same_document(*before, *now)) return;
  changes.push_back({path, shown(before), shown(now)});
}

/// Whether `path` is `part` or lies below it. What lies above does not count: a whole member that went away is no
/// change of its role.
bool within(const std::string& path, const std::string& part) {
  return path == part || (path.starts_with(part) && path[part.size()] == '/');
}

}  // namespace

std::vector<WorldChange> world_changes(const Value& before, const Value& now) {
  std::vector<WorldChange> changes;
  compare("", &before, &now, changes);
  return changes;
}

std::vector<WorldChange> foreign_changes(const Plan& plan, const std::vector<std::string>& begun, const Value& now) {
  std::vector<WorldChange> changes = world_changes(plan.world, now);
  std::erase_if(changes, [&](const WorldChange& change) {
    return std::ranges::any_of(begun, [&](const std::string& id) {
      const Step* step = plan.find(id);
      return step && std::ranges::any_of(step->touches, [&](const auto& part) { return within(change.path, part); });
    });
  });
  return changes;
}

std::string changes_text(const std::vector<WorldChange>& changes) {
  std::string text;
  for (const auto& change : changes)
    text += fmt::format("{}{} was {}, is {}", text.empty() ? "" : "; ", change.path, change.was, change.is);
  return text;
}

}  // namespace holdfast::operation
