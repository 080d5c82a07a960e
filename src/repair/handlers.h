// How the steps of a repair are done, undone and proved, on members that an agent runs.
#pragma once

#include <functional>
#include <memory>

#include "cluster/triage.h"
#include "operation/handler.h"
#include "provider/epoch.h"
#include "provider/member_access.h"

namespace holdfast::repair {

/// What the handlers need from outside; the caller of repair_handlers() says where it comes from.
struct HandlerServices {
  /// Observes the cluster now.
  std::function<cluster::TriageReport()> triage;
  /// Keeps a copy of a stopped member's data directory and reads it back: {snapshot, files, bytes}.
  using Escrow = std::function<Result<codec::Value>(const std::string& member, const std::string& folder,
                                                    const std::string& job, std::stop_token stop)>;
  Escrow escrow;
  /// Keeps a running member's dump and reads it back: {snapshot, path, position, bytes}, or {skipped: why it gave
  /// none}.
  using Dump =
      std::function<Result<codec::Value>(const std::string& member, const std::string& job, std::stop_token stop)>;
  Dump dump;
  /// Of the operation; whoever knows it first sets it, and every request to an agent carries it from then on.
  provider::CurrentEpoch epoch = std::make_shared<std::atomic<uint64_t>>(0);
};

/// Handlers of every kind of step plan_repair() and plan_bootstrap() make.
/// "provider.external" (refused) for a cluster whose servers we do not run.
Result<operation::HandlerMap> repair_handlers(const provider::ClusterMembers& cluster, HandlerServices services,
                                              std::stop_token stop);

}  // namespace holdfast::repair
