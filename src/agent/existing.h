// Servers that are on a host already, and how an agent comes to have one, and gives it back: nothing restarts.
//
//   <dir>/agent.json     what the agent knows of it          <dir>/etc/role.cnf   how it starts (MariaDB, MySQL)
//   <its configuration>/zz-holdfast-<member>.cnf             includes that file (MariaDB, MySQL)
//   /etc/systemd/system/<unit>.d/holdfast-<member>.conf      keeps the unit from data that is not whole, and has no
//                                                            other server read what is in role.cnf
// Nothing else is changed outside of <dir>, but for PostgreSQL's own files in its data directory. A Galera node's file
// includes what holds for one start (agent/galera_node.h).
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config.h"
#include "agent/galera_node.h"
#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::agent {

/// A server that runs here.
struct FoundServer {
  pid_t pid = 0;
  std::string program;  ///< its file
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  std::string data_dir;
  std::string socket;                  ///< one it listens on; "" = none of those asked for
  std::string unit;                    ///< whose main process it is; "" = none's
  std::vector<std::string> triggers;   ///< of that, which are active
  std::vector<std::string> arguments;  ///< without the program
  std::string group_suffix;            ///< MariaDB, MySQL: that its environment gives it, and no agent
  std::string time_zone;               ///< TZ of its environment
  bool has_agent = false;              ///< an agent has started it
};

/// All servers of an engine that run on this host. Who listens on which of `sockets` the kernel says. Takes root.
std::vector<FoundServer> find_servers(cluster::Engine engine, const std::vector<std::string>& sockets);

using Settings = std::map<std::string, std::string>;

/// By what a server says of itself, and by what is there.
DataPlaces data_places(cluster::Engine engine, const std::string& data_dir, const Settings& settings);
/// Of a running server, which is asked.
Result<DataPlaces> data_places_now(const MemberConfig& config, Deadline deadline, std::stop_token stop = {});

/// Whether the server's user can change what is beside this directory, or above that.
bool can_change_beside(const std::string& dir, uid_t uid);

struct AdoptRequest {
  MemberConfig like;  ///< engine, names, peers, accounts, TLS, directories: all that the server does not say itself
  std::vector<std::string> sockets;  ///< on which servers of this engine may listen
  std::string data_dir;              ///< which one, where there are several
};

struct Adoption {
  FoundServer server;
  MemberConfig config;
  std::string drop_in;               ///< the text of config.existing->drop_in
  std::string unit_drop_in;          ///< of config.existing->unit_drop_in
  std::vector<std::string> remarks;  ///< sentences: what will not be possible, and why
  GaleraNode node;                   ///< of a Galera node
};

/// Finds the server and says how it would be had; changes nothing. Errors (refused or usage, with a hint):
/// "adopt.no_server", "adopt.several_servers", "adopt.has_agent", "adopt.engine", "adopt.configuration" (it reads no
/// directory of configuration files, or says that its data is elsewhere), "adopt.shared_configuration" (without a unit,
/// another server would read how this one starts), those of read_node() and of a connection.
Result<Adoption> plan_adoption(const AdoptRequest& request, Deadline deadline, std::stop_token stop);
/// Writes the member's directory and the drop-ins. Done twice it is the same.
Status carry_out(const Adoption& adoption);

/// The text of the file that the server's configuration gets.
std::string drop_in_text(const MemberConfig& config);
/// The text of the file beside its unit.
std::string unit_drop_in_text(const MemberConfig& config);
/// The last directory of configuration files that a server with these arguments reads, by the rules of MariaDB and
/// MySQL; "" where there is none. `root` stands before each path ("" = this machine).
std::string include_directory(const std::vector<std::string>& arguments, const std::string& root = {});

/// Whether release() would do it: for while the agent still runs.
Status check_releasable(const MemberConfig& config);
/// Takes away what carry_out() put outside the member's directory, and agent.json with the rest of what the agent made
/// for itself; the data directory, its server and what was moved aside stay. The agent must have ended. Refused
/// ("release.not_by_unit") where the server was started by its agent, and would not be the unit's afterwards;
/// ("release.unfinished") where an operation left something half done.
Status release(const MemberConfig& config);

}  // namespace holdfast::agent
