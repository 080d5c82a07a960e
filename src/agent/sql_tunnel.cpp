#include "agent/sql_tunnel.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "base/log.h"
#include "sys/process.h"

namespace holdfast::agent {

using std::chrono::seconds;

namespace {

constexpr seconds kPatience{10};
/// A server ends a connection whose client says nothing at first.
constexpr seconds kKeepsReady{4};

}  // namespace

Result<std::shared_ptr<SqlTunnel>> SqlTunnel::open(const Address& agent, int port) {
  auto folder = TRY(sys::TempDir::create("sql"));
  std::string path = fmt::format("{}/.s.PGSQL.{}", folder.path(), port);
  std::shared_ptr<SqlTunnel> tunnel(new SqlTunnel(agent, std::move(folder), std::move(path)));
  TRY_VOID(tunnel->listen());
  tunnel->thread_ = std::jthread([raw = tunnel.get()](const std::stop_token& ended) { raw->run(ended); });
  return tunnel;
}

Result<std::shared_ptr<SqlTunnel>> SqlTunnel::connect(const Address& agent, int port, Deadline deadline,
                                                      std::stop_token stop) {
  auto tunnel = TRY(open(agent, port));
  auto first = TRY(tunnel->ask(deadline, stop));
  MutexLock lock(tunnel->mutex_);
  tunnel->ready_ = Ready{std::move(first), std::chrono::steady_clock::now()};
  return tunnel;
}

SqlTunnel::~SqlTunnel() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Result<std::unique_ptr<net::Stream>> SqlTunnel::ask(Deadline deadline, const std::stop_token& stop) {
  auto client = TRY(Client::connect(agent_, deadline, stop));
  return std::move(client).open("sql", codec::Value::object(), deadline, stop);
}

Status SqlTunnel::listen() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path)
    return fail(ErrorClass::usage, "agent.socket_path", path_ + " is too long for a unix socket (107 bytes)",
                "set TMPDIR to a shorter path");
  std::memcpy(address.sun_path, path_.c_str(), path_.size());
  listener_ = sys::Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_) return fail(sys::errno_error(errno, "a socket"));
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return fail(sys::errno_error(errno, "bind " + path_));
  if (::listen(listener_.get(), 64) != 0) return fail(sys::errno_error(errno, "listen " + path_));
  return {};
}

void SqlTunnel::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    auto readable = sys::wait_fd(listener_.get(), POLLIN, Deadline::never(), stop);
    if (!readable) break;
    sys::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    std::erase_if(carried_, [](const Carried& c) { return c.done.load(); });
    if (!client) continue;
    Carried& carried = carried_.emplace_back();
    carried.thread = std::jthread([this, &carried, fd = std::move(client), stop]() mutable {
      carry(std::move(fd), stop);
      carried.done = true;
    });
  }
  carried_.clear();
}

void SqlTunnel::carry(sys::Fd client, const std::stop_token& stop) {
  std::unique_ptr<net::Stream> stream;
  {
    MutexLock lock(mutex_);
    if (ready_ && std::chrono::steady_clock::now() - ready_->since < kKeepsReady) stream = std::move(ready_->stream);
    ready_.reset();
  }
  if (!stream) {
    auto connected = ask(Deadline::in(kPatience), stop);
    if (!connected) {
      log(LogLevel::info, "a connection through the agent at {}: {}", agent_.text(), connected.error().to_string());
      return;  // the client sees the end of its connection
    }
    stream = std::move(*connected);
  }
  net::SocketStream local(std::move(client));
  (void)net::relay(local, *stream, Deadline::never(), stop);
}

}  // namespace holdfast::agent
