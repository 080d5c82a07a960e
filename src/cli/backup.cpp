// holdfast backup: dispatches to the kind of source that was named.
#include <fmt/format.h>

#include "cli/backup_sources.h"
#include "cli/verbs.h"

namespace holdfast::cli {

Exit run_backup(Context& context) {
  const Options& options = context.options;
  const bool cluster = options.given("cluster"), standard_input = options.flag("stdin"),
             program = !options.program().empty(), tree = options.given("tree");
  const int sources = cluster + standard_input + program + tree;
  if (sources != 1) {
    return fail(ErrorClass::usage, "backup.source",
                sources == 0 ? "nothing to back up was named" : "more than one source was named",
                "name one of: -c CLUSTER, --stdin --path VPATH, --tree DIR, --path VPATH -- COMMAND");
  }
  if (!cluster && options.given("verify"))
    return fail(ErrorClass::usage, "backup.verify", "--verify is for clusters", "leave it out");
  if (tree) return backup_trees(context);
  if (program) return backup_program(context);
  if (standard_input) return backup_stdin(context);
  return backup_cluster(context);
}

}  // namespace holdfast::cli
