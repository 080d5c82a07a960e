// Real connections on loopback, with certificates made for each.
#include "net/tls_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <chrono>
#include <functional>
#include <optional>
#include <thread>

#include "tests/support/tls_peers.h"

namespace holdfast::net {
namespace {

using namespace std::chrono_literals;
using test::Authority;
using test::connect;
using test::context;
using test::Ends;
using test::id_of;
using test::Listener;
using test::noise;
using test::read_to_end;
using test::soon;
using test::value;

/// What the other side of a connection is told, when all it did was to connect.
std::string first_read(Result<TlsStream>& stream) {
  if (!stream) return id_of(stream);
  uint8_t block[16];
  return id_of(stream->read_some(block, soon()));
}

TEST(Tls, BothSidesKnowWhoTheOtherIs) {
  const Authority authority;
  Ends ends = connect(context(authority.person()), context(authority.agent()));
  ASSERT_TRUE(ends.client) << ends.client.error().to_string();
  ASSERT_TRUE(ends.server) << ends.server.error().to_string();
  const Peer& agent = ends.client->peer();
  EXPECT_EQ(agent.name, "db1.example");
  EXPECT_EQ(agent.names, (std::vector<std::string>{"db1.example", "127.0.0.1", "::1"}));
  EXPECT_EQ(agent.role, Role::agent);
  const Peer& anna = ends.server->peer();
  EXPECT_EQ(anna.name, "anna");
  EXPECT_EQ(anna.role, Role::operate);
  EXPECT_EQ(anna.subject, "CN=anna");
  EXPECT_GT(anna.not_after, std::time(nullptr) + 9 * 86400);
}

TEST(Tls, BothSidesKnowUntilWhenTheOtherAndItsAuthorityAre) {
  const int64_t now = std::time(nullptr);
  const Lifetime life{now - 7200, now + 86400}, shorter{now - 3600, now + 1800};
  const Authority authority("Young authority", life);
  Ends ends = connect(context(authority.person(Role::operate, shorter)), context(authority.agent(life)));
  ASSERT_TRUE(ends.client) << ends.client.error().to_string();
  ASSERT_TRUE(ends.server) << ends.server.error().to_string();
  EXPECT_EQ(ends.client->peer().not_before, life.from);
  EXPECT_EQ(ends.client->peer().not_after, life.to);
  EXPECT_EQ(ends.server->peer().not_after, shorter.to);
  for (const Peer* peer : {&ends.client->peer(), &ends.server->peer()}) {
    EXPECT_EQ(peer->authority, "CN=Young authority");
    EXPECT_EQ(peer->authority_not_before, life.from);
    EXPECT_EQ(peer->authority_not_after, life.to);
  }
}

TEST(Tls, ThePeersSerialIsThatOfItsFile) {
  const Authority authority;
  const TlsContext anna = context(authority.person(Role::observe));
  Ends ends = connect(anna, context(authority.agent()));
  ASSERT_TRUE(ends.server) << ends.server.error().to_string();
  EXPECT_EQ(ends.server->peer().serial, anna.certificate().serial);
  EXPECT_EQ(ends.server->peer().role, Role::observe);
}

TEST(Tls, AnAgentCallsAnotherOne) {
  const Authority authority;
  Ends ends = connect(context(authority.agent()), context(authority.agent()));
  ASSERT_TRUE(ends.server) << ends.server.error().to_string();
  EXPECT_EQ(ends.server->peer().role, Role::agent);
}

TEST(Tls, AnAddressIsANameToo) {
  const Authority authority;
  for (const char* name : {"127.0.0.1", "::1", "DB1.example"}) {
    Ends ends = connect(context(authority.person()), context(authority.agent()), name);
    EXPECT_TRUE(ends.client) << name << ": " << ends.client.error().to_string();
  }
}

TEST(Tls, AnotherNameIsRefused) {
  const Authority authority;
  for (const char* name : {"db2.example", "127.0.0.2", "example", "x.db1.example"}) {
    Ends ends = connect(context(authority.person()), context(authority.agent()), name);
    ASSERT_EQ(id_of(ends.client), "net.tls_name") << name;
    EXPECT_EQ(ends.client.error().error_class, ErrorClass::refused);
    EXPECT_NE(ends.client.error().message.find("db1.example, 127.0.0.1, ::1"), std::string::npos)
        << ends.client.error().message;
    EXPECT_NE(ends.client.error().hint.find("holdfast pki issue agent"), std::string::npos);
    EXPECT_EQ(id_of(ends.server), "net.tls_refused");
  }
}

TEST(Tls, NoNameIsNoConnection) {
  const Authority authority;
  for (const char* name : {"", ".example", "a b", "*.example"})
    EXPECT_EQ(id_of(tls_connect("127.0.0.1", 1, name, context(authority.person()), soon())), "net.name") << name;
}

TEST(Tls, ACommonNameNamesNoServer) {
  const Authority authority;
  const TlsFiles files = authority.issue({"db1.example", {}, Role::agent, true, true, Authority::days(1)}, "no-names");
  EXPECT_EQ(id_of(connect(context(authority.person()), context(files)).client), "net.tls_name");
}

TEST(Tls, AServerOfAnotherAuthorityIsRefused) {
  const Authority ours, other("Other authority");
  Ends ends = connect(context(ours.person()), context(other.agent()));
  ASSERT_EQ(id_of(ends.client), "net.tls_untrusted");
  EXPECT_NE(ends.client.error().hint.find("holdfast pki issue"), std::string::npos);
  EXPECT_EQ(id_of(ends.server), "net.tls_refused");
}

// With the same name: what counts is the key.
TEST(Tls, AnAuthorityOfTheSameNameIsAnotherOne) {
  const Authority ours, other;
  EXPECT_EQ(id_of(connect(context(ours.person()), context(other.agent())).client), "net.tls_untrusted");
}

TEST(Tls, AClientOfAnotherAuthorityIsRefused) {
  const Authority ours, other("Other authority");
  TlsFiles stranger = other.person();
  stranger.ca = ours.ca();  // it trusts us
  Ends ends = connect(context(stranger), context(ours.agent()));
  ASSERT_EQ(id_of(ends.server), "net.tls_untrusted");
  EXPECT_NE(ends.server.error().message.find("CN=anna"), std::string::npos) << ends.server.error().message;
  EXPECT_EQ(first_read(ends.client), "net.tls_refused");
}

// The server closes while the client still writes: what it said before must not be lost to a reset connection.
TEST(Tls, ARefusedClientThatWritesFirstLearnsIt) {
  const Authority ours, other("Other authority");
  TlsFiles stranger = other.person();
  stranger.ca = ours.ca();
  Ends ends = connect(context(stranger), context(ours.agent()));
  ASSERT_TRUE(ends.client) << ends.client.error().to_string();
  const std::string block = noise(64 << 10, 1);
  Status written;
  while (written) written = ends.client->write_all(as_bytes(block), soon());
  EXPECT_EQ(id_of(written), "net.tls_refused") << written.error().message;
  EXPECT_EQ(written.error().error_class, ErrorClass::refused);
  EXPECT_EQ(first_read(ends.client), "net.tls_refused");
  EXPECT_EQ(id_of(ends.client->end_writing(soon())), "net.tls_refused");
}

TEST(Tls, ACertificateIsValidInItsTimeOnly) {
  const Authority authority;
  const int64_t now = std::time(nullptr);
  const struct {
    Lifetime lifetime;
    const char* says;
    int64_t at;
  } cases[] = {{{now - 7200, now - 3600}, "expired", now - 3600},
               {{now + 3600, now + 7200}, "is not valid before", now + 3600}};
  for (const auto& [lifetime, says, at] : cases) {
    Ends server = connect(context(authority.person()), context(authority.agent(lifetime)));
    ASSERT_EQ(id_of(server.client), "net.tls_expired");
    EXPECT_NE(server.client.error().message.find(says), std::string::npos) << server.client.error().message;
    EXPECT_NE(server.client.error().message.find(time_text(at)), std::string::npos) << server.client.error().message;
    EXPECT_EQ(id_of(server.server), "net.tls_refused");

    Ends client = connect(context(authority.person(Role::operate, lifetime)), context(authority.agent()));
    EXPECT_EQ(id_of(client.server), "net.tls_expired");
    EXPECT_EQ(first_read(client.client), "net.tls_refused");
  }
}

TEST(Tls, AnAuthoritysEndIsSaid) {
  const int64_t now = std::time(nullptr);
  const Lifetime past{now - 7200, now - 3600};
  const Authority authority("Old authority", past);
  Ends ends = connect(context(authority.person(Role::operate, past)), context(authority.agent(past)));
  ASSERT_EQ(id_of(ends.client), "net.tls_expired");
  EXPECT_NE(ends.client.error().message.find("certificate of the authority CN=Old authority expired"),
            std::string::npos)
      << ends.client.error().message;
}

TEST(Tls, APersonsCertificateServesNobody) {
  const Authority authority;
  const TlsFiles files =
      authority.issue({"db1.example", {"db1.example"}, Role::operate, false, true, Authority::days(1)}, "person");
  Ends ends = connect(context(authority.person()), context(files));
  EXPECT_EQ(id_of(ends.client), "net.tls_untrusted");
}

// Without extended key usages OpenSSL takes a certificate for everything.
TEST(Tls, ACertificateThatIsMeantForNothingIsRefused) {
  const Authority authority;
  const TlsFiles files =
      authority.issue({"db1.example", {"db1.example"}, Role::agent, false, false, Authority::days(1)}, "nothing");
  EXPECT_EQ(id_of(connect(context(authority.person()), context(files)).client), "net.tls_untrusted");
  Ends ends = connect(context(files), context(authority.agent()));
  EXPECT_EQ(id_of(ends.server), "net.tls_untrusted");
  EXPECT_EQ(first_read(ends.client), "net.tls_refused");
}

TEST(Tls, ACertificateForServersOnlyCallsNobody) {
  const Authority authority;
  const TlsFiles files =
      authority.issue({"db1.example", {"db1.example"}, Role::agent, true, false, Authority::days(1)}, "server");
  EXPECT_EQ(id_of(connect(context(files), context(authority.agent())).server), "net.tls_untrusted");
}

/// A client of OpenSSL's with settings of its own: what the server says of it.
std::string raw_client(const TlsContext& server, const std::function<void(SSL_CTX*)>& set) {
  Listener listener;
  auto accepted = std::async(std::launch::async, [&] { return tls_accept(listener.accept(), server, soon()); });
  const sys::Fd fd = test::plain_client(listener.port());
  ::fcntl(fd.get(), F_SETFL, 0);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> settings(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  set(settings.get());
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(settings.get()), SSL_free);
  SSL_set_fd(ssl.get(), fd.get());
  (void)SSL_connect(ssl.get());
  return id_of(accepted.get());
}

TEST(Tls, AClientWithoutCertificateIsRefused) {
  const Authority authority;
  EXPECT_EQ(raw_client(context(authority.agent()), [](SSL_CTX*) {}), "net.tls_no_certificate");
}

TEST(Tls, OlderTlsIsRefused) {
  const Authority authority;
  EXPECT_EQ(raw_client(context(authority.agent()),
                       [](SSL_CTX* settings) { SSL_CTX_set_max_proto_version(settings, TLS1_2_VERSION); }),
            "net.tls_protocol");
}

TEST(Tls, WhatIsNoTlsIsRefused) {
  const Authority authority;
  const TlsContext server = context(authority.agent());
  for (const std::string& sent :
       {std::string("{\"op\": \"hello\"}\n"), std::string("GET / HTTP/1.1\r\nHost: db1\r\n\r\n"), noise(100'000, 3),
        std::string("\x16\x03\x01\xff\xff", 5) + noise(70'000, 4), std::string(40'000, '\0')}) {
    Listener listener;
    auto accepted = std::async(std::launch::async, [&] { return tls_accept(listener.accept(), server, soon()); });
    SocketStream client(test::plain_client(listener.port()));
    (void)client.write_all(as_bytes(sent), soon());
    const auto stream = accepted.get();
    ASSERT_EQ(id_of(stream), "net.tls_protocol") << sent.substr(0, 20);
    EXPECT_EQ(stream.error().error_class, ErrorClass::refused);
  }
}

TEST(Tls, AServerThatSpeaksSomethingElseIsRefused) {
  const Authority authority;
  Listener listener;
  std::jthread server([&] {
    SocketStream stream(listener.accept());
    (void)stream.write_all(as_bytes("SSH-2.0-OpenSSH_9.2p1 Debian\r\n"), soon());
    (void)read_to_end(stream);
  });
  const auto stream = tls_connect("127.0.0.1", listener.port(), "db1.example", context(authority.person()), soon());
  EXPECT_EQ(id_of(stream), "net.tls_protocol");
}

TEST(Tls, AClientThatGoesDuringTheHandshakeIsNoRefusal) {
  const Authority authority;
  Listener listener;
  auto accepted =
      std::async(std::launch::async, [&] { return tls_accept(listener.accept(), context(authority.agent()), soon()); });
  test::plain_client(listener.port()).reset();
  const auto stream = accepted.get();
  EXPECT_EQ(id_of(stream), "net.broken");
  EXPECT_EQ(stream.error().error_class, ErrorClass::unavailable);
}

TEST(Tls, AClientThatSaysNothingIsGivenUp) {
  const Authority authority;
  Listener listener;
  const sys::Fd client = test::plain_client(listener.port());
  const auto start = std::chrono::steady_clock::now();
  const auto stream = tls_accept(listener.accept(), context(authority.agent()), Deadline::in(150ms));
  EXPECT_EQ(id_of(stream), "net.timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

// A byte now and then is no progress that would count.
TEST(Tls, AClientThatTricklesIsGivenUp) {
  const Authority authority;
  Listener listener;
  SocketStream client(test::plain_client(listener.port()));
  std::jthread trickle([&](std::stop_token stop) {
    const std::string start("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    for (size_t i = 0; !stop.stop_requested(); ++i) {
      const char byte = i < start.size() ? start[i] : 'x';
      if (!client.write_all({reinterpret_cast<const uint8_t*>(&byte), 1}, soon())) return;
      std::this_thread::sleep_for(5ms);
    }
  });
  const auto start = std::chrono::steady_clock::now();
  const auto stream = tls_accept(listener.accept(), context(authority.agent()), Deadline::in(200ms));
  EXPECT_EQ(id_of(stream), "net.timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, 5s);
}

TEST(Tls, AServerThatSaysNothingIsGivenUp) {
  const Authority authority;
  Listener listener;
  EXPECT_EQ(
      id_of(tls_connect("127.0.0.1", listener.port(), "db1.example", context(authority.person()), Deadline::in(150ms))),
      "net.timeout");
  std::stop_source stop;
  sys::Fd first, second;  // the one before is accepted, too
  std::jthread later([&] {
    first = listener.accept();
    second = listener.accept();
    stop.request_stop();
  });
  EXPECT_EQ(id_of(tls_connect("127.0.0.1", listener.port(), "db1.example", context(authority.person()), soon(),
                              stop.get_token())),
            "sys.interrupted");
}

TEST(Tls, NothingListens) {
  const Authority authority;
  const int port = Listener().port();
  const auto stream = tls_connect("127.0.0.1", port, "db1.example", context(authority.person()), soon());
  ASSERT_EQ(id_of(stream), "net.unreachable");
  EXPECT_EQ(stream.error().error_class, ErrorClass::unavailable);
}

class TlsPair : public ::testing::Test {
 protected:
  void SetUp() override {
    Ends ends = connect(context(authority_.person()), context(authority_.agent()));
    client_.emplace(value(std::move(ends.client)));
    server_.emplace(value(std::move(ends.server)));
  }
  const Authority authority_;
  std::optional<TlsStream> client_, server_;
};

TEST_F(TlsPair, AMebibyteEachWayAndEachEnds) {
  const std::string request = noise(1 << 20, 5), reply = noise(1 << 20, 6);
  auto served = std::async(std::launch::async, [&]() -> Result<std::string> {
    std::string got = TRY(read_to_end(*server_));
    TRY_VOID(server_->write_all(as_bytes(reply), soon()));  // the client has ended its writing, not its reading
    TRY_VOID(server_->end_writing(soon()));
    return got;
  });
  ASSERT_TRUE(client_->write_all(as_bytes(request), soon()));
  ASSERT_TRUE(client_->end_writing(soon()));
  const auto got = read_to_end(*client_);
  ASSERT_TRUE(got) << got.error().to_string();
  EXPECT_TRUE(*got == reply);
  const auto asked = served.get();
  ASSERT_TRUE(asked) << asked.error().to_string();
  EXPECT_TRUE(*asked == request);
  EXPECT_TRUE(client_->end_writing(soon())) << "twice does no harm";
}

TEST_F(TlsPair, WhatIsCutOffIsNoEnd) {
  ASSERT_TRUE(server_->write_all(as_bytes("half of it"), soon()));
  server_.reset();
  uint8_t block[64];
  EXPECT_EQ(value(client_->read_some(block, soon())), 10u);
  const auto end = client_->read_some(block, soon());
  EXPECT_EQ(id_of(end), "net.broken") << "a cut connection must not look like the end of the data";
}

TEST_F(TlsPair, BytesThatTheDescriptorNoLongerShowsAreRead) {
  ASSERT_TRUE(server_->write_all(as_bytes("two words"), soon()));
  uint8_t block[3];
  EXPECT_EQ(value(client_->read_some(block, soon())), 3u);
  pollfd asked{client_->poll_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&asked, 1, 0), 0) << "the descriptor has nothing any more";
  uint8_t rest[64];
  EXPECT_EQ(value(client_->read_some(rest, soon())), 6u);
}

TEST_F(TlsPair, ReadingWaitsForItsDeadlineOnly) {
  uint8_t block[64];
  const auto read = client_->read_some(block, Deadline::in(100ms));
  EXPECT_EQ(id_of(read), "net.timeout");
  ASSERT_TRUE(server_->write_all(as_bytes("late"), soon()));
  EXPECT_EQ(value(client_->read_some(block, soon())), 4u) << "reading can be tried again";
}

TEST_F(TlsPair, WritingToOneThatDoesNotReadEnds) {
  const std::string much = noise(32 << 20, 7);
  EXPECT_EQ(id_of(client_->write_all(as_bytes(much), Deadline::in(300ms))), "net.timeout");
}

// One that always has more to send cannot hold us past the deadline.
TEST_F(TlsPair, ADeadlineHoldsForAFastPeerToo) {
  std::jthread flood([&](std::stop_token stop) {
    const std::string block = noise(64 << 10, 8);
    while (!stop.stop_requested() && server_->write_all(as_bytes(block), soon(), stop)) {
    }
  });
  const Deadline deadline = Deadline::in(300ms);
  std::vector<uint8_t> block(64 << 10);
  Result<size_t> read = size_t(1);
  const auto start = std::chrono::steady_clock::now();
  while (read && std::chrono::steady_clock::now() - start < 10s) read = client_->read_some(block, deadline);
  EXPECT_EQ(id_of(read), "net.timeout");
}

TEST_F(TlsPair, AStopRequestEndsReading) {
  std::stop_source stop;
  auto reading = std::async(std::launch::async, [&] {
    uint8_t block[64];
    return id_of(client_->read_some(block, soon(), stop.get_token()));
  });
  stop.request_stop();
  EXPECT_EQ(reading.get(), "sys.interrupted");
}

TEST_F(TlsPair, AStopRequestEndsWriting) {
  std::stop_source stop;
  auto writing = std::async(std::launch::async, [&] {
    const std::string block = noise(1 << 20, 9);
    Status written;
    while (written) written = server_->write_all(as_bytes(block), soon(), stop.get_token());
    return id_of(written);
  });
  ASSERT_TRUE(value(sys::wait_fd(client_->poll_fd(), POLLIN, soon()))) << "in the middle of it";
  stop.request_stop();
  EXPECT_EQ(writing.get(), "sys.interrupted");
}

TEST_F(TlsPair, WhoIsGoneBreaksTheConnection) {
  client_.reset();
  const std::string block = noise(1 << 20, 10);
  Status written;
  while (written) written = server_->write_all(as_bytes(block), soon());
  EXPECT_EQ(id_of(written), "net.broken");
}

}  // namespace
}  // namespace holdfast::net
