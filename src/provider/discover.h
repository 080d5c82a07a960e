// A cluster found from one of its servers: cluster/discovery.h, with real servers and the sockets of this machine.
#pragma once

#include <chrono>
#include <stop_token>

#include "cluster/discovery.h"

namespace holdfast::provider {

/// Asks `start` and what it leads to, one after the other, each for at most `per_server`; changes nothing. `like` has
/// the engine, credentials and TLS that are asked with. Errors: those of the first server, "config.credentials".
Result<cluster::Discovery> discover(const cluster::DatabaseCluster& like, const cluster::Place& start,
                                    std::chrono::milliseconds per_server, std::stop_token stop);

/// Of /proc/net/unix: the paths on which a server of that engine listens, to go by their names.
std::vector<std::string> server_sockets(cluster::Engine engine, std::string_view proc_net_unix);

}  // namespace holdfast::provider
