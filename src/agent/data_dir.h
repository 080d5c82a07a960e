// A member's data directory as a thing on disk: made behind a marker, replaced by a successor that was proven first,
// put aside, dropped. Refused ("agent.in_use") while a process outside this one and its children uses the directory
// that is touched; that its own server does not is the caller's to see to.
//
//   initialising, initialising.new   data (data.new) is being made: what is there is nothing yet
//   rewinding                        pg_rewind works on data: it is lost unless that ended well
//   swap.json                        data.new, or one that was put aside, takes the place of data: to be completed,
//                                    whatever else is found; logs that lie elsewhere follow (agent/log_files.h)
//   data/holdfast.unusable           a directory a rewind left half done, wherever it is moved
//   incomplete                       data is not the member's whole data: the unit of an existing server does not start
//                                    on it, not even at boot (it asks for this file, see agent/existing.h)
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/config.h"
#include "base/result.h"

namespace holdfast::agent {

/// The same member, seen through its side directory.
MemberConfig side_of(MemberConfig config);

/// Runs one way of making config.data_dir() with a marker around it, so that a crash never passes for a finished one.
/// What an earlier crash left half made is removed first; on failure the directory is removed again. Refuses
/// ("agent.not_empty") when the directory holds anything else. It is on disk (syncfs) before it counts.
Status make_data_dir(const MemberConfig& config, const std::function<Status()>& make);

/// "<dir>/incomplete", which only members whose unit starts them have: from before anything of the data directory is
/// moved, made or removed until it is whole again, or a start for clients is asked for.
std::string incomplete_mark(const MemberConfig& config);
/// The unit may start. Fine where there is no mark.
Status let_unit_start(const MemberConfig& config);
/// Once, when an agent starts: takes away the mark of a change that a crash kept from beginning, or from ending when
/// all was back in its place.
Status review_mark(const MemberConfig& config);

/// May a server start on data_dir()? "agent.no_data", "agent.half_made", "agent.half_rewound" (refused) say why not.
Status check_startable(const MemberConfig& config);
/// check_startable() as a yes or no.
bool is_initialised(const MemberConfig& config);

/// From here on data_dir() is unusable until end_rewind(); both durable.
Status begin_rewind(const MemberConfig& config);
Status end_rewind(const MemberConfig& config);

/// Renames the data directory to "<dataDir>.replaced-<UTC time>"; the new path, or "" when there was none. Journaled as
/// swap_in_side() is. Also where the data directory is a mount point, which cannot be renamed: "agent.mounted"
/// (refused).
Result<std::string> set_data_aside(const MemberConfig& config);
/// The reverse; a data directory that is there is set aside itself. Journaled as swap_in_side() is.
Status put_data_back(const MemberConfig& config, const std::string& aside);

/// data -> data.replaced-<time>, data.new -> data, both renames durable, the intention journaled first: from then on
/// finish_swap() brings it to its end after any crash. Returns the path of the old one, "" when there was none.
Result<std::string> swap_in_side(const MemberConfig& config);
/// Completes a swap that a crash interrupted; fine when there is none. "agent.swap" (needs_operator) when what is on
/// disk fits no crash; then nothing is touched.
Status finish_swap(const MemberConfig& config);

/// Removes the side directory, finished or not; fine when there is none.
Status discard_side_dir(const MemberConfig& config);
/// Removes a directory that set_data_aside() or swap_in_side() returned, for good, and its logs that lie elsewhere. A
/// crash leaves it whole or under a name that nothing takes for data. Also removes what earlier removals left; fine
/// when nothing but that is there.
Status drop_data_aside(const MemberConfig& config, const std::string& path);
/// What removals that did not end have left, under names that nothing takes for data.
std::vector<std::string> dropping_dirs(const MemberConfig& config);
/// Removes the configuration and scratch folders of servers that worked on a copy (etc.prepare, tmp.copy, ...): whether
/// they ended well or were cut off. Not while one works.
void remove_work_dirs(const MemberConfig& config);
/// Removes what crashed removals and helpers left. Not cheap: it deletes data.
void sweep_leftovers(const MemberConfig& config);

/// "2026-11-21T14:56:21Z"
std::string utc_now();

}  // namespace holdfast::agent
