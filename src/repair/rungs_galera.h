// What a Galera member needs, where that is not what a replica would. Pure.
#pragma once

#include <optional>

#include "repair/plan.h"

namespace holdfast::repair {

/// Whether this member may be made anew although who has all data is not known: everybody else is in one Primary
/// component of more than half of all, or stands still at a point that component has passed. Then only the member
/// itself keeps it from being known, and what it holds goes into the repository first.
bool galera_only_it_is_unknown(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Whom to copy it from: Synced, in the component of more than half of all, not the only such one if there are several.
const cluster::MemberReport* galera_donor(const cluster::TriageReport& report, const cluster::MemberReport& victim);

/// What the cluster will not have any more when it is made anew, beside what its verdict says.
std::optional<operation::Loss> galera_loss(const cluster::MemberReport& member, const cluster::MemberReport& donor);

enum class GaleraRung {
  common,  ///< the engine-independent rungs know what to do
  done,    ///< the steps are in the plan
  refill,  ///< it has to be made anew
};
/// Adds the steps of a rung of Galera's own to the plan; `targeted`: the member was named. Refusals as plan_repair().
Result<GaleraRung> add_galera_rung(const cluster::TriageReport& report, const cluster::MemberReport& member,
                                   bool targeted, operation::Plan& plan);

/// The step that has a member join the component there is. `whole`: also when its state must be transferred whole,
/// which replaces what it holds.
operation::Step join_step(const std::string& member, bool restart, bool whole, std::string_view why);

}  // namespace holdfast::repair
