// A Galera node that was there before its agent: what its settings say of it, and options for one start.
//
//   <socket_dir>.start.cnf    there only while the agent starts it (/run: gone with a boot), included by the drop-in
// A node has no role, so nothing else of its configuration is ours.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"

namespace holdfast::agent {

struct GaleraNode {
  std::string name, cluster, address;  ///< wsrep_node_name, wsrep_cluster_name, wsrep_cluster_address
  std::vector<std::string> remarks;    ///< sentences: what will not be possible, and why
};

/// What a running server says of itself, by SHOW GLOBAL VARIABLES. `own_account`: whether it knows the user it runs as
/// by its unix socket, where that could be asked. Errors (refused, with a hint): "adopt.engine": it is no node;
/// "adopt.new_component": each start of it forms one.
Result<GaleraNode> read_node(const std::map<std::string, std::string>& settings, std::optional<bool> own_account);
/// Asks a node that; nothing where it does not answer.
std::optional<bool> has_own_account(const MemberConfig& config, Deadline deadline, const std::stop_token& stop);
/// The nodes that a wsrep_cluster_address names: "gcomm://a,b:4567?pc.weight=1" -> a, b:4567.
std::vector<std::string> nodes_of(const std::string& address);

/// The same ("adopt.new_component") of a unit, by how it starts its server: `systemctl show -p ExecStart,Environment`.
Status check_node_unit(const std::string& unit, const std::string& how_it_starts);

/// Whether these are a server's arguments that only looks for its position and ends: --wsrep-recover.
bool is_position_recovery(const std::vector<std::string>& arguments);
/// Whether its unit has told it where it stands, as galera_recovery does.
bool is_told_its_position(const std::vector<std::string>& arguments);
/// Without what holds for one start: --wsrep-new-cluster, --wsrep-start-position.
std::vector<std::string> lasting_arguments(std::vector<std::string> arguments);

/// The file of what holds for one start.
std::string start_file(const MemberConfig& config);
/// Writes it, or removes it where there is nothing to say. Durable enough: what a crash of the machine leaves of it is
/// gone with /run.
Status tell_node(const MemberConfig& config, const std::vector<std::string>& words);

}  // namespace holdfast::agent
