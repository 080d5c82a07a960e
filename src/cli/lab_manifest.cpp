// holdfast lab manifest.
#include <fmt/format.h>

#include "cli/cluster_options.h"
#include "cli/verbs.h"
#include "engine/members.h"
#include "lab/content.h"

namespace holdfast::cli {

Exit run_lab_manifest(Context& context) {
  const auto cluster = TRY(selected_cluster(context));
  const auto target_of = TRY(targets_of(context, cluster));
  const std::string wanted = context.options.text("instance");
  for (const auto& member : cluster.members) {
    if (member.name.str() != wanted && std::to_string(member.ordinal) != wanted) continue;
    const auto target = TRY(target_of(member, Deadline::in(engine::kMemberPatience), context.stop));
    const auto content = TRY(lab::content_of(cluster.engine, target));
    codec::Value::Object tables;
    for (const auto& [name, value] : content) {
      tables.emplace_back(name, value);
      context.out.line(fmt::format("{} {}", name, value));
    }
    context.out.set_data(
        codec::Value::object({{"member", member.name.str()}, {"content", codec::Value(std::move(tables))}}));
    return {};
  }
  return fail(ErrorClass::usage, "engine.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted));
}

}  // namespace holdfast::cli
