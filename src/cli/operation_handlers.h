// From the verb of a plan to what can carry it out: used by `operations resume` and `operations undo`, whatever began
// it.
#pragma once

#include <functional>
#include <map>
#include <string_view>

#include "cli/context.h"
#include "cluster/triage.h"
#include "operation/executor.h"
#include "provider/epoch.h"

namespace holdfast::cli {

struct OperationSupport {
  operation::HandlerMap handlers;
  uint64_t min_epoch = 0;                           ///< highest epoch the members know
  std::function<Status(uint64_t epoch)> fence;      ///< see ExecutorOptions
  std::function<Result<codec::Value>()> world_now;  ///< facts as in Plan::world
};

using OperationFactory = Result<OperationSupport> (*)(Context&, const operation::Plan&);

/// Verb -> factory; a verb that makes plans adds its line here.
const std::map<std::string_view, OperationFactory>& operation_factories();

// The verbs there are.
Result<OperationSupport> repair_support(Context& context, const operation::Plan& plan);

/// "operation.no_handler" (refused) for a verb without a factory.
Result<OperationSupport> operation_handlers(Context& context, const operation::Plan& plan);

/// The epochs its members know, and how they learn ours, which is noted in `current` too.
void add_epochs(operation::ExecutorOptions& options, const cluster::DatabaseCluster& cluster,
                const provider::CurrentEpoch& current);

/// Before anything is planned: what an operation at work, or an unfinished one, has half done is not a state to plan
/// from ("operation.unfinished", conflict). A dry run looks.
Status refuse_if_unfinished(const Context& context, const cluster::DatabaseCluster& cluster, const std::string& verb);

/// What triage must know beside the members: operations that are not over. What cannot be read is left out; whoever
/// wants to change anything is refused by refuse_if_unfinished().
cluster::Surroundings surroundings(const Context& context, const cluster::DatabaseCluster& cluster);

/// Says what an operation has just written down: a line for people, an event for programs.
void tell_event(Output& out, const operation::Event& event);

/// <state-dir>: --state-dir, or where this user's state is.
std::string state_dir_of(const Context& context);

}  // namespace holdfast::cli
