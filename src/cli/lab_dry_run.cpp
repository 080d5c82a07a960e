#include "cli/lab_dry_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "lab/layout.h"

namespace holdfast::cli {

Result<bool> lab_would(Context& context, const std::string& what, const std::vector<std::string>& clusters,
                       const std::string& member) {
  if (!context.options.flag("dry-run")) return false;
  if (!clusters.empty()) TRY(lab::select_clusters(clusters));
  if (!member.empty()) {
    lab::Options options;
    options.state_dir = context.options.text("state-dir");
    const auto status = TRY(lab::status(options));
    std::vector<std::string> there;
    for (const auto& m : status.members) there.push_back(m.member);
    if (std::ranges::find(there, member) == there.end())
      return fail(ErrorClass::usage, "lab.no_member", "the lab has no member " + member,
                  there.empty() ? "holdfast lab up" : fmt::format("one of: {}", fmt::join(there, ", ")));
  }
  context.out.line(fmt::format("would {}; nothing was changed (--dry-run)", what));
  context.out.set_data(codec::Value::object({{"dryRun", true}, {"would", what}}));
  return true;
}

}  // namespace holdfast::cli
