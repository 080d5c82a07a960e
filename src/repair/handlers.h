// How the steps of a repair are done, undone and proved, on members that an agent runs.
#pragma once

#include <functional>
#include <memory>

#include "cluster/triage.h"
#include "operation/handler.h"

namespace holdfast::repair {

/// Handlers of every kind of step plan_repair() and plan_bootstrap() make. `triage` looks at the cluster afresh (for
/// prove_member). "provider.external" (refused) for a cluster whose servers we do not run.
Result<operation::HandlerMap> repair_handlers(const cluster::DatabaseCluster& cluster,
                                              std::function<cluster::TriageReport()> triage, std::stop_token stop);

}  // namespace holdfast::repair
