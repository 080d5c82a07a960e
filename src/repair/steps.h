// Steps that several plans take: each says what will be done, by what name, and how it is taken back. Pure. The kinds
// are in step_kinds.h; those that one rung alone takes are built beside it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cluster/triage.h"
#include "operation/plan.h"
#include "repair/step_kinds.h"

namespace holdfast::repair {

/// "start-NAME". `restart`: it runs. `how` ends the title: "(it does not run)".
operation::Step start_step(const std::string& member, bool restart, std::string_view how = {});
/// The same of one that runs, or that a signal has stopped, as the report says.
operation::Step start_step(const cluster::TriageReport& report, const cluster::MemberReport& member,
                           std::string_view why);
/// "stop-NAME". `how` ends the title.
operation::Step stop_step(const std::string& member, std::string_view how = {});
/// A server that a signal has stopped goes on: its sessions, its memory and its relay logs stay.
operation::Step continue_step(const cluster::MemberReport& member);
/// Its threads are started where they stopped; `until_level`: that they run is no proof yet, an event could not be
/// applied before.
operation::Step resume_step(const cluster::MemberReport& member, bool until_level);
/// Its receiver's connection is given up and made anew.
operation::Step reconnect_step(const cluster::MemberReport& member);
/// `renew`: also where it follows `leader` already.
operation::Step follow_step(const cluster::MemberReport& member, const std::string& leader, bool renew = false);
operation::Step read_only_step(const std::string& member);
/// Tells the agent of `member` that it follows `leader`; an empty `leader`: that it is the primary.
operation::Step telling_step(const std::string& member, const std::string& leader);
operation::Step semi_sync_step(const cluster::MemberReport& member, bool as_source);
/// What an operation that nobody knows of any more left with a healthy member. A successor that never took the data
/// directory's place is a copy of a donor, so nothing is lost with it; an old data directory that was put aside may
/// hold what nothing else does, and stays. Nothing where nothing was left.
std::optional<operation::Step> tidying_step(const cluster::MemberReport& member);

/// "escrow-NAME": a copy of its data directory is kept in the repository. Its server does not run.
operation::Step escrow_step(const std::string& member, uint64_t expected_seconds);
/// "copy-NAME": a successor of its data directory, beside it.
operation::Step copy_step(const std::string& member, kind::MakeSideCopy how, uint64_t expected_seconds);
/// "try-NAME": the server runs on the successor; `proof`: what shows that it is good.
operation::Step try_step(const std::string& member, kind::ProveSide how, std::string proof);
/// "swap-NAME": the successor takes the data directory's place.
operation::Step swap_step(const std::string& member);
/// "drop-NAME": the old one, put aside by swap_step(), goes. It cannot be undone.
operation::Step drop_step(const std::string& member);

/// "prove-NAME": waits until triage finds it healthy.
operation::Step proof_of(const std::string& member, uint64_t expected_seconds = 20);
operation::Step proof_of(const cluster::MemberReport& member);
/// The same after a start that is all that was planned: a member that serves and turns out to need more has been
/// brought further, and is not stopped again. The next look tells what it needs.
operation::Step proof_of_start(const cluster::MemberReport& member);

}  // namespace holdfast::repair
