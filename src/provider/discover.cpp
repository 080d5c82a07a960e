#include "provider/discover.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "engine/login.h"
#include "engine/neighbours.h"
#include "sys/environment.h"
#include "sys/file.h"

namespace holdfast::provider {

using cluster::DatabaseCluster;
using cluster::Engine;
using cluster::Place;

namespace {

bool is_server_socket(Engine engine, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  if (engine == Engine::postgres) {
    constexpr std::string_view kName = ".s.PGSQL.";
    return name.starts_with(kName) && name.find_first_not_of("0123456789", kName.size()) == std::string::npos;
  }
  // MySQL's X protocol is another one.
  return name.ends_with(".sock") && name.find("mysqlx") == std::string::npos &&
         (path.find("mysql") != std::string::npos || path.find("maria") != std::string::npos);
}

std::vector<std::string> sockets_here(Engine engine) {
  const auto table = sys::read_file("/proc/net/unix");
  return table ? server_sockets(engine, as_text(table->span())) : std::vector<std::string>();
}

}  // namespace

std::vector<std::string> server_sockets(Engine engine, std::string_view proc_net_unix) {
  std::vector<std::string> paths;
  std::istringstream lines{std::string(proc_net_unix)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string number, references, protocol, flags, type, state, inode, path;
    fields >> number >> references >> protocol >> flags >> type >> state >> inode >> std::ws;
    std::getline(fields, path);
    constexpr std::string_view kListens = "00010000", kStream = "0001";
    if (flags != kListens || type != kStream || !path.starts_with('/') || !is_server_socket(engine, path)) continue;
    if (std::ranges::find(paths, path) == paths.end()) paths.push_back(std::move(path));
  }
  std::ranges::sort(paths);
  return paths;
}

Result<cluster::Discovery> discover(const DatabaseCluster& like, const Place& start,
                                    std::chrono::milliseconds per_server, std::stop_token stop) {
  DatabaseCluster named = like;  // for messages
  if (named.name.empty()) named.name = ClusterName(std::string(cluster::engine_name(like.engine)));
  const engine::Login login = TRY(engine::cluster_login(named, sys::variable));
  cluster::DiscoveryAsk ask;
  ask.server = [&](const Place& place) -> Result<cluster::ServerWords> {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "interrupted");
    if (place.socket.empty() && like.credentials.by_socket())
      return fail(ErrorClass::usage, "discover.no_password",
                  fmt::format("{} is asked over the network, which takes a password", place.text()),
                  "--user USER --password-file FILE");
    cluster::Member member;
    member.host = place.host;
    member.port = place.port;
    member.socket = place.socket;
    return engine::ask_neighbours(like.engine, engine::member_target(like, member, login), Deadline::in(per_server),
                                  stop);
  };
  ask.sockets = [&] { return sockets_here(like.engine); };
  auto found = TRY(cluster::discover(like, start, ask));
  if (stop.stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
  return found;
}

}  // namespace holdfast::provider
