// holdfast inspect --fence: recovers the positions of crashed Galera members from InnoDB itself (may change files).
#include "steward/inspect.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/cluster_options.h"
#include "cli/steward_caller.h"
#include "cli/steward_observer.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"

namespace holdfast::cli {

using steward::MemberRecovery;

namespace {

using provider::RecoverStep;

std::string_view word(RecoverStep::Kind kind) {
  switch (kind) {
    case RecoverStep::Kind::recover:
      return "recovered";
    case RecoverStep::Kind::known:
      return "known";
    case RecoverStep::Kind::running:
      return "running";
    case RecoverStep::Kind::withheld:
      return "withheld";
  }
  return "?";
}

void print_recovery(Output& out, const std::vector<MemberRecovery>& members, bool dry_run) {
  size_t width = 0;
  for (const auto& m : members) width = std::max(width, m.step.member.str().size());
  for (const auto& m : members) {
    const auto& s = m.step;
    std::string text;
    if (m.error)
      text = "not recovered: " + m.error->to_string();
    else if (s.kind == RecoverStep::Kind::recover && (dry_run || !m.wanted))
      text = m.wanted ? "would be recovered: mariadbd --wsrep-recover" : "not recovered: not named by -i";
    else if (s.kind == RecoverStep::Kind::recover)
      text = fmt::format("{} (recovered by mariadbd --wsrep-recover)", s.position);
    else
      text = s.position.empty() ? "left alone: " + s.why : fmt::format("{} ({})", s.position, s.why);
    out.line(fmt::format("  {:{}}  {}", s.member.str(), width, text));
  }
  out.line();
}

codec::Value recovery_value(const std::vector<MemberRecovery>& members) {
  codec::Value list{codec::Value::List()};
  for (const auto& m : members)
    list.push(
        codec::Value::object({{"name", m.step.member.str()},
                              {"result", m.error     ? "failed"
                                         : !m.wanted ? "not_named"
                                                     : word(m.step.kind)},
                              {"position", m.step.position.empty() ? codec::Value() : codec::Value(m.step.position)},
                              {"why", m.error ? codec::Value(m.error->to_string()) : codec::Value(m.step.why)}}));
  return list;
}

}  // namespace

Exit run_inspect(Context& context) {
  const Options& options = context.options;
  if (!options.flag("fence"))
    return fail(ErrorClass::usage, "inspect.fence",
                "inspect runs crash recovery on stopped members, so it must be asked for with --fence",
                "holdfast triage looks without changing anything");
  const auto at_least_one = [](std::optional<int64_t> seconds, int64_t otherwise) {
    return std::chrono::seconds(std::max<int64_t>(1, seconds.value_or(otherwise)));
  };
  const auto cluster =
      steward::access_cluster(TRY(selected_cluster(context)), at_least_one(options.integer("member-timeout"), 5));
  StewardObserver observer(context);
  const steward::InspectRequest request{.member = options.text("instance"),
                                        .dry_run = options.flag("dry-run"),
                                        .limit = at_least_one(options.integer("timeout"), 300)};
  const auto outcome = steward::inspect_cluster(*cluster, request, steward_caller(context, observer));
  if (!outcome.report) return outcome.status;
  auto data = triage_value(*outcome.report);
  data.set("recovery", recovery_value(outcome.members));
  context.out.set_data(std::move(data));
  print_recovery(context.out, outcome.members, request.dry_run);
  print_triage(context.out, *outcome.report, options.count("verbose") > 0);
  for (const auto& m : outcome.members)
    if (m.error) return fail(Error(*m.error).with_context("recovering " + m.step.member.str()));
  return triage_verdict(*outcome.report);
}

}  // namespace holdfast::cli
