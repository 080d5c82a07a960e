// What can be seen of a member without asking its server: its process, its disks, its log, its data directory.
// Reads only; works whether the server runs, hangs or is gone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <stop_token>
#include "agent/config.h"

#include "base/deadline.h"
#include "cluster/facts.h"

namespace holdfast::agent {

/// Fills volumes, process_state, log_tail and stored (and their readings). `server_pid` <= 0: no process to look at.
/// Blocks until `deadline` at most, but for disks that hang.
/// How far its logs go is read only where no server writes them (none runs, or it is stopped by a signal): of a running
/// one they would tell less than the server itself, at the cost of reading a gigabyte.
void inspect(cluster::MemberFacts& facts, const MemberConfig& config, pid_t server_pid, Deadline deadline,
             std::stop_token stop = {});

/// Only the volumes. `server_pid` tells where the logs of MySQL and MariaDB are; <= 0: known for PostgreSQL only.
void look_at_disks(cluster::MemberFacts& facts, const MemberConfig& config, pid_t server_pid);

/// PostgreSQL: how far the WAL in pg_wal goes, of a standby that receives none: {"end", "timeline", "history"}, or
/// {"unknown"}. SQL does not tell it of one that applies later on purpose. Reads what its server has still to replay.
codec::Value wal_end_value(const MemberConfig& config, Deadline deadline, std::stop_token stop);

/// As the agent's status and inspection tell them.
codec::Value outside_value(const std::vector<cluster::OutsideProcess>& outside);

/// The same as an answer of the agent, and back.
codec::Value inspection_value(const cluster::MemberFacts& facts);
void take_inspection(cluster::MemberFacts& facts, const codec::Value& value);

/// Galera, crashed and stopped: what wsrep_recover found earlier takes the place of the position nobody can read from
/// its files. `age` is how long ago that was.
void take_recovered(cluster::MemberFacts& facts, const std::string& position, std::chrono::milliseconds age);

namespace detail {
void read_stored(cluster::MemberFacts& facts, const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// Its own small files only.
void read_galera_state(cluster::MemberFacts& facts, const MemberConfig& config);
}  // namespace detail

}  // namespace holdfast::agent
