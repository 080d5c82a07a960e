// Streams of plain sockets, and what carries bytes between two streams of any kind.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "net/stream.h"
#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using namespace std::chrono_literals;
using test::id_of;
using test::noise;
using test::read_to_end;
using test::soon;
using test::value;

std::array<SocketStream, 2> pair_of_sockets() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) throw std::runtime_error("socketpair");
  return {SocketStream(sys::Fd(fds[0])), SocketStream(sys::Fd(fds[1]))};
}

TEST(Socket, CarriesBytesAndTheirEnd) {
  auto [a, b] = pair_of_sockets();
  ASSERT_TRUE(a.write_all(as_bytes("hello"), soon()));
  ASSERT_TRUE(a.end_writing(soon()));
  EXPECT_EQ(value(read_to_end(b)), "hello");
  ASSERT_TRUE(b.write_all(as_bytes("and back"), soon()));
  ASSERT_TRUE(b.end_writing(soon()));
  EXPECT_EQ(value(read_to_end(a)), "and back");
}

TEST(Socket, DeadlinesAndStopRequestsHold) {
  auto [a, b] = pair_of_sockets();
  uint8_t block[16];
  const auto read = a.read_some(block, Deadline::in(50ms));
  ASSERT_EQ(id_of(read), "net.timeout");
  EXPECT_EQ(read.error().error_class, ErrorClass::unavailable);
  EXPECT_EQ(id_of(a.write_all(as_bytes(noise(8 << 20, 1)), Deadline::in(50ms))), "net.timeout");
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(id_of(a.read_some(block, soon(), stop.get_token())), "sys.interrupted");
  EXPECT_EQ(id_of(a.write_all(as_bytes("x"), soon(), stop.get_token())), "sys.interrupted");
}

TEST(Socket, WritingToOneThatIsGoneIsAnErrorAndNoSignal) {
  auto [a, b] = pair_of_sockets();
  b = SocketStream(sys::Fd());
  const auto written = a.write_all(as_bytes("x"), soon());
  ASSERT_EQ(id_of(written), "net.broken");
  EXPECT_EQ(written.error().error_class, ErrorClass::unavailable);
}

/// A side of a relay: what is at the far end of it.
struct Side {
  SocketStream far, near;
  Side() : Side(pair_of_sockets()) {}
  explicit Side(std::array<SocketStream, 2> both) : far(std::move(both[0])), near(std::move(both[1])) {}
};

TEST(Relay, EachDirectionEndsByItself) {
  Side left, right;
  auto relayed = std::async(std::launch::async, [&] { return relay(left.near, right.near, soon()); });
  ASSERT_TRUE(left.far.write_all(as_bytes("a question"), soon()));
  ASSERT_TRUE(left.far.end_writing(soon()));
  EXPECT_EQ(value(read_to_end(right.far)), "a question") << "the end is passed on while the other direction goes on";
  ASSERT_TRUE(right.far.write_all(as_bytes("an answer"), soon()));
  ASSERT_TRUE(right.far.end_writing(soon()));
  EXPECT_EQ(value(read_to_end(left.far)), "an answer");
  EXPECT_EQ(id_of(relayed.get()), "none");
}

TEST(Relay, DeadlinesAndStopRequestsHold) {
  Side left, right;
  EXPECT_EQ(id_of(relay(left.near, right.near, Deadline::in(50ms))), "net.timeout");
  std::stop_source stop;
  auto relayed = std::async(std::launch::async, [&] { return relay(left.near, right.near, soon(), stop.get_token()); });
  ASSERT_TRUE(left.far.write_all(as_bytes("x"), soon()));
  uint8_t byte;
  ASSERT_TRUE(right.far.read_some({&byte, 1}, soon())) << "in the middle of it";
  stop.request_stop();
  EXPECT_EQ(id_of(relayed.get()), "sys.interrupted");
}

// A server that says no and closes, while its client still sends.
TEST(Relay, LastWordsReachTheOtherSide) {
  Side left, right;
  auto relayed = std::async(std::launch::async, [&] { return relay(left.near, right.near, soon()); });
  std::jthread client([&] {
    const std::string block = noise(64 << 10, 2);
    while (left.far.write_all(as_bytes(block), soon())) {
    }
  });
  uint8_t byte;
  ASSERT_TRUE(right.far.read_some({&byte, 1}, soon()));
  ASSERT_TRUE(right.far.write_all(as_bytes("no: disk full"), soon()));
  right.far = SocketStream(sys::Fd());
  EXPECT_EQ(id_of(relayed.get()), "net.broken");
  left.near = SocketStream(sys::Fd());  // ends the client
  client.join();
  std::string words(64, '\0');
  words.resize(value(left.far.read_some({reinterpret_cast<uint8_t*>(words.data()), words.size()}, soon())));
  EXPECT_EQ(words, "no: disk full");
}

