#include "agent/ways.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "agent/data_dir.h"
#include "agent/server_files.h"
#include "agent/startup_message.h"
#include "net/connect.h"
#include "sys/network.h"
#include "sys/process.h"

namespace holdfast::agent {

namespace fs = std::filesystem;
using codec::Value;

Result<Value> member_value(const MemberConfig& config) {
  const Secret password = TRY(admin_password(config));
  Value peer;  // the unix user whom the server takes for its administrator
  if (password.empty() && config.engine == cluster::Engine::postgres)
    peer = Value::object({{"uid", config.uid}, {"gid", config.gid}});
  auto value = Value::object(
      {{"name", config.member},
       {"primary", config.engine == cluster::Engine::galera ? config.ordinal == 0 : config.role == Role::primary},
       {"dataDir", config.data_dir()},
       {"socket", config.server_socket()},
       {"host", config.host},
       {"port", config.port},
       {"adminUser", config.admin_user},
       {"adminPassword", password.reveal()},
       {"adminPeer", peer},
       {"slot", config.slot_name()}});
  auto peers = Value::object();
  for (const auto& peer : config.peers) peers.set(peer.name, Value::object({{"host", peer.host}, {"port", peer.port}}));
  value.set("peers", peers);
  if (const Peer* upstream = config.find_peer(config.upstream)) {
    value.set("upstream", upstream->name);
    value.set("upstreamHost", upstream->host);
    value.set("upstreamPort", upstream->port);
  }
  if (!config.replication_user.empty() && !config.replication_password_file.empty()) {
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
  fs::directory_iterator it(config.data_home(), error), end;
  for (; !error && it != end; it.increment(error))
    if (it->path().string().starts_with(config.beside(".replaced-"))) replaced.push_back(it->path().string());
  if (error) return fail(sys::errno_error(error.value(), "listing " + config.data_home()));
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

/// Where a server that listens on this host is most likely to.
Result<sys::Fd> connect_loopback(const MemberConfig& config, Deadline deadline, const std::stop_token& stop) {
  auto fd = net::tcp_connect("127.0.0.1", config.port, deadline, stop);
  return fd || config.host.empty() ? std::move(fd) : net::tcp_connect(config.host, config.port, deadline, stop);
}

/// A server that takes root for its administrator is shown root. Its socket is opened as its user and connected to by
/// the descriptor: no link leads root to another one.
Result<sys::Fd> connect_as_root(const MemberConfig& config) {
  const std::string path = config.server_socket();
  sys::Fd socket;
  {
    const sys::ActAs as_server(server_identity(config));
    socket = TRY(sys::open_file(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
  }
  struct stat info{};
  if (::fstat(socket.get(), &info) != 0 || !S_ISSOCK(info.st_mode) || info.st_uid != config.uid)
    return fail(ErrorClass::refused, "agent.no_server", path + " is not the server's socket");
  return connect_server(fmt::format("/proc/self/fd/{}", socket.get()));
}

}  // namespace

Status serve_sql(const MemberConfig& config, net::Stream& stream, bool& answered, Deadline deadline,
                 const std::stop_token& stop) {
  // The directory is the server's user's: a link that user put there leads where that user may go.
  auto connected = [&]() -> Result<sys::Fd> {
    const bool asks_kernel = config.existing && config.admin_password_file.empty();
    if (asks_kernel && config.engine != cluster::Engine::postgres) return connect_as_root(config);
    const sys::ActAs as_server(server_identity(config),
                               asks_kernel ? sys::ActAs::Before::peers : sys::ActAs::Before::files);
    return connect_server(config.server_socket());
  }();
  sys::Fd fd = TRY(std::move(connected));
  answered = true;
  TRY_VOID(stream.write_all(as_bytes(std::string_view("{\"ok\":true}\n")), deadline, stop));
  Buffer first;
  if (config.existing && config.engine == cluster::Engine::postgres) {
    first = TRY(read_startup_message(stream, deadline, stop));
    const std::string user = startup_user(first);
    // By the unix socket packages let in whoever the kernel says; with a password it goes over the loopback.
    if (!user.empty() && !(config.admin_password_file.empty() && user == config.admin_user))
      if (auto loopback = connect_loopback(config, deadline, stop)) fd = std::move(*loopback);
  }
  net::SocketStream server(std::move(fd));
  if (!first.empty()) TRY_VOID(server.write_all(first, deadline, stop));
  return net::relay(stream, server, Deadline::never(), stop);
}

}  // namespace holdfast::agent
