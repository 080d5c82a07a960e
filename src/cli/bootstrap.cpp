// holdfast bootstrap: the steward's bootstrap, with its plan and reports shown.
#include "steward/bootstrap.h"

#include "cli/cluster_options.h"
#include "cli/outcome_view.h"
#include "cli/steward_caller.h"
#include "cli/steward_observer.h"
#include "cli/verbs.h"

namespace holdfast::cli {

Exit run_bootstrap(Context& context) {
  const Options& options = context.options;
  const auto cluster = steward::access_cluster(TRY(selected_cluster(context)));
  StewardObserver observer(context);
  const steward::BootstrapRequest request{
      .dry_run = options.flag("dry-run"), .escrow = escrow_choice(options), .accepted = options.list("accept")};
  auto outcome = steward::bootstrap_cluster(*cluster, request, steward_caller(context, observer));
  context.out.set_data(outcome_value(outcome));
  if (request.dry_run) print_dry_run(context.out, outcome);
  return std::move(outcome.status);
}

}  // namespace holdfast::cli
