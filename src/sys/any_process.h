// Processes that need not be our children, by their pids.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "sys/file.h"

namespace holdfast::sys {

/// A pidfd of a process that is not our child; "sys.no_process" when there is none.
Result<Fd> open_pidfd(pid_t pid);
/// A number that changes when a pid is reused (start time in /proc/PID/stat); nullopt when there is no such process or
/// it is a zombie.
std::optional<uint64_t> process_start_time(pid_t pid);
/// Killed, or ending by itself, and not gone yet: with much memory that takes seconds, in which its sockets still take
/// connections. Source: State, SigPnd and ShdPnd in /proc/PID/status, the kernel's flags in /proc/PID/stat.
bool is_dying(pid_t pid);

}  // namespace holdfast::sys
