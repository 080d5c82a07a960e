#include "repo/tree_targets.h"

#include <dirent.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "repo/tree_access.h"
#include "sys/file.h"

namespace holdfast::repo {
namespace {

Status add_target(TargetPlan& plan, const std::string& target) {
  struct stat info{};
  if (::lstat(target.c_str(), &info) != 0) {
    plan.problems.push_back(fmt::format("{}: {}", target, std::strerror(errno)));
    log(LogLevel::info, "{}", plan.problems.back());
    return {};
  }
  std::vector<std::string> parts = split_path(target);
  std::erase(parts, "..");
  if (parts.empty()) {  // "." and "/": their entries
    DIR* directory = ::opendir(target.c_str());
    if (!directory) return fail(sys::errno_error(errno, "list " + target));
    std::vector<std::string> entries;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string name = entry->d_name;
      if (name != "." && name != "..") entries.push_back(name);
    }
    ::closedir(directory);
    for (const auto& name : entries) TRY_VOID(add_target(plan, target == "/" ? "/" + name : target + "/" + name));
    return {};
  }
  std::string path = target.starts_with('/') ? "" : target.substr(0, target.find(parts[0]));
  std::map<std::string, PlannedName>* level = &plan.roots;
  for (size_t i = 0; i < parts.size(); ++i) {
    path += i == 0 && !target.starts_with('/') ? parts[i] : "/" + parts[i];
    PlannedName& planned = (*level)[parts[i]];
    planned.path = path;
    if (planned.target) return {};  // inside a target that is there already
    if (i + 1 == parts.size()) {
      planned.target = true;
      planned.below.clear();
    }
    level = &planned.below;
  }
  return {};
}

// The path from the root, cleaned without following links, as the tree is.
std::string absolute_path(const std::string& target) {
  char directory[PATH_MAX];
  if (target.starts_with('/') || !::getcwd(directory, sizeof directory)) return target;
  std::vector<std::string> parts = split_path(directory);
  for (const auto& part : split_path(target)) {
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.push_back(part);
    }
  }
  std::string absolute;
  for (const auto& part : parts) absolute += "/" + part;
  return absolute.empty() ? "/" : absolute;
}

}  // namespace

Result<TargetPlan> plan_targets(const std::vector<std::string>& targets) {
  TargetPlan plan;
  for (const std::string& raw : targets) {
    std::string target = raw;
    while (target.size() > 1 && target.ends_with('/')) target.pop_back();
    if (target.empty()) return fail(ErrorClass::usage, "backup.no_target", "an empty path names nothing", "--tree DIR");
    TRY_VOID(add_target(plan, target));
    plan.absolute_paths.push_back(absolute_path(target));
  }
  std::sort(plan.absolute_paths.begin(), plan.absolute_paths.end());
  plan.absolute_paths.erase(std::unique(plan.absolute_paths.begin(), plan.absolute_paths.end()),
                            plan.absolute_paths.end());
  if (plan.roots.empty()) {
    return fail(ErrorClass::refused, "backup.no_target",
                plan.problems.empty() ? "there is nothing to back up" : plan.problems.front(),
                "check the path of --tree");
  }
  return plan;
}

}  // namespace holdfast::repo
