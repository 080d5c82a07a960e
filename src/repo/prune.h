// Removing what no snapshot needs. The order of the steps is what makes it safe to be killed anywhere: see
// docs/decisions/0010-prune-order.md.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "repo/index_objects.h"
#include "repo/prune_plan.h"
#include "repo/repository.h"

namespace holdfast::repo {

struct PruneHooks {
  std::function<void(const char* phase, uint64_t bytes)> on_phase;  ///< what comes next, bytes it will move (0: none)
  std::function<void(uint64_t bytes)> on_bytes;                     ///< moved since the last call; several threads
  std::function<Status()> still_locked;  ///< asked before anything is removed: fails when the lock was lost
  std::function<Status()> may_remove;    ///< asked before each removal, from several threads: cheap, without the store
};

/// What a prune would do; made and carried out under one exclusive lock.
struct PrunePlan {
  PackDecision decision;
  std::vector<Id> orphans;           ///< packs in no index, marked long enough ago: they go
  std::vector<Id> snapshots;         ///< all that were there when the plan was made
  std::vector<IndexObject> indexes;  ///< all index objects
  std::vector<size_t> rewrite;       ///< of `indexes`: those that are replaced
  std::vector<MarkedPack> marks;     ///< go into the new index
  bool changes_anything() const;
};

/// Reads index and trees (the index must not be loaded yet) and decides. Snapshots in `forgotten` (sorted) are taken as
/// gone already. Refuses ("repo.prune.missing", "repo.prune.damaged", both verification_failed) when something that a
/// remaining snapshot needs is not there or cannot be read: then nothing may be removed.
Result<PrunePlan> plan_prune(Repository& repository, const std::vector<Id>& forgotten, const PruneLimits& limits,
                             const PruneHooks& hooks, std::stop_token stop);

/// Removes objects on several threads, as long as the hooks allow it.
Status remove_objects(Repository& repository, ObjectType type, const std::vector<Id>& ids, const PruneHooks& hooks,
                      const std::stop_token& stop);

/// Carries the plan out: new packs, new index, old index away, old packs away. Each blob is proved (MAC and hash)
/// before it is copied. Fails with "repo.prune.concurrent" (conflict), with nothing removed, when a snapshot has
/// appeared since the plan: somebody writes without looking at locks.
Status run_prune(Repository& repository, const PrunePlan& plan, const PruneLimits& limits, const PruneHooks& hooks,
                 std::stop_token stop);

}  // namespace holdfast::repo