// One direction over, and a side that shows POLLHUP: nothing to do until the other one speaks.
TEST(Relay, WaitingCostsNoProcessorTime) {
  Side left, right;
  std::atomic<double> used = -1;
  auto relayed = std::async(std::launch::async, [&] {
    const auto status = relay(left.near, right.near, Deadline::in(400ms));
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    used = static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) / 1e9;
    return status;
  });
  ASSERT_TRUE(left.far.end_writing(soon()));
  ASSERT_EQ(value(read_to_end(right.far)), "");
  left.far = SocketStream(sys::Fd());
  EXPECT_EQ(id_of(relayed.get()), "net.timeout");
  EXPECT_LT(used, 0.1);
}

/// left.far - left.near = relay = client - TLS - server = relay = right.near - right.far
class RelayOverTls : public ::testing::Test {
 protected:
  static constexpr size_t kMuch = 64 << 20;

  void SetUp() override {
    const test::Authority authority;
    test::Ends ends = test::connect(test::context(authority.person()), test::context(authority.agent()));
    client_.emplace(value(std::move(ends.client)));
    server_.emplace(value(std::move(ends.server)));
    for (auto [side, tls, result] : {std::tuple{&left_, &client_, &left_result_}, {&right_, &server_, &right_result_}})
      *result = std::async(std::launch::async, [side, tls] { return relay(side->near, **tls, soon_enough()); });
  }
  static Deadline soon_enough() { return Deadline::in(100s); }

  /// Writes it in pieces, counts what has gone, and ends.
  std::future<Status> send(SocketStream& to, const std::string& text, std::atomic<size_t>& sent) {
    return std::async(std::launch::async, [&to, &text, &sent]() -> Status {
      for (size_t at = 0; at < text.size(); at += 64 << 10) {
        const std::string_view piece = std::string_view(text).substr(at, 64 << 10);
        TRY_VOID(to.write_all(as_bytes(piece), soon_enough()));
        sent += piece.size();
      }
      return to.end_writing(soon_enough());
    });
  }

  Side left_, right_;
  std::optional<TlsStream> client_, server_;
  std::future<Status> left_result_, right_result_;
};

// The reader at the right takes nothing until everything has come from it to the left, and that direction is over.
TEST_F(RelayOverTls, ASlowReaderHoldsItsOwnDirectionOnly) {
  const std::string there = noise(kMuch, 11), back = noise(kMuch, 12);
  std::atomic<size_t> sent_there = 0, sent_back = 0;
  auto sending = send(left_.far, there, sent_there), answering = send(right_.far, back, sent_back);
  const auto got_back = read_to_end(left_.far, soon_enough());
  ASSERT_TRUE(got_back) << got_back.error().to_string();
  EXPECT_TRUE(*got_back == back);
  ASSERT_EQ(id_of(answering.get()), "none");
  EXPECT_LT(sent_there, kMuch / 2) << "what nobody reads is held back, not kept in memory";
  const auto got_there = read_to_end(right_.far, soon_enough());
  ASSERT_TRUE(got_there) << got_there.error().to_string();
  EXPECT_TRUE(*got_there == there);
  EXPECT_EQ(id_of(sending.get()), "none");
  EXPECT_EQ(id_of(left_result_.get()), "none");
  EXPECT_EQ(id_of(right_result_.get()), "none");
}

// Nobody reads until both directions are full.
TEST_F(RelayOverTls, TwoFullDirectionsComeLoose) {
  const std::string there = noise(kMuch, 13), back = noise(kMuch, 14);
  std::atomic<size_t> sent_there = 0, sent_back = 0;
  auto sending = send(left_.far, there, sent_there), answering = send(right_.far, back, sent_back);
  size_t last = 0, quiet = 0;  // both writers are held up once nothing has moved for a while
  const auto full = sys::wait_until(
      [&] {
        const size_t now = sent_there + sent_back;
        quiet = now == last ? quiet + 1 : 0;
        last = now;
        return quiet > 5 && now > 0;
      },
      soon_enough());
  ASSERT_TRUE(value(Result<bool>(full)));
  auto reading = std::async(std::launch::async, [&] { return read_to_end(right_.far, soon_enough()); });
  EXPECT_TRUE(value(read_to_end(left_.far, soon_enough())) == back);
  EXPECT_TRUE(value(reading.get()) == there);
  EXPECT_EQ(id_of(sending.get()), "none");
  EXPECT_EQ(id_of(answering.get()), "none");
  EXPECT_EQ(id_of(left_result_.get()), "none");
  EXPECT_EQ(id_of(right_result_.get()), "none");
}

// The other half: it is written into a direction that has ended the other way.
TEST_F(RelayOverTls, OneDirectionGoesOnAfterTheOtherHasEnded) {
  ASSERT_TRUE(right_.far.end_writing(soon()));
  EXPECT_EQ(value(read_to_end(left_.far)), "");
  const std::string there = noise(8 << 20, 15);
  std::atomic<size_t> sent = 0;
  auto sending = send(left_.far, there, sent);
  EXPECT_TRUE(value(read_to_end(right_.far)) == there);
  EXPECT_EQ(id_of(sending.get()), "none");
  EXPECT_EQ(id_of(left_result_.get()), "none");
  EXPECT_EQ(id_of(right_result_.get()), "none");
}

}  // namespace
}  // namespace holdfast::net
