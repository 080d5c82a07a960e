// Relay logs: MySQL's that cannot be read are fetched again; MariaDB's that may be the only copy are applied before a
// start deletes them. Pure.
#pragma once

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// The member's logs are damaged, and everything in them is proven to be with the one that takes writes, which still
/// has in its own logs what the member has not applied.
bool can_fetch_logs_anew(const cluster::TriageReport& report, const cluster::MemberReport& member,
                         const std::string& source);
operation::Step fetching_step(const std::string& member, const std::string& leader);

/// MariaDB: its relay logs hold what its own log does not.
bool has_not_applied(const cluster::TriageReport& report, const cluster::MemberReport& member);
/// MariaDB: a member that the plan starts, and proves to run, before this one has it all in its own log.
bool is_with_a_started_one(const cluster::TriageReport& report, const cluster::MemberReport& member,
                           const operation::Plan& plan);
/// MariaDB, the member is down: it applies what it has received, without its replication threads.
operation::Step applying_step(const cluster::MemberReport& member);

}  // namespace holdfast::repair
