// `repair --adopt`: the transactions that only a replica has are written into the primary, so that they are not lost.
// Pure planning, and the look that comes before it.
#pragma once

#include <stop_token>

#include "repair/plan.h"

namespace holdfast::repair {

/// Reads the member's logs and asks it and the primary how their tables are defined. Changes nothing, locks nothing.
/// Empty where plan_repair() refuses anyway.
Adoption survey_adoption(const cluster::TriageReport& report, int ordinal, std::stop_token stop = {});

/// What was accepted, done on the primary in one transaction that is rolled back, before an operation begins:
///   repair.adopt_conflict  (refused) the primary no longer has a row as a transaction found it, or has one it made
///   repair.cannot_adopt    (refused) what was surveyed is no longer so
Status rehearse_adoption(const cluster::TriageReport& report, int ordinal, const Adoption& adoption,
                         std::stop_token stop = {});

/// An error of engine/adopt.h as repair tells it.
Error adoption_error(Error error, const cluster::DatabaseCluster& cluster);

/// The report as it would be if the primary had what only `member` has: what then is left to mend. MySQL.
Result<cluster::TriageReport> after_adoption(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Refusals beside those of plan_repair():
///   repair.cannot_adopt  not for this engine, this member or these transactions; the message says why
Result<Proposal> plan_adoption(const cluster::TriageReport& report, const Request& request);

}  // namespace holdfast::repair
