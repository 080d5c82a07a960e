// MariaDB: a replica that asks for what it has logged already. Pure but for the handler.
#pragma once

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// The member stopped at a transaction that its own log has (engine/logged_position.h), and everything in that log is
/// proven to be with the one that takes writes.
bool may_go_on_behind_its_log(const cluster::TriageReport& report, const cluster::MemberReport& member);
operation::Step going_on_step(const std::string& member, const std::string& leader);

}  // namespace holdfast::repair
