#include "net/connect.h"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <atomic>
#include <thread>

#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using namespace std::chrono_literals;
using test::id_of;
using test::Listener;
using test::soon;
using test::value;

Endpoint loopback(int port) {
  return value(resolve("127.0.0.1", port, soon())).at(0);
}

TEST(Connect, AnAddressNeedsNoLookUp) {
  const Lookup never = [](const std::string&, int) -> Result<std::vector<Endpoint>> {
    ADD_FAILURE() << "looked up";
    return std::vector<Endpoint>();
  };
  EXPECT_EQ(value(resolve("127.0.0.1", 7420, soon(), {}, never)).at(0).to_string(), "127.0.0.1:7420");
  EXPECT_EQ(value(resolve("::1", 7420, soon(), {}, never)).at(0).to_string(), "[::1]:7420");
}

TEST(Connect, ANameIsLookedUp) {
  const Listener listener;
  EXPECT_TRUE(tcp_connect("localhost", listener.port(), soon()));
}

TEST(Connect, WhatIsNoAddressIsUnreachable) {
  EXPECT_EQ(id_of(resolve("", 1, soon())), "net.unreachable");
  EXPECT_EQ(id_of(resolve("127.0.0.1", 0, soon())), "net.unreachable");
  EXPECT_EQ(id_of(resolve("127.0.0.1", 65536, soon())), "net.unreachable");
  EXPECT_EQ(id_of(system_lookup("not a name", 1)), "net.unreachable");
}

/// A look-up that takes until it is let go, which may be after everybody has stopped waiting.
struct Slow {
  std::shared_ptr<std::atomic<bool>> go = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<bool>> over = std::make_shared<std::atomic<bool>>(false);
  Lookup lookup() const {
    return [go = go, over = over](const std::string&, int) -> Result<std::vector<Endpoint>> {
      while (!*go) std::this_thread::sleep_for(1ms);
      *over = true;
      return std::vector<Endpoint>(3);
    };
  }
  ~Slow() {
    *go = true;
    while (!*over) std::this_thread::sleep_for(1ms);
  }
};

TEST(Connect, ASlowLookUpIsGivenUp) {
  const Slow slow;
  EXPECT_EQ(id_of(resolve("db1.example", 7420, Deadline::in(50ms), {}, slow.lookup())), "net.timeout");
}

TEST(Connect, AStopRequestEndsALookUp) {
  const Slow slow;
  std::stop_source stop;
  std::jthread later([&] { stop.request_stop(); });
  EXPECT_EQ(id_of(resolve("db1.example", 7420, soon(), stop.get_token(), slow.lookup())), "sys.interrupted");
}

TEST(Connect, TheNextAddressIsTried) {
  const int closed = Listener().port();
  const Listener listener;
  EXPECT_TRUE(connect_any({loopback(closed), loopback(listener.port())}, soon()));
  const auto none = connect_any({loopback(closed), loopback(closed)}, soon());
  ASSERT_EQ(id_of(none), "net.unreachable");
  EXPECT_NE(none.error().message.find(std::to_string(closed)), std::string::npos);
}

/// A port that answers no more: what waits to be accepted there is all it takes.
class FullListener {
 public:
  FullListener() : listener_(0) {
    while (auto taken = connect_any({loopback(listener_.port())}, Deadline::in(100ms)))
      waiting_.push_back(*std::move(taken));
  }
  int port() const { return listener_.port(); }

 private:
  Listener listener_;
  std::vector<sys::Fd> waiting_;
};

TEST(Connect, OneThatDoesNotAnswerIsGivenUp) {
  const FullListener full;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(id_of(tcp_connect("127.0.0.1", full.port(), Deadline::in(100ms))), "net.timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(Connect, OneThatDoesNotAnswerLeavesTimeForTheNext) {
  const FullListener full;
  const Listener listener;
  EXPECT_TRUE(connect_any({loopback(full.port()), loopback(listener.port())}, Deadline::in(600ms)));
}

TEST(Connect, AStopRequestEndsIt) {
  const FullListener full;
  std::stop_source stop;
  std::jthread later([&] { stop.request_stop(); });
  EXPECT_EQ(id_of(tcp_connect("127.0.0.1", full.port(), soon(), stop.get_token())), "sys.interrupted");
}

TEST(Connect, APeerThatIsGoneIsNoticed) {
  const Listener listener;
  const sys::Fd fd = test::plain_client(listener.port());
  const auto option = [&](int level, int name) {
    int set = 0;
    socklen_t size = sizeof set;
    ::getsockopt(fd.get(), level, name, &set, &size);
    return set;
  };
  EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE) + option(IPPROTO_TCP, TCP_KEEPINTVL) * option(IPPROTO_TCP, TCP_KEEPCNT),
            90);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 90'000);
  EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 1);
}

}  // namespace
}  // namespace holdfast::net
