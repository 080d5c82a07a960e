// The command line as a caller of the steward: its state directory, repository, passwords and signals.
#pragma once

#include "cli/context.h"
#include "steward/caller.h"

namespace holdfast::cli {

/// `context` and `observer` must outlive it. The repository of -r is opened when a plan stores copies.
steward::Caller steward_caller(Context& context, steward::Observer& observer);

/// -r and --no-escrow.
steward::EscrowChoice escrow_choice(const Options& options);

}  // namespace holdfast::cli
