#include "tests/support/host_sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <thread>

#include "sys/net_namespace.h"

namespace holdfast::test {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

void inside(const std::string& net_namespace, const std::function<void()>& work) {
  if (net_namespace.empty()) return work();
  const auto fd = sys::open_net_namespace(net_namespace);
  ASSERT_TRUE(fd) << net_namespace;
  const auto done = sys::in_net_namespace(fd->get(), [&]() -> Status {
    work();
    return {};
  });
  EXPECT_TRUE(done) << done.error().to_string();
}

sockaddr_in address_of(const std::string& host, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  EXPECT_EQ(::inet_pton(AF_INET, host.c_str(), &address.sin_addr), 1) << host;
  return address;
}

}  // namespace

std::string connect_from(const std::string& net_namespace, const std::string& host, int port, milliseconds limit) {
  std::string result = "silent";
  inside(net_namespace, [&] {
    const sys::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sockaddr_in address = address_of(host, port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      result = "connected";
      return;
    }
    pollfd waiting{socket.get(), POLLOUT, 0};
    int error = errno;
    socklen_t size = sizeof error;
    if (error != EINPROGRESS || ::poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return;
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) result = "connected";
    if (error == ECONNREFUSED) result = "refused";
  });
  return result;
}

milliseconds round_trip(const std::string& net_namespace, const std::string& host, int port, milliseconds limit) {
  const auto begun = Clock::now();
  if (connect_from(net_namespace, host, port, limit) == "silent") return limit;
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begun);
}

int datagrams(const std::string& from, const std::string& to, const std::string& address, int count) {
  sys::Fd receiver, sender;
  int port = 0;
  inside(to, [&] {
    receiver = sys::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int buffer = 4 << 20;
    ::setsockopt(receiver.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    sockaddr_in any = address_of(address, 0);
    socklen_t size = sizeof any;
    EXPECT_EQ(::bind(receiver.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    ::getsockname(receiver.get(), reinterpret_cast<sockaddr*>(&any), &size);
    port = ntohs(any.sin_port);
  });
  inside(from, [&] { sender = sys::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); });
  const sockaddr_in target = address_of(address, port);
  for (int i = 0; i < count; ++i) {
    (void)!::sendto(sender.get(), &i, sizeof i, 0, reinterpret_cast<const sockaddr*>(&target), sizeof target);
    // The first one waits for the neighbour's address, and a queue of three with it.
    std::this_thread::sleep_for(i < 5 ? milliseconds(120) : std::chrono::microseconds(200));
  }
  int arrived = 0;
  pollfd waiting{receiver.get(), POLLIN, 0};
  while (::poll(&waiting, 1, 700) > 0) {
    int number = 0;
    if (::recv(receiver.get(), &number, sizeof number, 0) == sizeof number) ++arrived;
  }
  return arrived;
}

}  // namespace holdfast::test
