// A member's server as a restore needs it: stopped, moved aside, made anew, started. Implemented where agents are
// known.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/types.h"
#include "engine/channels.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// What a restore must know of a member.
struct MemberSetup {
  std::string name;
  bool is_primary = true;  ///< Galera: the one that is rebuilt first
  std::string data_dir;
  sql::Target socket;    ///< administrator, over the unix socket
  std::string upstream;  ///< name of the member it is configured to follow; "" = none
  std::string upstream_host;
  int upstream_port = 0;
  struct Address {
    std::string host;
    int port = 0;
  };
  std::map<std::string, Address> peers;  ///< members by name, as this one reaches them
  std::string replication_user;
  Secret replication_password;
  std::string slot;  ///< PostgreSQL
};

struct StartRequest {
  bool isolated = false;     ///< unix socket only, no replication
  bool new_cluster = false;  ///< Galera
  std::vector<std::string> extra_args;
};

class MemberControl {
 public:
  virtual ~MemberControl() = default;
  virtual const MemberSetup& setup() const = 0;
  /// Before anything of setup() but its name is used: a supervisor that did not answer at first is asked now. Without
  /// its answer nothing says where the server is.
  virtual Status learn() { return {}; }
  /// MariaDB, MySQL, Galera: its replication connections as they were when its supervisor last saw them, with their
  /// passwords; empty where none were seen. An error where the supervisor does not say.
  virtual Result<std::vector<Channel>> noted_channels() { return std::vector<Channel>(); }
  /// Any server: also one that somebody started beside its supervisor.
  virtual Result<bool> is_running(Deadline deadline) = 0;
  virtual Status start(const StartRequest& request, Deadline deadline) = 0;
  /// In order; one that does not end by the deadline is killed, and its death waited for. Refused
  /// while a process goes on using the data directory that this cannot stop.
  virtual Status stop(Deadline deadline) = 0;
  /// Empty data directory with the administrator's and the replication account.
  virtual Status initialise_empty(Deadline deadline) = 0;
  /// A copy of the data directory of the stopped member `from`, which may be on another host.
  virtual Status initialise_copy(const std::string& from, Deadline deadline) = 0;
  virtual Status initialise_basebackup(Deadline deadline) = 0;
  /// Moves the data directory away; where to ("" when there was none).
  virtual Result<std::string> set_aside(Deadline deadline) = 0;
  virtual Status put_back(const std::string& path, Deadline deadline) = 0;
  /// A server in a folder of its own: the restore is whole.
  virtual Status settle() { return {}; }
  /// The same: the restore failed and the server is stopped; nothing of it is left.
  virtual Status discard() { return {}; }
};

}  // namespace holdfast::engine
