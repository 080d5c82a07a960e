#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

Peers connect_peers(const DumpRequest& request, std::stop_token stop) {
  Peers peers;
  peers.all_nodes = request.all_nodes;
  const auto connect = [&](const sql::Target& target) {
    return sql::MariadbConnection::connect(target, Deadline::in(std::chrono::seconds(10)), stop);
  };
  if (request.primary) {
    auto connection = connect(*request.primary);
    if (connection) peers.primary.emplace(std::move(*connection));
  }
  for (const auto& target : request.nodes) {
    auto connection = connect(target);
    if (connection) {
      peers.nodes.push_back(std::move(*connection));
    } else {
      peers.all_nodes = false;
    }
  }
  return peers;
}

}  // namespace holdfast::engine
