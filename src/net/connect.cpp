#include "net/connect.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>

#include "base/mutex.h"
#include "net/stream_error.h"
#include "sys/process.h"

namespace holdfast::net {
namespace {

std::unexpected<Error> unreachable(std::string what) {
  return fail(ErrorClass::unavailable, "net.unreachable", std::move(what),
              "check the address and port, that the agent there runs and listens on it, and firewalls in between");
}

Result<std::vector<Endpoint>> look_up(const std::string& host, int port, int flags) {
  addrinfo wanted{};
  wanted.ai_family = AF_UNSPEC;
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  const int problem = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &list);
  if (problem != 0) return unreachable(fmt::format("{}: {}", host, ::gai_strerror(problem)));
  std::vector<Endpoint> found;
  for (const addrinfo* each = list; each; each = each->ai_next) {
    Endpoint endpoint;
    if (each->ai_addrlen > sizeof endpoint.address) continue;
    std::memcpy(&endpoint.address, each->ai_addr, each->ai_addrlen);
    endpoint.size = each->ai_addrlen;
    found.push_back(endpoint);
  }
  ::freeaddrinfo(list);
  return found;
}

/// A look-up on its way, owned by its thread and by who waits for it, whichever goes last.
struct Pending {
  sys::Fd done{::eventfd(0, EFD_CLOEXEC)};  // readable when `found` is there
  Mutex mutex;
  std::optional<Result<std::vector<Endpoint>>> found GUARDED_BY(mutex);
};

/// One address; nullopt when it did not answer by `deadline`.
Result<std::optional<sys::Fd>> connect_one(const Endpoint& endpoint, Deadline deadline, const std::stop_token& stop) {
  sys::Fd fd(::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return unreachable(fmt::format("{}: {}", endpoint.to_string(), std::strerror(errno)));
  prepare_socket(fd.get());
  int problem = 0;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) != 0) {
    problem = errno;
    if (problem == EINPROGRESS || problem == EINTR) {
      if (!TRY(sys::wait_fd(fd.get(), POLLOUT, deadline, stop))) return std::optional<sys::Fd>();
      socklen_t size = sizeof problem;
      if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &problem, &size) != 0) problem = errno;
    }
  }
  if (problem != 0) return unreachable(fmt::format("{}: {}", endpoint.to_string(), std::strerror(problem)));
  return std::optional<sys::Fd>(std::move(fd));
}

}  // namespace

std::string Endpoint::to_string() const {
  char host[NI_MAXHOST], port[NI_MAXSERV];
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return "?";
  if (address.ss_family == AF_INET6) return fmt::format("[{}]:{}", host, port);
  return fmt::format("{}:{}", host, port);
}

Result<std::vector<Endpoint>> system_lookup(const std::string& host, int port) {
  return look_up(host, port, 0);
}

Result<std::vector<Endpoint>> resolve(const std::string& host, int port, Deadline deadline, std::stop_token stop,
                                      Lookup lookup) {
  if (host.empty() || port < 1 || port > 65535)
    return unreachable(fmt::format("'{}:{}' is not an address", host, port));
  if (auto numeric = look_up(host, port, AI_NUMERICHOST)) return numeric;
  auto pending = std::make_shared<Pending>();
  if (!pending->done) return fail(sys::errno_error(errno, "eventfd"));
  try {
    std::thread([pending, host, port, lookup = std::move(lookup)] {
      auto found = lookup(host, port);
      {
        MutexLock lock(pending->mutex);
        pending->found = std::move(found);
      }
      (void)!::write(pending->done.get(), "\1\0\0\0\0\0\0\0", 8);
    }).detach();
  } catch (const std::system_error& error) {
    return fail(sys::errno_error(error.code().value(), "a thread to look up " + host));
  }
  if (!TRY(sys::wait_fd(pending->done.get(), POLLIN, deadline, stop)))
    return fail(timed_out("looking up the name " + host + " took too long"));
  MutexLock lock(pending->mutex);
  return *std::move(pending->found);
}

Result<sys::Fd> connect_any(const std::vector<Endpoint>& endpoints, Deadline deadline, std::stop_token stop) {
  Error last = timed_out("there is no address to connect to");
  for (size_t i = 0; i < endpoints.size(); ++i) {
    if (i > 0 && deadline.passed()) break;
    const auto remaining = static_cast<long>(endpoints.size() - i);
    const bool is_last = remaining == 1;
    const auto share = std::min(deadline.left() / remaining, std::chrono::milliseconds(10'000));
    auto connected = connect_one(endpoints[i], is_last ? deadline : deadline.at_most(share), stop);
    if (!connected && connected.error().error_class == ErrorClass::interrupted)
      return fail(std::move(connected.error()));
    if (connected && *connected) return *std::move(*connected);
    last = connected ? timed_out(endpoints[i].to_string() + " did not answer in time") : std::move(connected.error());
  }
  return fail(std::move(last));
}

Result<sys::Fd> tcp_connect(const std::string& host, int port, Deadline deadline, std::stop_token stop) {
  const auto endpoints = TRY(resolve(host, port, deadline, stop));
  return connect_any(endpoints, deadline, stop);
}

void prepare_socket(int fd) {
  const auto set = [fd](int level, int name, int value) { (void)::setsockopt(fd, level, name, &value, sizeof value); };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 6);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 90'000);
}

}  // namespace holdfast::net
