// `holdfast inspect --fence`: the look at a stopped Galera cluster that is more than a look.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "cluster/triage.h"

namespace holdfast::provider {

/// What is to be done with a member, decided from a triage report alone.
struct RecoverStep {
  enum class Kind {
    recover,   ///< crashed: only InnoDB knows its position
    known,     ///< stopped cleanly, or recovered before: `position` holds
    running,   ///< left alone: its server runs and answers for itself
    withheld,  ///< stopped, but what it holds is no position (`why`)
  };
  MemberName member;
  Kind kind = Kind::withheld;
  std::string position, why;
};
std::vector<RecoverStep> plan_recovery(const cluster::TriageReport& report);

/// THE ONE THING HERE THAT ACTS: has the member's agent run `mariadbd --wsrep-recover`, which recovers InnoDB as any
/// start does (the redo log is applied, log and data files change; grastate.dat and galera.cache stay) and serves
/// nobody. The agent refuses ("agent.running", "agent.busy") when its server runs or is being changed, and lets nobody
/// start it meanwhile. Repeating it is harmless, undo there is none: it is what the next start would do.
///
/// The seam for the journal of operations: everything before it is plan_recovery(), everything after it reads only, so
/// a journaled operation is one step per member around this call, under the cluster's lock.
Result<std::string> recover_member(const cluster::DatabaseCluster& cluster, const MemberName& member, Deadline deadline,
                                   std::stop_token stop);

}  // namespace holdfast::provider
