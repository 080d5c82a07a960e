// What repair and bootstrap share: a plan is shown, carried out under a journal, and judged by a look at its end.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "cli/context.h"
#include "cluster/triage.h"
#include "codec/value.h"
#include "operation/plan.h"

namespace holdfast::cli {

struct Work {
  cluster::TriageReport before;  ///< what the plan was made from
  operation::Plan plan;
  std::vector<std::string> left_alone;  ///< what it does not mend, and why
  std::vector<std::string> remarks = {};
  std::vector<std::string> accepted = {};  ///< as given by --accept
  std::function<Status()> last_look = {};  ///< may refuse what was accepted, before anything begins
};

cluster::TriageReport look_at(const cluster::DatabaseCluster& cluster, std::stop_token stop = {});

/// "cli.interrupted" after a signal.
Status refuse_if_interrupted(const Context& context);

/// Shows the plan and, unless --dry-run, carries it out; looks again at the end. "repair.partial" (partial) when all
/// was done and the cluster is not healthy. `tell` is called with what is known so far, for the envelope's `data`:
/// {before, skipped, plan}, and once it is carried out {operation, after, kept} too.
Exit carry_out(Context& context, const cluster::DatabaseCluster& cluster, Work work,
               const std::function<void(const codec::Value&)>& tell);

}  // namespace holdfast::cli
