// holdfast repair: look, plan, show, and do what is proven to be safe; then what that has shown, if nobody need be
// asked.
#include "repair/plan.h"

#include <fmt/format.h>

#include "cli/carry_out.h"
#include "cli/cluster_options.h"
#include "cli/further_plans.h"
#include "cli/operation_handlers.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "repair/adopt.h"

namespace holdfast::cli {

using codec::Value;

namespace {

/// By name or by ordinal.
Result<int> ordinal_of(const cluster::DatabaseCluster& cluster, const std::string& wanted) {
  std::string known;
  for (const auto& member : cluster.members) {
    if (member.name.str() == wanted || std::to_string(member.ordinal) == wanted) return member.ordinal;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", member.ordinal, member.name.str());
  }
  return fail(ErrorClass::usage, "repair.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted),
              "one of: " + known);
}

}  // namespace

Exit run_repair(Context& context) {
  const Options& options = context.options;
  const auto cluster = TRY(selected_cluster(context));
  TRY_VOID(refuse_if_unfinished(context, cluster, "repair"));
  repair::Request request;
  if (const std::string wanted = options.text("instance"); !wanted.empty())
    request.ordinal = TRY(ordinal_of(cluster, wanted));
  request.has_repository = options.given("backups-path");
  request.no_escrow = options.flag("no-escrow");
  for (int looks = 1;; ++looks) {
    const auto before = look_at(cluster, context.stop);
    TRY_VOID(refuse_if_interrupted(context));
    print_triage(context.out, before, false);
    context.out.line();
    Account account(context.out);
    account.tell(Value::object({{"before", triage_value(before)}}));
    if (options.flag("adopt"))
      request.adoption = repair::survey_adoption(before, request.ordinal.value_or(-1), context.stop);
    auto work = TRY(plan_for(context, cluster, request, before));
    work.accepted = options.list("accept");
    work.last_look = [&]() -> Status {
      if (!request.adoption) return {};
      return repair::rehearse_adoption(before, *request.ordinal, *request.adoption, context.stop);
    };
    const bool asks = !work.plan.losses.empty() || !work.accepted.empty();
    repair::PlansTried tried;
    tried.add(work.plan);
    auto done = carry_out(context, cluster, std::move(work), [&](const Value& told) { account.tell(told); });
    // Nothing was begun. A plan that nobody had to agree to may be made anew.
    if (!done && done.error().id == "operation.plan_changed" && !asks && looks < 3) {
      context.out.note("meanwhile the cluster is no longer as it was seen: looking again");
      continue;
    }
    return request.adoption ? done
                            : mend_the_rest(context, cluster, request, std::move(account), tried, std::move(done));
  }
}

}  // namespace holdfast::cli
