// What a PostgreSQL member needs, where that is not what any replica would. Pure.
#pragma once

#include <optional>

#include "repair/plan.h"

namespace holdfast::repair {

enum class PostgresRung {
  common,  ///< the engine-independent rungs know what to do
  done,    ///< the steps are in the plan
  refill,  ///< it has to be made anew
};
/// Adds the steps of a rung of PostgreSQL's own to the plan. Refusals as plan_repair().
Result<PostgresRung> add_postgres_rung(const cluster::TriageReport& report, const cluster::MemberReport& member,
                                       const Request& request, operation::Plan& plan);

/// Two take writes and the target is one of them: the report as it is once the other one is the only one to stay, the
/// target having diverged from it. nullopt when that is not so.
///   repair.target_is_primary  (refused) the target holds everything, the other one is to give way
Result<std::optional<cluster::TriageReport>> postgres_after_choice(const cluster::TriageReport& report,
                                                                   const Request& request);
/// The plan made from that report, for the cluster as it is: the target stays stopped when it is undone.
void postgres_settle_choice(const cluster::TriageReport& report, const std::string& leader, operation::Plan& plan);

/// Whether nobody but this stopped member keeps it from being known who has all data, beside one that takes writes.
bool postgres_only_it_is_unknown(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Of a member that is made anew: what it loses, where its verdict does not say all of it.
std::optional<operation::Loss> postgres_loss(const cluster::MemberReport& member, bool unknown);

/// Whether its own directory can be brought back onto the timeline of the one that takes writes: it has diverged
/// from it by a change of timeline.
bool postgres_can_rewind(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Its agent would start it as something else than a standby of one that serves.
bool postgres_is_told_otherwise(const cluster::TriageReport& report, const cluster::MemberReport& member);

}  // namespace holdfast::repair
