// Clusters of one primary and its replicas, where who leads is not what everybody was told: which side of a split stays
// when a member is named, and who holds nothing of its own. Pure.
#pragma once

#include <optional>

#include "repair/plan.h"

namespace holdfast::repair {

/// Proven: `member` has nothing, applied or only received, that `other` lacks. False where either is not known.
bool holds_nothing_beside(const cluster::TriageReport& report, const std::string& member, const std::string& other);

/// Two take writes and one of them is the target: the report as it is once the other one is the only one to stay, with
/// the target's rung beside it: `resume` when it has nothing of its own, else `rebuild`. Members that hold what the one
/// that stays lacks are no donors in it. nullopt when that is not so, and everything is as it was.
///   repair.target_is_primary   (refused) the target holds everything, the other one is to be repaired
Result<std::optional<cluster::TriageReport>> after_choice(const cluster::TriageReport& report, const Request& request);

/// The target closes for writes first, and stays closed when the repair is undone: a second writer is no state to
/// restore.
operation::Step closing_step(const std::string& member, const std::string& leader);

/// Somebody takes writes, and of `member` alone it is not known what it holds: its logs cannot be read, or were reset.
/// Named, and with a copy of it that is read back, it may be made anew.
bool only_it_is_unknown(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Its agent would start it as something else than a replica of `leader`.
bool is_told_otherwise(const cluster::TriageReport& report, const cluster::MemberReport& member,
                       const std::string& leader);
/// Tells the agent of `member` that it follows `leader`; an empty `leader`: that it is the primary.
operation::Step telling_step(const std::string& member, const std::string& leader);

/// MariaDB with semi-sync: a primary that was killed may have a tail in its binary log that no replica has received.
/// Where the engine has not committed it either, the server cuts it off by itself when it starts as a replica.
bool may_cut_its_tail(const cluster::TriageReport& report, const cluster::MemberReport& member);
operation::Step cutting_step(const std::string& member, const std::string& leader);

}  // namespace holdfast::repair
