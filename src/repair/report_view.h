// What every rung asks of a triage report. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

inline std::string name(const cluster::MemberReport& member) {
  return member.facts.member.str();
}

/// Whether a diagnosis names this member.
bool says(const cluster::TriageReport& report, const cluster::MemberReport& member, std::string_view diagnosis);

/// "repair.outside_agent" (refused) while a server that its agent did not start uses the member's data directory.
Status check_not_outside(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Where its data was there is nothing now; it may be on a volume that is not mounted.
bool has_vanished(const cluster::MemberReport& member);
/// It applies what it receives later, on purpose.
bool is_delayed(const cluster::MemberReport& member);

/// Galera: it says it is in a Primary component, and replicates.
bool in_primary_component(const cluster::MemberReport& member);
/// Galera: both, and in the same: what one has applied of its write sets the other will, though a look at two moments
/// sees them apart.
bool in_one_component(const cluster::MemberReport& a, const cluster::MemberReport& b);

/// As far as anybody can see: a server that does not say whether it is read-only counts.
bool takes_writes(const cluster::MemberReport& member);

/// Whether its agent lets it follow that member at its next start.
bool is_told_to_follow(const cluster::TriageReport& report, const cluster::MemberReport& member,
                       const std::string& source);

/// What the members' data tells of their histories, in their order.
std::vector<cluster::History> histories_of(const cluster::TriageReport& report,
                                           cluster::Fed fed = cluster::Fed::left_out);
/// nullptr when it is none of them.
const cluster::History* find_history(const std::vector<cluster::History>& histories, std::string_view member);

/// Everything of a is in b.
bool lies_within(position::Order order);

/// Proven: `member` has nothing, applied or only received, that `other` lacks. False where either is not known.
bool holds_nothing_beside(const cluster::TriageReport& report, const std::string& member, const std::string& other);

/// "holdfast repair -c shop/orders -i 2"; without a member: no -i.
std::string command(const cluster::TriageReport& report, std::string_view verb, const std::string& member = {});

/// What it holds is not known, and it is made anew.
operation::Loss unknown_loss(const cluster::MemberReport& member);

}  // namespace holdfast::repair
