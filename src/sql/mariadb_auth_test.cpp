// A server may ask for any way to sign in. One that wants the password as it is gets it over verified TLS alone.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "sql/mariadb.h"
#include "sys/file.h"

namespace holdfast::sql {
namespace {

using std::chrono::seconds;

constexpr const char* kPassword = "correct horse battery staple";

std::string packet(int number, const std::string& body) {
  std::string out;
  out += static_cast<char>(body.size() & 0xff);
  out += static_cast<char>(body.size() >> 8 & 0xff);
  out += static_cast<char>(body.size() >> 16 & 0xff);
  out += static_cast<char>(number);
  return out + body;
}

std::string zero() {
  return {'\0'};
}

/// A server that greets as MySQL 8 does, and asks whoever answers to go on with `plugin`, or, where that begins with
/// 0xff, answers with this error. finish() tells all it got.
class Greedy {
 public:
  explicit Greedy(std::string plugin) : plugin_(std::move(plugin)) {
    fd_ = sys::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_.get(), 4), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Greedy() { (void)finish(); }
  /// Waits for its end.
  std::string finish() {
    if (thread_.joinable()) thread_.join();
    return heard_;
  }

  int port = 0;

 private:
  void serve() {
    const sys::Fd client(::accept(fd_.get(), nullptr, nullptr));
    const std::string scramble = "abcdefghijklmnopqrst";
    const auto all = [](uint32_t v, int bytes) {
      std::string out;
      for (int i = 0; i < bytes; ++i) out += static_cast<char>(v >> (8 * i) & 0xff);
      return out;
    };
    // CLIENT_PLUGIN_AUTH, SECURE_CONNECTION, PROTOCOL_41, CONNECT_WITH_DB
    const uint32_t capabilities = 1u << 19 | 1u << 15 | 1u << 9 | 1u << 3 | 1u;
    const std::string greeting = std::string(1, 10) + "8.0.40" + zero() + all(7, 4) + scramble.substr(0, 8) + zero() +
                                 all(capabilities & 0xffff, 2) + std::string(1, 45) + all(2, 2) +
                                 all(capabilities >> 16, 2) + std::string(1, 21) + std::string(10, '\0') +
                                 scramble.substr(8) + zero() + "mysql_native_password" + zero();
    say(client, packet(0, greeting));
    listen(client);
    if (plugin_.starts_with('\xff')) return say(client, packet(2, plugin_));
    say(client, packet(2, "\xfe" + plugin_ + zero() + (plugin_ == "dialog" ? "\4Password: " : scramble + zero())));
    listen(client);
  }
  static void say(const sys::Fd& to, const std::string& text) { (void)!::write(to.get(), text.data(), text.size()); }
  void listen(const sys::Fd& from) {
    pollfd ready{from.get(), POLLIN, 0};
    if (::poll(&ready, 1, 3000) <= 0) return;
    char block[4096];
    const ssize_t got = ::read(from.get(), block, sizeof block);
    if (got > 0) heard_.append(block, static_cast<size_t>(got));
  }
  const std::string plugin_;
  std::string heard_;
  sys::Fd fd_;
  std::thread thread_;
};

TEST(SignIn, NoPasswordIsHandedOverAsItIs) {
  for (const char* plugin : {"mysql_clear_password", "dialog"}) {
    Greedy server(plugin);
    Target target;
    target.host = "127.0.0.1";
    target.port = server.port;
    target.user = "backup";
    target.password = Secret(std::string(kPassword));
    const auto connection = MariadbConnection::connect(target, Deadline::in(seconds(5)));
    ASSERT_FALSE(connection) << plugin;
    const std::string heard = server.finish();
    EXPECT_NE(heard.find("backup"), std::string::npos) << connection.error().to_string();
    EXPECT_EQ(heard.find(kPassword), std::string::npos) << plugin;
  }
}

/// The server answers and serves others: it is not "unreachable".
TEST(SignIn, AnAccountThatIsTurnedAwayIsDenied) {
  for (const int number : {1045, 1130, 1862, 3118, 4151}) {
    const std::string code = {static_cast<char>(number & 0xff), static_cast<char>(number >> 8)};
    Greedy server("\xff" + code + "#HY000no");
    Target target;
    target.host = "127.0.0.1";
    target.port = server.port;
    target.user = "backup";
    const auto connection = MariadbConnection::connect(target, Deadline::in(seconds(5)));
    ASSERT_FALSE(connection) << number;
    EXPECT_EQ(connection.error().id, "sql.denied") << connection.error().to_string();
  }
}

}  // namespace
}  // namespace holdfast::sql
