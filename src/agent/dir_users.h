// Which processes use a data directory. Asked of the kernel: a server that was started by hand is in no record of its
// agent, and writes all the same.
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"
#include "cluster/facts.h"

namespace holdfast::agent {

/// Processes that use `data_dir`, but for `ours` and what those have started: who holds a server's lock on its files,
/// who has a file below it open for writing, which server works in it or was started on it, and (PostgreSQL) which one
/// postmaster.pid names. Processes that only read (a backup, a pager, a shell) do not count. Empty where there is no
/// such directory. Takes some milliseconds; blocks on nothing.
/// Without root the open files of other users' processes cannot be seen: locks, arguments and postmaster.pid can.
std::vector<cluster::OutsideProcess> users_of(const std::string& data_dir, std::span<const pid_t> ours);

/// Whether it was found by a server's lock or by postmaster.pid: then it is the server, and no other can be.
bool is_holder(const cluster::OutsideProcess& user);

/// "agent.in_use" (refused), naming the process, when one other than `ours` still uses it at the deadline: what a
/// killed server leaves behind needs a moment to end.
Status check_unused(const std::string& data_dir, std::span<const pid_t> ours, Deadline deadline);
/// The same for this process, within seconds.
Status check_unused(const std::string& data_dir);
/// The same before a server of this member starts: also waits for what a killed PostgreSQL server has left behind.
Status wait_until_unused(const MemberConfig& config);

/// "process 4711 (mariadbd: holds the lock of ibdata1)"
std::string outside_text(const cluster::OutsideProcess& user);

}  // namespace holdfast::agent
