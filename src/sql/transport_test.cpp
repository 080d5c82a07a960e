// What crosses a network unencrypted is what somebody allowed by name, and no password is handed over as it is.
#include "sql/transport.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/file.h"

namespace holdfast::sql {
namespace {

using std::chrono::seconds;

Target host(const std::string& name) {
  Target target;
  target.host = name;
  target.user = "backup";
  return target;
}

TEST(Transport, AnotherHostNeedsTlsUnlessItIsAllowedByName) {
  // Names and addresses that only look like loopback are another host's; libpq would take the last one for two hosts.
  for (const char* name : {"db.example.com", "192.0.2.1", "10.0.0.5", "127.example.com", "localhost.example.com",
                           "127.1", "::ffff:192.0.2.1", "0.0.0.0", "::", "127.0.0.1,192.0.2.1"}) {
    Target target = host(name);
    const auto refused = transport_of(target);
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().id, "sql.plain_text");
    EXPECT_EQ(refused.error().error_class, ErrorClass::refused);
    EXPECT_NE(refused.error().hint.find("spec.tls: {allowPlainText: true}"), std::string::npos);
    EXPECT_EQ(MariadbConnection::connect(target, Deadline::in(seconds(5))).error().id, "sql.plain_text") << name;
    EXPECT_EQ(PostgresConnection::connect(target, Deadline::in(seconds(5))).error().id, "sql.plain_text") << name;
    target.tls = true;
    EXPECT_EQ(transport_of(target).value(), Transport::verified_tls) << name;
    target.tls = false;
    target.plain_text = true;
    EXPECT_EQ(transport_of(target).value(), Transport::plain) << name;
  }
}

TEST(Transport, LoopbackIsPlainUnlessTlsIsAsked) {
  for (const char* name : {"127.0.0.1", "127.3.2.1", "::1", "localhost", "LocalHost"}) {
    Target target = host(name);
    EXPECT_EQ(transport_of(target).value(), Transport::plain) << name;
    target.tls = true;
    EXPECT_EQ(transport_of(target).value(), Transport::verified_tls) << name;
  }
}

TEST(Transport, WhoConnectsIsOfAUnixSocketOnly) {
  Target target = host("db.example.com");
  target.peer = sys::Identity{4711, 4712, {}};
  EXPECT_FALSE(peer_of(target));
  EXPECT_EQ(denied_hint(target), "check the user and the password file of this member");
  target.socket = "/run/server.sock";
  ASSERT_TRUE(peer_of(target));
  EXPECT_EQ(peer_of(target)->uid, 4711u);
  EXPECT_NE(denied_hint(target).find("spec.credentials: {user: backup, passwordFile: FILE}"), std::string::npos);
  target.password = Secret("secret");
  EXPECT_EQ(denied_hint(target), "check the user and the password file of this member");
}

TEST(Transport, AUnixSocketNeedsNone) {
  for (Target target : {host("db.example.com"), host("/run/postgresql"), host("")}) {
    if (target.host.starts_with("db")) target.socket = "/run/server.sock";
    for (const bool tls : {false, true}) {
      target.tls = tls;
      EXPECT_EQ(transport_of(target).value(), Transport::local) << target.host;
    }
  }
}

/// A server of PostgreSQL that asks for the password as it is, at once or after it has begun another way; in one piece
/// or in two.
class GreedyPostgres {
 public:
  explicit GreedyPostgres(std::vector<std::string> requests)
      : requests_(std::move(requests)), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd_.get(), 1), 0);
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      const sys::Fd client(::accept(fd_.get(), nullptr, nullptr));
      listen(client);
      for (const auto& request : requests_) {
        (void)!::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL);
        listen(client);
      }
    });
  }
  ~GreedyPostgres() {
    if (thread_.joinable()) thread_.join();
  }
  std::string finish() {
    thread_.join();
    return heard_;
  }
  int port = 0;

 private:
  void listen(const sys::Fd& from) {
    pollfd ready{from.get(), POLLIN, 0};
    if (::poll(&ready, 1, 3000) <= 0) return;
    char block[4096];
    const ssize_t got = ::read(from.get(), block, sizeof block);
    if (got > 0) heard_.append(block, static_cast<size_t>(got));
  }
  const std::vector<std::string> requests_;
  std::string heard_;
  sys::Fd fd_;
  std::thread thread_;
};

TEST(Transport, ARoleThatMayNotLogInIsDenied) {
  for (const std::string said : {"role \"backup\" is not permitted to log in", "role \"backup\" does not exist",
                                 "permission denied for database \"postgres\""}) {
    const std::string zero(1, '\0');
    const std::string fields = "SFATAL" + zero + "C28000" + zero + "M" + said + zero + zero;
    GreedyPostgres server({std::string("E\0\0\0", 4) + static_cast<char>(fields.size() + 4) + fields});
    Target target = host("127.0.0.1");
    target.port = server.port;
    target.database = "postgres";
    target.password = Secret("geheim-und-lang");
    const auto connection = PostgresConnection::connect(target, Deadline::in(seconds(5)));
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().id, "sql.denied") << connection.error().to_string();
  }
}

TEST(Transport, PostgresqlIsNotGivenThePasswordAsItIs) {
  const std::string clear("R\0\0\0\10\0\0\0\3", 9), scram("R\0\0\0\27\0\0\0\12SCRAM-SHA-256\0\0", 24);
  for (const auto& requests : {std::vector{clear}, std::vector{scram + clear}, std::vector{scram, clear}}) {
    GreedyPostgres server(requests);
    Target target = host("127.0.0.1");
    target.port = server.port;
    target.password = Secret("geheim-und-lang");
    const auto connection = PostgresConnection::connect(target, Deadline::in(seconds(5)));
    ASSERT_FALSE(connection);
    EXPECT_EQ(connection.error().id, "sql.denied") << connection.error().to_string();
    EXPECT_NE(connection.error().message.find("clear text"), std::string::npos) << connection.error().message;
    const std::string heard = server.finish();
    EXPECT_NE(heard.find("backup"), std::string::npos) << "it signed in";
    EXPECT_EQ(heard.find("geheim-und-lang"), std::string::npos);
  }
}

}  // namespace
}  // namespace holdfast::sql
