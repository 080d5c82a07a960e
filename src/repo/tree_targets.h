// Where the targets of a tree backup hang in its snapshot.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::repo {

/// A name on the way to a target, or a target itself.
struct PlannedName {
  std::string path;  ///< on this machine
  bool target = false;
  std::map<std::string, PlannedName> below;  ///< if not a target

  /// The directory it is in; empty: the working directory.
  std::string above() const {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash == 0 ? 1 : slash);
  }
};

struct TargetPlan {
  std::map<std::string, PlannedName> roots;  ///< the snapshot's top directory
  std::vector<std::string> absolute_paths;   ///< the targets, cleaned without following links, sorted; for the snapshot
  std::vector<std::string> problems;         ///< targets that are not there, and why
};

/// Plans `targets` (files or directories): absolute paths keep their parents, relative ones start at their first name,
/// "." and "/" mean their entries. A target inside another one is that one's. Without anything to back up:
/// "backup.no_target".
Result<TargetPlan> plan_targets(const std::vector<std::string>& targets);

}  // namespace holdfast::repo
