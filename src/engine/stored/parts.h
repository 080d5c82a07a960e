// What every data directory of an engine has, and this one has not. A server that runs does not notice: it goes on with
// what it holds open and in memory, and cannot start again. One that is stopped cannot start at all.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "cluster/types.h"

namespace holdfast::engine {

/// "global/pg_control", "ibdata1": relative to the data directory, at most 16; of a running server (its `pid`, else -1)
/// also files below it that are deleted and still open. Only what is proven to be gone, and so again 0.3 s later. None
/// of a directory that is not there at all, or is empty, while no server runs on it. Expects InnoDB's files where an
/// agent configures them to be. Of binary logs reads 4 bytes, else no contents; needs the right to read /proc/PID/fd,
/// and says less without it.
std::vector<std::string> missing_parts(cluster::Engine engine, const std::string& data_dir, pid_t pid);

}  // namespace holdfast::engine
