// How a server of each engine is made and started: the one place that knows data directories and command lines.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config.h"
#include "agent/server_files.h"
#include "base/deadline.h"
#include "engine/galera/stored.h"
#include "sys/process.h"
#include "sys/user.h"

namespace holdfast::agent {

enum class StartMode {
  normal,    ///< serves its clients and follows its upstream
  isolated,  ///< unix socket only, no replication: for restores and repairs
};

struct LaunchOptions {
  StartMode mode = StartMode::normal;
  bool new_cluster = false;             ///< Galera: become the first member of a new primary component
  std::vector<std::string> extra_args;  ///< appended to the server's arguments
  bool side = false;                    ///< on the side directory, to be proven before it takes over
};

/// The server's command, ready to spawn: writes its configuration files under etc_dir() first.
Result<sys::Command> prepare_launch(const MemberConfig& config, const LaunchOptions& options);

/// Makes an empty data directory at data_dir() with the administrator and replication accounts of this member. Refuses
/// ("agent.not_empty") when the directory holds anything. A half-made directory is removed again on failure.
Status initialise_empty(const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// Makes data_dir() a copy of a stopped server's data directory, with its own server identity (auto.cnf is left out).
Status initialise_copy(const MemberConfig& config, const std::string& from, Deadline deadline, std::stop_token stop);
/// PostgreSQL: makes data_dir() a base backup of the upstream.
Status initialise_basebackup(const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// Galera's own note of where a node stands, <dataDir>/grastate.dat; nothing where there is none, or not a whole one.
using engine::galera::Grastate;
std::optional<Grastate> read_grastate(const MemberConfig& config);
Status write_grastate(const MemberConfig& config, const Grastate& state);
/// Marks this node as the one to form a new cluster from; the caller has compared all members.
Status allow_bootstrap(const MemberConfig& config, Grastate state);

/// Removes what a crash leaves behind and would stop the next start (stale socket locks, postmaster.pid).
/// "agent.in_use" (refused) while a process uses the data directory: nothing is stale then, and nothing is removed.
Status clear_stale(const MemberConfig& config);

/// Signs in once over the unix socket and asks whether the server serves; "agent.not_ready" or an sql error when not.
Status probe_ready(const MemberConfig& config, Deadline deadline);
/// It takes connections, whatever it says then: a server that is starting, or ending, takes none.
bool takes_connections(const MemberConfig& config, Deadline deadline);

/// The signal that asks this engine's server to end: without waiting for clients, data safe.
int stop_signal(cluster::Engine engine);

// One set per engine, called by the functions above.
namespace detail {
Result<sys::Command> launch_mariadb(const MemberConfig& config, const LaunchOptions& options);
Result<sys::Command> launch_mysql(const MemberConfig& config, const LaunchOptions& options);
Result<sys::Command> launch_postgres(const MemberConfig& config, const LaunchOptions& options);
/// One that was there before its agent, started by the agent: isolated, or on its side directory.
Result<sys::Command> launch_existing(const MemberConfig& config, const LaunchOptions& options);
/// Puts where the server's own start finds it which role it has, and what else the agent has to say: `extra` holds for
/// the next start (MariaDB, MySQL, Galera: until this is written again).
Status tell_existing(const MemberConfig& config, const std::vector<std::string>& extra);
/// MariaDB, MySQL: what an existing server's configuration says that its data directory must be made with, as
/// arguments; none of a server of ours. The program itself is asked.
Result<std::vector<std::string>> layout_arguments(const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// PostgreSQL: the same of whom a standby follows, also while it runs: it counts from its next reload on. What was
/// there is noted in <dir>/source-before. False where its files lead elsewhere: there is no upstream, or no account for
/// it.
Result<bool> tell_source(const MemberConfig& config);
/// The reverse: what was noted is there again, and the note is gone. Fine where there is none.
Status tell_source_before(const MemberConfig& config);
/// MySQL: the clone plug-in of this server, or "": beside a server of tools/peers, or where packages put it.
std::string clone_library(const MemberConfig& config);
/// MariaDB, MySQL, Galera: the file that says it.
std::string role_file(const MemberConfig& config);
/// MariaDB, MySQL: ".second" of the instance that reads the groups [mysqld.second], by its arguments or by our file
/// beside its unit; "" for one that reads those of all servers only.
std::string group_suffix(const Existing& existing);
/// Where MariaDB keeps the statements that make its system tables, and how their names begin ("mysql" before 11.0).
struct MariadbShare {
  std::string folder, prefix;
};
/// Beside the program, then where distributions have it. "agent.no_system_tables" (unavailable).
Result<MariadbShare> find_mariadb_share(const std::string& server_program,
                                        const std::vector<std::string>& elsewhere = {"/usr/share/mariadb",
                                                                                     "/usr/share/mysql"});
Status initialise_mariadb(const MemberConfig& config, Deadline deadline, std::stop_token stop);
Status initialise_mysql(const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// PostgreSQL: makes data_dir() that of a standby, and drops where another member said it streams from.
Status become_standby(const MemberConfig& config);
Status initialise_postgres(const MemberConfig& config, Deadline deadline, std::stop_token stop);
/// PostgreSQL: 'text' as a value in its configuration.
std::string postgres_setting(std::string_view text);
/// Writes a configuration file readable by the server only: etc_dir()/name, returns its path.
Result<std::string> write_etc(const MemberConfig& config, const std::string& name, std::string_view body);
/// PostgreSQL: appended to the conninfo of a program that copies from another host. Without it one whose peer is gone
/// waits for two hours; with it as long as connections of our own (net::prepare_socket).
inline constexpr std::string_view kNoticesSilence =
    " keepalives=1 keepalives_idle=30 keepalives_interval=10 keepalives_count=6 tcp_user_timeout=90000";
/// PostgreSQL: how a member signs in to another one for replication, with the password in `passfile`.
Result<std::string> replication_conninfo(const MemberConfig& config, const std::string& host, int port,
                                         const std::string& passfile);
/// PostgreSQL: the password file for that.
Result<Secret> replication_passfile(const MemberConfig& config);
/// Fills data_dir() with a copy of a stopped server's directory, without what belongs to that server alone.
Status copy_files(const MemberConfig& config, const std::string& from, Deadline deadline, std::stop_token stop);
/// A directory that belongs to the server; the one above it is ours.
Status make_server_dir(const MemberConfig& config, const std::string& path, unsigned mode);
sys::Command base_command(const MemberConfig& config, std::vector<std::string> argv);
/// CREATE USER statements of the administrator and replication accounts, for MariaDB and MySQL.
Result<Secret> mysql_accounts(const MemberConfig& config);
}  // namespace detail

}  // namespace holdfast::agent
