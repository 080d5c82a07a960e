#include "lab/ports.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <random>

namespace holdfast::lab {

namespace {

bool is_free(int port) {
  sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int yes = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // TIME_WAIT does not stop the servers either
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  return ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

sys::Fd lease_name(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, name.data(), name.size());
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) fd.reset();
  return fd;
}

Result<PortLease> lease_port(int port) {
  auto lease = lease_name(fmt::format("holdfast-port-{}", port));
  if (!lease || !is_free(port))
    return fail(ErrorClass::conflict, "lab.port_taken", fmt::format("port {} is in use", port));
  return PortLease{port, std::move(lease)};
}

Result<PortLease> lease_any_port() {
  static thread_local std::mt19937 random(std::random_device{}());
  for (int attempt = 0; attempt < 2000; ++attempt) {
    auto lease = lease_port(static_cast<int>(20000 + random() % 10000));
    if (lease) return lease;
  }
  return fail(ErrorClass::unavailable, "lab.no_port", "no free port between 20000 and 29999");
}

Result<PortLease> lease_port_from(int port) {
  for (int next = port; next < port + 100; ++next)
    if (auto lease = lease_port(next)) return lease;
  return lease_any_port();
}

}  // namespace holdfast::lab
