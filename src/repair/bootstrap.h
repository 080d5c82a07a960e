// Bringing back a Galera cluster of which no member is in a primary component. Pure: no I/O, no clock.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

struct BootstrapRequest {
  bool has_repository = false;  ///< where escrow copies go
  bool no_escrow = false;       ///< the user says that no copies are wanted
  /// Members whose position could not be recovered from InnoDB, and why. Others that need it are not planned with.
  std::map<std::string, std::string> not_recovered;
};

struct Bootstrap {
  operation::Plan plan;
  std::vector<std::string> left_alone;  ///< members it does not bring in, and why
  /// Why the plan is refused unless its losses are accepted, by acceptance: "lose-unread:m2" -> bootstrap.unread.
  std::map<std::string, Error> refusals;
};

/// Makes the member that is proven to hold everything the first of a new component, then brings in the others, one by
/// one. A running member is told to (pc.bootstrap) if it holds everything; otherwise the one that does is started, the
/// only one marked safe_to_bootstrap. What a member holds beside that history goes into the repository first.
///
/// Refusals (class refused), each with what to do next:
///   bootstrap.not_galera       (usage)
///   bootstrap.has_primary      a primary component is there: members outside it are repaired, not bootstrapped
///   bootstrap.split_brain      several are
///   bootstrap.running          a server runs that does not answer, or runs without replicating: it may take writes
///   bootstrap.network          members that run do not reach each other
///   bootstrap.not_recovered    a member crashed and its position was not recovered yet
///   bootstrap.no_position      no member has a position that proves anything
///   bootstrap.foreign          two histories, and none is recorded as the cluster's or held by most
///   bootstrap.no_repository    a copy of what is replaced must be kept first
///   bootstrap.undeterminable   the rules of authority say otherwise
/// and those that a loss accepted by name lifts:
///   bootstrap.unread           lose-unread:M: M cannot be read; it is left as it is
///   bootstrap.second_primary   second-primary:M: nobody can say that the server of M, which cannot be read, is down
///   bootstrap.zero_uuid        lose-unread:M: M has data, but its state names no history
///   bootstrap.aborted_transfer lose-unread:M: a state transfer into M was cut short
///   bootstrap.inconsistent     discard-diverged:M: M was voted out
///   bootstrap.foreign          discard-foreign:M: M is of another history than most, or than the recorded one
Result<Bootstrap> plan_bootstrap(const cluster::TriageReport& report, const BootstrapRequest& request);

}  // namespace holdfast::repair
