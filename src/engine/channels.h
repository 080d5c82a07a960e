// The replication connections a MariaDB or MySQL server has configured, with all their settings: read, and written
// into a server that has lost them with its data directory.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/secret.h"
#include "cluster/facts.h"
#include "cluster/types.h"
#include "codec/value.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// One connection (MySQL: channel), as its server has it configured.
struct Channel {
  std::string name;  ///< "" = the default one
  std::string host;
  int port = 0;
  std::string user;
  Secret password;  ///< MariaDB shows it to nobody: empty
  bool by_gtid = false;
  bool receiving = false, applying = false;  ///< its threads are on
  bool connected = false;                    ///< just now; never of one that was only noted
  int delay_seconds = 0;
  /// What else CHANGE MASTER or CHANGE REPLICATION SOURCE would be told, as "MASTER_SSL_CA" -> "'/etc/ca.pem'": TLS,
  /// retries, heartbeat, compression, how it uses GTIDs. No file and no offset.
  std::map<std::string, std::string> options;
  /// As cluster::Following has them; the number of one that was only noted is not known.
  std::string source_uuid;
  std::optional<uint64_t> source_server_id;
  /// What came over it: MariaDB the domains, MySQL the UUIDs of the servers that wrote it.
  std::vector<std::string> origins;
  /// MariaDB: "replicate_do_db" -> "a,b"; MySQL: "REPLICATE_DO_DB" -> "`a`,`b`".
  std::map<std::string, std::string> filters;
};

/// What tells which server its source is: cluster/topology.h.
cluster::Following following_of(const Channel& channel);
/// The same of a row of the replication status: Following::source_uuid and source_server_id.
struct SourceNumbers {
  std::string uuid;
  std::optional<uint64_t> server_id;
};
SourceNumbers source_numbers(const sql::Rows& status, size_t row);

/// Channel::origins of a row of the replication status.
std::vector<std::string> origins_of(cluster::Engine engine, const sql::Rows& status, size_t row);

/// What it is configured with now. MySQL's passwords come from mysql.slave_master_info.
Result<std::vector<Channel>> read_channels(cluster::Engine engine, const sql::Target& server, Deadline deadline,
                                           std::stop_token stop = {});

struct ChannelRequest {
  bool with_delay = true;  ///< else it applies at once, until it is told its delay by set_delay()
  bool start = false;      ///< its threads are started
};
/// Configures this connection, whatever was configured under its name before, which is stopped. What it had received
/// and not applied is thrown away. One by file and offset is not started: its position belongs to the data it had.
Status write_channel(cluster::Engine engine, const sql::Target& server, const Channel& channel, ChannelRequest how,
                     Deadline deadline, std::stop_token stop = {});
/// Sets the delay of a connection that runs, and starts it again.
Status set_delay(cluster::Engine engine, const sql::Target& server, const Channel& channel, Deadline deadline,
                 std::stop_token stop = {});

/// Stops a connection and removes it; fine where there is none.
Status forget_channel(cluster::Engine engine, const sql::Target& server, const std::string& channel, Deadline deadline,
                      std::stop_token stop = {});
/// Gives a connection that is stopped the filters it had: what no configuration file says is gone with the server's
/// process.
Status set_filters(cluster::Engine engine, const sql::Target& server, const Channel& channel, Deadline deadline,
                   std::stop_token stop = {});

/// As JSON, with its password: for a file that nobody else reads.
codec::Value channel_value(const Channel& channel);
Channel channel_from(const codec::Value& value);

/// "STOP SLAVE 'x'" or "STOP REPLICA FOR CHANNEL 'x'"; `verb`: START, STOP; `thread`: "", "SQL_THREAD", "IO_THREAD".
std::string channel_statement(cluster::Engine engine, std::string_view verb, std::string_view channel,
                              std::string_view thread = {});
/// "RESET SLAVE 'x' ALL" or "RESET REPLICA ALL FOR CHANNEL 'x'".
std::string forget_statement(cluster::Engine engine, std::string_view channel);
/// "CHANGE MASTER 'x' TO ..." or "CHANGE REPLICATION SOURCE TO ... FOR CHANNEL 'x'".
Secret change_statement(cluster::Engine engine, std::string_view channel, const Secret& settings);

}  // namespace holdfast::engine
