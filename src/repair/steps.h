// Steps that several rungs take. Pure: each says what will be done, by what name, and how it is taken back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// Restarts one that runs.
operation::Step start_step(const cluster::TriageReport& report, const cluster::MemberReport& member,
                           std::string_view why);
/// A server that a signal has stopped goes on: its sessions, its memory and its relay logs stay.
operation::Step continue_step(const cluster::MemberReport& member);
/// Its threads are started where they stopped; `until_level`: that they run is no proof yet, an event could not be
/// applied before.
operation::Step resume_step(const cluster::MemberReport& member, bool until_level);
/// Its receiver's connection is given up and made anew.
operation::Step reconnect_step(const cluster::MemberReport& member);
/// `renew`: also where it follows `leader` already.
operation::Step follow_step(const cluster::MemberReport& member, const std::string& leader, bool renew = false);
operation::Step read_only_step(const cluster::MemberReport& member);
/// PostgreSQL: the slot it uses, on `leader`.
operation::Step slot_step(const cluster::MemberReport& member, const std::string& leader);
operation::Step semi_sync_step(const cluster::MemberReport& member, bool as_source);
/// What an operation that nobody knows of any more left with a healthy member. A successor that never took the data
/// directory's place is a copy of a donor, so nothing is lost with it; an old data directory that was put aside may
/// hold what nothing else does, and stays. Nothing where nothing was left.
std::optional<operation::Step> tidying_step(const cluster::MemberReport& member);

/// Waits until triage finds it healthy.
operation::Step proof_of(const cluster::MemberReport& member);
/// The same after a start that is all that was planned: a member that serves and turns out to need more has been
/// brought further, and is not stopped again. The next look tells what it needs.
operation::Step proof_of_start(const cluster::MemberReport& member);

}  // namespace holdfast::repair
