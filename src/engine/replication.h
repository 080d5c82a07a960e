// What is done to a replica's stream. Each is safe to repeat: what is so already stays as it is.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "cluster/types.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// Whom to follow and as whom.
struct Source {
  std::string host;
  int port = 0;
  std::string user;
  Secret password;
  bool renew = false;   ///< tell it again, though it follows this one: its account was refused
  bool demote = false;  ///< MariaDB: what it wrote itself when it was the primary counts as its position
};

/// MariaDB, MySQL: makes the server follow `source` by GTID and starts it. A server that follows it already keeps its
/// relay logs: changing the source throws away what was received and not yet applied. Changes nothing in its data and
/// adds no GTID.
Status follow(cluster::Engine engine, const sql::Target& replica, const Source& source, Deadline deadline,
              std::stop_token stop = {});
/// Starts what was stopped: the threads of every connection; PostgreSQL: the replay of WAL.
Status resume_replication(cluster::Engine engine, const sql::Target& replica, Deadline deadline,
                          std::stop_token stop = {});
/// MariaDB, MySQL: ends the connection to the one source and makes a new one; what was received is kept.
/// "replication.not_applying" (refused) where the applier does not run.
Status reconnect_receiver(cluster::Engine engine, const sql::Target& replica, Deadline deadline,
                          std::stop_token stop = {});
/// MySQL: throws away the relay logs, which cannot be read, and starts both threads: what is missing is fetched again.
/// First it makes sure that `source`, the one it follows, has all that the replica has received or applied, and in its
/// logs all that the replica has not applied: "replication.not_refetchable" (refused, nothing changed) when not.
Status fetch_logs_anew(const sql::Target& replica, const sql::Target& source, Deadline deadline,
                       std::stop_token stop = {});
/// The answer of resume_replication() where relay logs are missing.
bool relay_logs_missing(const Error& error);
/// Whether the receiver and the applier of any connection are on; both false where it follows nobody.
struct StreamState {
  bool follows = false, receiving = false, applying = false;
  std::string host;
  int port = 0;
};
Result<StreamState> stream_state(cluster::Engine engine, const sql::Target& replica, Deadline deadline,
                                 std::stop_token stop = {});
/// Puts it back as it was: stops what was stopped, forgets its source where it had none. For undoing.
Status restore_stream(cluster::Engine engine, const sql::Target& replica, const StreamState& before,
                      const Source& as_whom, Deadline deadline);
/// Semi-sync as source or as replica, in the words of this server. A replica's receiver is started anew, since it
/// announces itself only then; what it has received is applied first. A source that fell back waits again from the next
/// commit on, once a replica acknowledges: it needs no write to come back.
Status set_semi_sync(cluster::Engine engine, const sql::Target& server, bool source, bool on, Deadline deadline,
                     std::stop_token stop = {});
Result<bool> semi_sync_on(const sql::Target& server, bool source, Deadline deadline, std::stop_token stop = {});
/// Waits until the replica receives and applies (MariaDB, MySQL), or replays (PostgreSQL); with `level` also until it
/// is not behind any more. "replication.stopped" (failed) tells its error at once when it has one,
/// "replication.waiting" (unavailable) that the deadline passed.
Status wait_for_replication(cluster::Engine engine, const sql::Target& replica, bool level, Deadline deadline,
                            std::stop_token stop = {});
/// MariaDB read_only, MySQL super_read_only (and with it read_only).
Status set_read_only(cluster::Engine engine, const sql::Target& server, bool on, Deadline deadline,
                     std::stop_token stop = {});
/// MySQL: opens it for all, not only for administrators.
Status set_writable(const sql::Target& server, Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::engine
