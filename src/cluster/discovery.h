// From one server to the cluster it is part of: who its source is, who follows it, which nodes it sees, and what those
// say in turn. Without I/O of its own: who asks a server is handed in.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/types.h"

namespace holdfast::cluster {

/// Where a server is reached: over the network, over its unix socket, or both.
struct Place {
  std::string host = {};
  int port = 0;
  std::string socket = {};
  /// "127.0.0.1:3306", or the socket.
  std::string text() const;
};

/// Another server, as one names it.
struct Named {
  std::string host = {};   ///< "" = not known, or over a unix socket
  int port = 0;            ///< 0 = not known
  uint64_t server_id = 0;  ///< MariaDB, MySQL; 0 = not known
  std::string name = {};   ///< what it calls itself: application_name, name of the node
};

/// What one server said when it was asked.
struct ServerWords {
  std::string identity;  ///< the same server gives the same, however it is reached
  std::string lineage;   ///< PostgreSQL: system identifier; Galera: uuid of the state
  int port = 0;
  uint64_t server_id = 0;
  bool follows = false;
  std::string cluster_name;          ///< Galera: wsrep_cluster_name
  bool galera = false;               ///< it replicates by write sets
  bool semi_sync = false;            ///< its commits wait for receipts
  std::vector<Named> sources;        ///< its source in this cluster: none or one
  std::vector<Named> followers;      ///< who says that it replicates from here
  std::vector<std::string> readers;  ///< MariaDB, MySQL: hosts from which its binary log is read now
  std::vector<Named> nodes;          ///< Galera: the others of its view
  Named self;                        ///< Galera: what it is in the others' views
  std::vector<std::string> remarks;  ///< sentences: connections that are not followed, what could not be read
};

struct DiscoveryLimits {
  size_t servers = 64;  ///< that are asked, those of other clusters on this machine too
};

/// Doors to the servers.
struct DiscoveryAsk {
  std::function<Result<ServerWords>(const Place&)> server;
  /// Unix sockets of this machine on which a server of this engine may listen.
  std::function<std::vector<std::string>()> sockets;
};

struct FoundMember {
  Place place;
  bool answered = false;
  std::string because;  ///< how it was found: "follows 10.0.0.5:3306"; "" = it was named
  std::string problem;  ///< why it did not answer
  bool follows = false;
};

struct Discovery {
  DatabaseCluster cluster;           ///< parse_cluster() takes it as it is printed
  std::vector<FoundMember> members;  ///< one for each member of the cluster, in its order
  /// Found, and not to be described without a password: over the network a server knows us by one.
  std::vector<FoundMember> left_out;
  std::vector<std::string> remarks;
};

/// Asks `start` and all that it leads to. `like`: name, namespace, engine, credentials and TLS of the resource to
/// write. Fails where the first server does not answer, with what it was asked with; others are listed.
Result<Discovery> discover(const DatabaseCluster& like, const Place& start, const DiscoveryAsk& ask,
                           const DiscoveryLimits& limits = {});

/// The resource as YAML, with what is not known as comments.
std::string discovery_text(const Discovery& discovery);

}  // namespace holdfast::cluster
