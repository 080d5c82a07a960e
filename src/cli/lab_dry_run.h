// --dry-run of the lab's commands: names are looked at, and nothing is started, damaged or removed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/context.h"

namespace holdfast::cli {

/// Says "would WHAT" when --dry-run was given, and then the caller is done. "lab.no_cluster", "lab.no_member" (usage)
/// for a cluster the lab cannot have or a member it has not; no member is looked for when `member` is empty.
Result<bool> lab_would(Context& context, const std::string& what, const std::vector<std::string>& clusters,
                       const std::string& member = {});

}  // namespace holdfast::cli
