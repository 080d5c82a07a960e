// What a repair would do, decided from a triage report. Pure: no I/O, no clock.
//
// Gates first (docs/decisions/0008-repair.md): a refusal changes nothing and has its own id. Then, per member, the
// cheapest rung that is proven to be enough.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/triage.h"
#include "operation/plan.h"
#include "repair/adoption.h"

namespace holdfast::repair {

struct Request {
  std::optional<int> ordinal;   ///< repair this member only
  bool has_repository = false;  ///< where escrow copies go
  bool no_escrow = false;       ///< the user says that no copy of the victim is wanted
  uint64_t copy_rate = 0;       ///< bytes a second that a copy reads from its donor; 0 = as fast as it goes
  /// What only the member has is to be written into the primary; see repair/adopt.h.
  std::optional<Adoption> adoption;
  /// Members that cannot sign in where they would have to follow (accounts.h), and why: nothing is begun for them.
  std::map<std::string, Error> refused_accounts = {};
};

struct Proposal {
  operation::Plan plan;              ///< without steps when there is nothing to do
  std::vector<std::string> skipped;  ///< "shop-mysql-0: healthy", members left alone and why
  std::vector<std::string> remarks;  ///< what else should be known before it runs
};

/// Refusals (class refused):
///   repair.no_member          (usage) no member has that ordinal
///   repair.target_is_primary  the member named takes writes
///   repair.target_is_not_authority  it would open for writes, and is not proven to hold everything
///   repair.target_is_authority it holds what no other member holds
///   repair.target_unknown     nothing is known of it
///   repair.split_brain        several accept writes or histories have diverged, and no member was named
///   repair.undeterminable     who has all data is not known, and the rung would destroy data
///   repair.no_donor           no healthy member to copy from
///   repair.needs_operator     only a person can do what is needed (full disk, network, account)
///   repair.replication_account  it cannot sign in where it would have to follow
///   repair.cannot_keep        histories have diverged, and no copy can be taken of a member with one of its own
///   repair.cannot_adopt       what only the member has cannot be written into the primary
///   repair.no_repository      a copy of the victim must be kept first, and no repository was named
Result<Proposal> plan_repair(const cluster::TriageReport& report, const Request& request);

}  // namespace holdfast::repair
