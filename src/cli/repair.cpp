// holdfast repair: the steward's repair, with its plans and reports shown.
#include "steward/repair.h"

#include <fmt/format.h>

#include "base/units.h"
#include "cli/cluster_options.h"
#include "cli/outcome_view.h"
#include "cli/steward_caller.h"
#include "cli/steward_observer.h"
#include "cli/verbs.h"

namespace holdfast::cli {

namespace {

/// Bytes a second; 0 where none is named.
Result<uint64_t> copy_rate(const Options& options) {
  const std::string text = options.text("copy-rate");
  if (text.empty()) return 0;
  const auto rate = parse_size(text);
  if (rate && *rate >= (1 << 20)) return *rate;
  return fail(ErrorClass::usage, "repair.copy_rate", fmt::format("--copy-rate {}: at least 1M (a second)", text),
              "--copy-rate 50M");
}

}  // namespace

Exit run_repair(Context& context) {
  const Options& options = context.options;
  const auto cluster = steward::access_cluster(TRY(selected_cluster(context)));
  StewardObserver observer(context);
  const steward::RepairRequest request{.member = options.text("instance"),
                                       .adopt = options.flag("adopt"),
                                       .dry_run = options.flag("dry-run"),
                                       .escrow = escrow_choice(options),
                                       .copy_rate = TRY(copy_rate(options)),
                                       .accepted = options.list("accept")};
  auto outcome = steward::repair_cluster(*cluster, request, steward_caller(context, observer));
  context.out.set_data(outcome_value(outcome));
  if (request.dry_run) print_dry_run(context.out, outcome);
  return std::move(outcome.status);
}

}  // namespace holdfast::cli
