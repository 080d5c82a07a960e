// What one agent knows about its member: the file agent.json in the member's directory.
//
//   <dir>/agent.json            this file (0600)           <dir>/agent.lock   held while an agent runs; holds its pid
//   <dir>/channels.json         replication connections it has seen (0600; agent/channels.h)
//   <dir>/agent.log             the agent's own words      <dir>/etc/         server configuration, written at each
//                               start
//   <dir>/data/                 the data directory          <dir>/log/server.log
//   <dir>/data.new/             its successor while it is made and proven (agent/data_dir.h)
//   <dir>/data.replaced-<time>  what it was before          <dir>/data.dropping-<time>  on its way out
//   <socket_dir>/server.sock (or .s.PGSQL.<port>)
//   <socket_dir>.agent.sock     beside that directory, where only who runs the agent can put one
// dir and etc belong to who runs the agent; data, log and socket_dir to the user the server runs as.
//
// The data directory of a server that was there before its agent (Existing) stays where it is, and its successors are
// beside it: /var/lib/mysql, /var/lib/mysql.new, /var/lib/mysql.replaced-<time>.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "cluster/types.h"
#include "codec/value.h"

namespace holdfast::agent {

enum class Role { primary, replica };

inline constexpr const char* kSideName = "data.new";       ///< the successor of "data"
inline constexpr const char* kHelperName = "data.helper";  ///< MySQL: the server that asks a donor for a clone

/// Another member of the same cluster, as this one must reach it.
struct Peer {
  std::string name, host;
  int port = 0;
  int group_port = 0;  ///< Galera group communication
  std::string agent;   ///< "host:port" of its agent; "" = on this machine, in a folder beside ours
};

codec::Value peers_value(const std::vector<Peer>& peers);
std::vector<Peer> peers_from(const codec::Value& list);

/// Where an existing server has data outside of its data directory.
struct DataPlaces {
  std::string wal_dir;                  ///< PostgreSQL: where pg_wal leads; "" = it is in there
  std::string binlog_base, relay_base;  ///< MariaDB, MySQL: "/srv/log/bin"; "" = in there (agent/log_files.h)
  std::vector<std::string> elsewhere;  ///< other parts, as sentences: they stand against another directory in its place
  bool operator==(const DataPlaces&) const = default;
};

/// A server that was there before its agent. Its configuration, its directories and its unit stay its own.
struct Existing : DataPlaces {
  std::string data_dir;
  std::string socket;
  std::string pid_file;
  std::string log_file;                ///< "" = the journal of its unit
  std::string unit;                    ///< of systemd, which starts and stops it; "" = the agent does
  std::vector<std::string> triggers;   ///< its sockets, which would start it with the next client
  std::string drop_in;                 ///< our file among its configuration, which includes etc/role.cnf; "" = none
  std::string unit_drop_in;            ///< our file beside its unit; "" = none
  std::string group_suffix;            ///< that file gives it: other servers read no groups of that name
  std::vector<std::string> arguments;  ///< that it is started with
  std::string time_zone;               ///< TZ of its environment; "" = none, so that of the host
  std::vector<gid_t> groups;           ///< that it runs with beside its own (ssl-cert)
  bool beside_is_servers = false;      ///< the directory above data_dir belongs to the server's user
  bool finds_position = false;         ///< Galera: its unit tells it where it stands (galera_recovery)
};

struct MemberConfig {
  std::string cluster, ns, member;
  int ordinal = 0;
  cluster::Engine engine = cluster::Engine::mariadb;
  cluster::ReplicationMode replication = cluster::ReplicationMode::async;
  Role role = Role::primary;  ///< a replica starts read-only and in replica role
  /// The server outlives its agent, and the next one adopts it; else the kernel kills it with its agent.
  bool server_survives = false;

  std::string dir, socket_dir;
  std::string host = "127.0.0.1";
  int port = 0, group_port = 0, ist_port = 0, sst_port = 0;  ///< the last three: Galera only
  uid_t uid = 0;                                             ///< who the server runs as
  gid_t gid = 0;
  unsigned server_id = 0;

  std::string admin_user, admin_password_file;
  std::string replication_user, replication_password_file;
  std::string server_program;  ///< mariadbd, mysqld or postgres, full path
  std::string listen;          ///< "host:port" where the agent answers with TLS; "" = its unix socket only
  std::string tls_ca, tls_certificate, tls_key;  ///< PEM files of that
  std::string net_namespace;  ///< name of the network namespace that agent and server live in; "" = the machine's own
  bool plain_text = false;    ///< peers on other hosts may be spoken to without TLS
  std::vector<Peer> peers;    ///< all members, this one too
  std::string upstream;       ///< name of the peer a replica follows
  std::optional<Existing> existing;

  // Not in the file: which data directory is meant, and the name of a server of our own that runs beside the member's.
  std::string data_name = "data";  ///< or kSideName, kHelperName
  std::string work;                ///< "" is the member's server; anything else has its own socket, pid file and log

  bool apart = false;  ///< of an existing server: this agent starts it, not its unit; log and pid file are ours

  std::string data_dir() const { return beside(std::string_view(data_name).substr(4)); }
  /// What is beside the data directory: its path with this behind it.
  std::string beside(std::string_view suffix) const;
  /// The directory that these are in.
  std::string data_home() const;
  /// MariaDB, MySQL: of logs that lie elsewhere; "" = they are in the data directory.
  std::string binlog_base() const { return existing ? existing->binlog_base : ""; }
  std::string relay_base() const { return existing ? existing->relay_base : ""; }
  bool is_by_unit() const { return existing && !existing->unit.empty(); }
  std::string etc_dir() const { return dir + "/etc" + (work.empty() ? "" : "." + work); }
  std::string tmp_dir() const { return dir + "/tmp" + (work.empty() ? "" : "." + work); }
  std::string log_file() const;
  std::string pid_file() const;
  std::string agent_socket() const { return socket_dir + ".agent.sock"; }
  std::string server_socket() const;
  /// PostgreSQL: the physical replication slot this member uses on its upstream.
  std::string slot_name() const;
  const Peer* find_peer(const std::string& name) const;
};

/// The file "agent.json" of a member directory.
Result<MemberConfig> read_config(const std::string& dir);
Status write_config(const MemberConfig& config);

/// Reads a password file: its first line. "agent.password" when it is missing or empty.
Result<Secret> read_password(const std::string& path);
/// The administrator's; empty where the server asks the kernel who connects (no adminPasswordFile).
Result<Secret> admin_password(const MemberConfig& config);

}  // namespace holdfast::agent
