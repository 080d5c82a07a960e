// What is done to a replica's stream. Each is safe to repeat: what is so already stays as it is.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "cluster/facts.h"
#include "cluster/types.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// MariaDB, MySQL: one of a server's replication connections by its name ("" = the default one); nullopt = all.
using Which = std::optional<std::string>;

/// Whom to follow and as whom.
struct Source {
  std::string host;
  int port = 0;
  std::string user;
  Secret password;
  bool renew = false;        ///< tell it again, though it follows this one: its account was refused
  bool demote = false;       ///< MariaDB: what it wrote itself when it was the primary counts as its position
  std::string channel = {};  ///< MariaDB, MySQL: name of the connection that is to follow it
  std::string member = {};   ///< its name in its cluster; "" = not known
};

/// MariaDB, MySQL: makes the connection follow `source` by GTID and starts it; the server's other connections are left
/// as they are. One that follows it already keeps its relay logs: changing the source throws away what was received and
/// not yet applied. All other settings of a connection that is there stay (TLS, delay, filters, an account of its own
/// unless `renew`). Changes nothing in its data and adds no GTID.
Status follow(cluster::Engine engine, const sql::Target& replica, const Source& source, Deadline deadline,
              std::stop_token stop = {});
/// MariaDB, of a server that follows nobody: what it wrote itself counts as its position from now on.
Status count_own_as_position(cluster::Engine engine, const sql::Target& server, Deadline deadline,
                             std::stop_token stop = {});
/// Starts what was stopped: the connection's threads; PostgreSQL: the replay of WAL.
Status resume_replication(cluster::Engine engine, const sql::Target& replica, const Which& which, Deadline deadline,
                          std::stop_token stop = {});
/// MariaDB, MySQL: the connection connects to its source anew; what was received is kept.
/// "replication.not_applying" (refused) where its applier does not run, or there is no such connection.
Status reconnect_receiver(cluster::Engine engine, const sql::Target& replica, const std::string& channel,
                          Deadline deadline, std::stop_token stop = {});
/// MySQL: throws away the relay logs of a connection, which cannot be read, and starts both threads: what is missing is
/// fetched again. First it makes sure that `source`, the one it follows, has all that the replica has received there or
/// applied, and in its logs all that the replica has not applied: "replication.not_refetchable" (refused, nothing
/// changed) when not.
Status fetch_logs_anew(const sql::Target& replica, const std::string& channel, const sql::Target& source,
                       Deadline deadline, std::stop_token stop = {});
/// The answer of resume_replication() where relay logs are missing.
bool relay_logs_missing(const Error& error);
/// A connection, and whether its receiver and its applier are on; both false where it follows nobody.
struct StreamState {
  bool follows = false, receiving = false, applying = false;
  std::string host;
  int port = 0;
  std::string channel = {};
  std::string user = {};
  bool connected = false;        ///< just now
  std::string source_uuid = {};  ///< as cluster::Following has them
  std::optional<uint64_t> source_server_id = {};
};
/// What tells which server its source is: cluster/topology.h.
cluster::Following following_of(const StreamState& stream);
/// PostgreSQL has one, without a name.
Result<StreamState> stream_state(cluster::Engine engine, const sql::Target& replica, const std::string& channel,
                                 Deadline deadline, std::stop_token stop = {});
/// MariaDB, MySQL: of all connections.
Result<std::vector<StreamState>> stream_states(cluster::Engine engine, const sql::Target& replica, Deadline deadline,
                                               std::stop_token stop = {});
/// Undoes what was done to the connection: its threads are stopped again where they were, its source is the one it had,
/// and it is removed where there was none. The server's other connections are left as they are.
Status restore_stream(cluster::Engine engine, const sql::Target& replica, const StreamState& before,
                      const Source& as_whom, Deadline deadline);
/// Semi-sync as source or as replica, in the words of this server. A replica's receiver is started anew, since it
/// announces itself only then; what it has received is applied first. A source that fell back waits again from the next
/// commit on, once a replica acknowledges: it needs no write to come back.
/// `channel`: of a replica, the connection to its source.
Status set_semi_sync(cluster::Engine engine, const sql::Target& server, bool source, bool on,
                     const std::string& channel, Deadline deadline, std::stop_token stop = {});
Result<bool> semi_sync_on(const sql::Target& server, bool source, Deadline deadline, std::stop_token stop = {});
/// Waits until the connection receives and applies (MariaDB, MySQL), or the standby replays (PostgreSQL); with `level`
/// also until it is not behind any more, or not more than it is delayed on purpose. "replication.stopped" (failed)
/// tells its error at once when it has one, "replication.waiting" (unavailable) that the deadline passed, or that it
/// has not reached its source for two minutes, or for three of its attempts where these take longer.
Status wait_for_replication(cluster::Engine engine, const sql::Target& replica, const Which& which, bool level,
                            Deadline deadline, std::stop_token stop = {});
/// MariaDB read_only, MySQL super_read_only (and with it read_only).
Status set_read_only(cluster::Engine engine, const sql::Target& server, bool on, Deadline deadline,
                     std::stop_token stop = {});
/// MySQL: opens it for all, not only for administrators.
Status set_writable(const sql::Target& server, Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::engine
