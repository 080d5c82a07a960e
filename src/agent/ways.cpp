#include "agent/ways.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "agent/data_dir.h"
#include "agent/server_files.h"
#include "sys/network.h"
#include "sys/process.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;

Result<Value> member_value(const MemberConfig& config) {
  const Secret password = TRY(read_password(config.admin_password_file));
  auto value = Value::object(
      {{"name", config.member},
       {"primary", config.engine == cluster::Engine::galera ? config.ordinal == 0 : config.role == Role::primary},
       {"dataDir", config.data_dir()},
       {"socket", config.server_socket()},
       {"host", config.host},
       {"port", config.port},
       {"adminUser", config.admin_user},
       {"adminPassword", password.reveal()},
       {"slot", config.slot_name()}});
  auto peers = Value::object();
  for (const auto& peer : config.peers) peers.set(peer.name, Value::object({{"host", peer.host}, {"port", peer.port}}));
  value.set("peers", peers);
  if (const Peer* upstream = config.find_peer(config.upstream)) {
    value.set("upstream", upstream->name);
    value.set("upstreamHost", upstream->host);
    value.set("upstreamPort", upstream->port);
  }
  if (!config.replication_user.empty()) {
    value.set("replicationUser", config.replication_user);
    value.set("replicationPassword", TRY(read_password(config.replication_password_file)).reveal());
  }
  return value;
}

Value network_value(pid_t server) {
  const auto network = sys::own_network(server);
  return Value::object(
      {{"id", network.id}, {"hostname", network.hostname}, {"addresses", Value::list_of(network.addresses)}});
}

Result<Value> directories_value(const MemberConfig& config) {
  std::vector<std::string> replaced, dropping;
  std::error_code error;
  fs::directory_iterator it(config.dir, error), end;
  for (; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(config.data_name + ".replaced-")) replaced.push_back(it->path().string());
  }
  if (error) return fail(sys::errno_error(error.value(), "listing " + config.dir));
  for (const auto& path : dropping_dirs(config)) dropping.push_back(path);
  std::ranges::sort(replaced);
  const auto there = [&](const std::string& path) -> Result<bool> {
    std::error_code failed;
    const auto status = fs::symlink_status(path, failed);
    if (status.type() == fs::file_type::not_found) return false;
    if (failed) return fail(sys::errno_error(failed.value(), path));
    return true;
  };
  const bool data = TRY(there(config.data_dir())), side = TRY(there(side_of(config).data_dir()));
  return Value::object(
      {{"data", data}, {"side", side}, {"replaced", Value::list_of(replaced)}, {"dropping", Value::list_of(dropping)}});
}

namespace {

Result<sys::Fd> connect_server(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorClass::usage, "agent.socket_path", path + " is too long for a unix socket (107 bytes)");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail(sys::errno_error(errno, "a socket"));
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(ErrorClass::unavailable, "agent.no_server",
                fmt::format("no server accepts connections at {}: {}", path, std::strerror(errno)));
  return fd;
}

}  // namespace

Status serve_sql(const MemberConfig& config, net::Stream& stream, bool& answered, Deadline deadline,
                 const std::stop_token& stop) {
  // The directory is the server's user's: a link that user put there leads where that user may go.
  auto connected = [&] {
    const sys::ActAs as_server(server_identity(config));
    return connect_server(config.server_socket());
  }();
  net::SocketStream server(TRY(std::move(connected)));
  answered = true;
  TRY_VOID(stream.write_all(as_bytes(std::string_view("{\"ok\":true}\n")), deadline, stop));
  return net::relay(stream, server, Deadline::never(), stop);
}

}  // namespace holdfast::agent
