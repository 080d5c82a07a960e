#include "agent/startup_message.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;

std::string message(std::string_view body, uint32_t protocol = 196608) {
  std::string text(8, '\0');
  for (int i = 0; i < 4; ++i) text[4 + i] = static_cast<char>(protocol >> (24 - 8 * i));
  text += body;
  for (int i = 0; i < 4; ++i) text[i] = static_cast<char>(text.size() >> (24 - 8 * i));
  return text;
}

std::string user_of(const std::string& text) {
  return startup_user(as_bytes(text));
}

TEST(StartupMessage, NamesAnAccount) {
  using namespace std::string_view_literals;
  EXPECT_EQ(user_of(message("user\0keeper\0database\0shop\0\0"sv)), "keeper");
  EXPECT_EQ(user_of(message("database\0user\0user\0postgres\0\0"sv)), "postgres") << "a database may be called so";
  EXPECT_EQ(user_of(message("database\0shop\0\0"sv)), "");
  EXPECT_EQ(user_of(message("user\0keeper"sv)), "") << "cut off";
  EXPECT_EQ(user_of(message("user"sv)), "");
  EXPECT_EQ(user_of(message("\0user\0keeper\0\0"sv)), "") << "behind the end";
  EXPECT_EQ(user_of(message("\0\0\x04\xd2\0\0\x16\x2e"sv, 80877102)), "") << "a cancel request";
  EXPECT_EQ(user_of(""), "");
}

TEST(StartupMessage, IsReadWholeOrNotAtAll) {
  const auto read = [](const std::string& sent, bool ends) {
    int ends_of[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends_of), 0);
    net::SocketStream client{sys::Fd(ends_of[0])}, server{sys::Fd(ends_of[1])};
    EXPECT_TRUE(client.write_all(as_bytes(sent), Deadline::in(milliseconds(500))));
    if (ends) EXPECT_TRUE(client.end_writing(Deadline::in(milliseconds(500))));
    auto got = read_startup_message(server, Deadline::in(milliseconds(300)), {});
    return got ? std::string(as_text(*got)) : got.error().id;
  };
  using namespace std::string_view_literals;
  const std::string whole = message("user\0keeper\0\0"sv);
  EXPECT_EQ(read(whole + "more", false), whole) << "what is behind it stays in the stream";
  EXPECT_EQ(read(whole.substr(0, 10), true), "net.broken");
  EXPECT_EQ(read(whole.substr(0, 10), false), "net.timeout");
  EXPECT_EQ(read(std::string("\0\0\0\x07xxxx", 8), true), "net.broken") << "too short";
  EXPECT_EQ(read("GET / HTTP/1.1\r\n", true), "net.broken") << "too long";
}

}  // namespace
}  // namespace holdfast::agent
