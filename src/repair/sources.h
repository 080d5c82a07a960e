// Whom a member is to follow: the source it is configured with, as long as that one can be its source. Pure.
#pragma once

#include <optional>
#include <string>

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// The member it follows, or followed when its agent last saw it serve; nullptr where that is none of the cluster's, or
/// cannot be identified.
const cluster::MemberReport* configured_source(const cluster::TriageReport& report,
                                               const cluster::MemberReport& member);
/// It follows a server of which is not known whether it is a member: it is not made to follow another one.
bool source_is_unknown(const cluster::TriageReport& report, const cluster::MemberReport& member);
/// It serves no more, and what it needs is more than to be started or resumed: who followed it needs another source.
bool is_lost(const cluster::MemberReport& source);
/// MariaDB, MySQL: the member it is to follow: the configured source, else the one its agent is told, where that is a
/// replica of the primary, not lost, logs what it applies, and is proven to hold what the member has; else the primary.
/// Of other engines the primary. "" when there is none.
std::string source_for(const cluster::TriageReport& report, const cluster::MemberReport& member);

/// Connections beside its own that do not work.
bool has_broken_channels(const cluster::MemberReport& member);
/// Adds to `plan`, at its end, that they are removed, and what is lost with them. They are no part of the cluster's
/// replication, and cannot be added again without their password.
void drop_broken_channels(const cluster::TriageReport& report, const cluster::MemberReport& member,
                          operation::Plan& plan);

}  // namespace holdfast::repair
