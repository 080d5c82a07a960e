#include "tests/support/servers/fault_proxy.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

namespace holdfast::test {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool send_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

// Waits up to 50 ms for input.
bool readable(int fd) {
  pollfd each{fd, POLLIN, 0};
  return ::poll(&each, 1, 50) > 0;
}

// A request with its body, as far as Content-Length says.
void read_request(int fd, const std::stop_token& stop) {
  std::string text;
  char block[65536];
  size_t wanted = SIZE_MAX, have = 0;
  while (!stop.stop_requested() && have < wanted) {
    if (!readable(fd)) continue;
    const ssize_t n = ::recv(fd, block, sizeof block, 0);
    if (n <= 0) return;
    have += static_cast<size_t>(n);
    if (wanted != SIZE_MAX) continue;
    text.append(block, static_cast<size_t>(n));
    const size_t end = text.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const size_t length = text.find("Content-Length: ");
    wanted = end + 4 + (length < end ? std::strtoull(text.c_str() + length + 16, nullptr, 10) : 0);
  }
}

}  // namespace

Behaviour Behaviour::answer(int status, const std::string& headers) {
  Behaviour behaviour{.kind = Kind::answer};
  behaviour.text =
      fmt::format("HTTP/1.1 {} Injected\r\n{}Content-Length: 0\r\nConnection: close\r\n\r\n", status, headers);
  return behaviour;
}

FaultProxy::FaultProxy(int upstream_port) : upstream_port_(upstream_port) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0) {
    throw std::runtime_error("proxy: cannot listen");
  }
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this](std::stop_token stop) { accept_all(stop); });
}

FaultProxy::~FaultProxy() {
  acceptor_.request_stop();
  acceptor_.join();
  workers_.clear();
  ::close(listener_);
}

void FaultProxy::next(Behaviour behaviour, int times) {
  std::lock_guard lock(mutex_);
  for (int i = 0; i < times; ++i) queue_.push_back(behaviour);
}

void FaultProxy::always(Behaviour behaviour) {
  std::lock_guard lock(mutex_);
  otherwise_ = std::move(behaviour);
}

int FaultProxy::connections() const {
  std::lock_guard lock(mutex_);
  return connections_;
}

void FaultProxy::accept_all(std::stop_token stop) {
  while (!stop.stop_requested()) {
    if (!readable(listener_)) continue;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    Behaviour behaviour;
    {
      std::lock_guard lock(mutex_);
      ++connections_;
      behaviour = otherwise_;
      if (!queue_.empty()) {
        behaviour = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    workers_.emplace_back([this, client, behaviour](std::stop_token inner) {
      serve(client, behaviour, inner);
      ::close(client);
    });
  }
}

void FaultProxy::serve(int client, Behaviour behaviour, std::stop_token stop) {
  using Kind = Behaviour::Kind;
  if (behaviour.kind == Kind::answer) {
    read_request(client, stop);
    send_all(client, behaviour.text.data(), behaviour.text.size());
    ::shutdown(client, SHUT_WR);
    return;
  }
  if (behaviour.kind == Kind::stall) {
    char block[65536];
    while (!stop.stop_requested()) {
      if (readable(client) && ::recv(client, block, sizeof block, 0) <= 0) return;
    }
    return;
  }
  if (behaviour.kind == Kind::slow) {
    const int small = 32 * 1024;  // bytes are confirmed no sooner than they are forwarded
    ::setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  }
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(upstream_port_);
  if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    std::string block(65536, '\0');
    uint64_t up = 0, down = 0;
    while (!stop.stop_requested()) {
      const bool silent = behaviour.kind == Kind::stall_response && down >= behaviour.after;
      pollfd both[2] = {{client, POLLIN, 0}, {silent ? -1 : server, POLLIN, 0}};
      if (::poll(both, 2, 50) <= 0) continue;
      size_t most = block.size();
      if (behaviour.kind == Kind::slow) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        most = behaviour.after;
      }
      if (both[0].revents) {
        const ssize_t n = ::recv(client, block.data(), most, 0);
        if (n <= 0) break;
        auto size = static_cast<size_t>(n);
        if (behaviour.kind == Kind::flip_request_bit && up <= behaviour.after && behaviour.after < up + size)
          block[behaviour.after - up] ^= 4;
        if (behaviour.kind == Kind::close_request) size = std::min<uint64_t>(size, behaviour.after - up);
        if (!send_all(server, block.data(), size)) break;
        up += size;
        if (behaviour.kind == Kind::close_request && up >= behaviour.after) {
          if (behaviour.hook) behaviour.hook();
          break;
        }
      }
      if (both[1].revents) {
        if (behaviour.kind == Kind::dribble) {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          most = 1;
        }
        if (behaviour.kind == Kind::stall_response) most = std::min<uint64_t>(most, behaviour.after - down);
        const ssize_t n = ::recv(server, block.data(), most, 0);
        if (n <= 0) break;
        auto size = static_cast<size_t>(n);
        if (behaviour.kind == Kind::close_response) size = std::min<uint64_t>(size, behaviour.after - down);
        if (!send_all(client, block.data(), size)) break;
        down += size;
        if (behaviour.kind == Kind::close_response && down >= behaviour.after) break;
      }
    }
  }
  ::close(server);
}

}  // namespace holdfast::test
