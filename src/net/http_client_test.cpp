// Against a few lines of server, for what real servers do not show on order.
#include "net/http_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <system_error>
#include <thread>

namespace holdfast::net {
namespace {

// Answers one text after the other, each on the next request, and keeps what it was sent.
class TinyServer {
 public:
  explicit TinyServer(const std::vector<std::string>& answers) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener_ < 0) throw std::system_error(errno, std::generic_category(), "socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    url_ = fmt::format("http://127.0.0.1:{}/", ntohs(address.sin_port));
    thread_ = std::jthread([this, answers](std::stop_token stop) { serve(answers, stop); });
  }
  ~TinyServer() {
    thread_.request_stop();
    thread_.join();
    ::close(listener_);
  }
  const std::string& url() const { return url_; }
  /// After the client has its last answer.
  const std::string& received() const { return received_; }
  int connections() const { return connections_; }

 private:
  static bool readable(int fd, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd each{fd, POLLIN, 0};
      if (::poll(&each, 1, 20) > 0) return true;
    }
    return false;
  }
  void serve(const std::vector<std::string>& answers, std::stop_token stop) {
    int client = -1;
    for (const std::string& answer : answers) {
      if (client < 0) {
        if (!readable(listener_, stop)) return;
        client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        ++connections_;
      }
      std::string request;
      size_t wanted = std::string::npos;
      while (request.size() < wanted && readable(client, stop)) {
        char block[4096];
        const ssize_t n = ::recv(client, block, sizeof block, 0);
        if (n <= 0) break;
        request.append(block, static_cast<size_t>(n));
        const size_t end = request.find("\r\n\r\n"), field = request.find("Content-Length: ");
        if (end != std::string::npos) wanted = end + 4 + (field < end ? std::stoul(request.substr(field + 16)) : 0);
      }
      received_ += request;
      ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      if (answer.find("Connection: close") != std::string::npos || answer.find("\r\n\r\n") == std::string::npos) {
        ::close(client);
        client = -1;
      }
    }
    if (client >= 0) ::close(client);
  }

  std::string url_;
  int listener_ = -1;
  std::string received_;
  std::atomic<int> connections_ = 0;
  std::jthread thread_;
};

constexpr char kHello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Odd:  \tvalue \r\n\r\nhello";

TEST(HttpClient, reuses_its_connection_and_sends_no_expect_header) {
  TinyServer server({kHello, kHello});
  auto client = make_http_client({});
  const std::string body(100'000, 'b');
  auto put = client->send(
      {.method = "PUT", .url = server.url() + "a/../b%20c", .headers = {{"X-Mine", "1"}}, .body = as_bytes(body)});
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(put->status, 200);
  EXPECT_EQ(put->header("x-odd"), "value");
  EXPECT_EQ(put->body, "hello");
  Buffer into = Buffer::copy_of(as_bytes("old"));
  auto get = client->send({.url = server.url(), .into = &into});
  ASSERT_TRUE(get) << get.error().message;
  EXPECT_EQ(as_text(into), "hello");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_TRUE(server.received().starts_with("PUT /a/../b%20c HTTP/1.1\r\n"));
  EXPECT_NE(server.received().find(body), std::string::npos);
  EXPECT_NE(server.received().find("X-Mine: 1\r\n"), std::string::npos);
  EXPECT_EQ(server.received().find("Expect"), std::string::npos);
  EXPECT_EQ(server.received().find("chunked"), std::string::npos);
}

TEST(HttpClient, streams_both_ways) {
  TinyServer server({"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"});
  std::string got;
  HttpRequest request{.method = "POST", .url = server.url()};
  request.source_size = 10;
  int calls = 0;
  request.source = [&](MutableByteSpan room) -> Result<size_t> {
    room[0] = static_cast<uint8_t>('0' + calls++);
    return 1u;
  };
  request.sink = [&](ByteSpan piece) { return got += as_text(piece), Status(); };
  auto answer = make_http_client({})->send(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(got, "abcde");
  EXPECT_TRUE(server.received().ends_with("\r\n\r\n0123456789"));
}

TEST(HttpClient, errors_of_sink_source_and_limit_come_back_as_they_are) {
  const auto mine = [] { return fail(ErrorClass::refused, "test.mine", "no"); };
  {
    TinyServer server({kHello});
    HttpRequest request{.url = server.url()};
    request.sink = [&](ByteSpan) -> Status { return mine(); };
    EXPECT_EQ(make_http_client({})->send(request).error().id, "test.mine");
  }
  {
    TinyServer server({kHello});
    HttpRequest request{.method = "PUT",
                        .url = server.url(),
                        .source = [&](MutableByteSpan) -> Result<size_t> { return mine(); },
                        .source_size = 5};
    EXPECT_EQ(make_http_client({})->send(request).error().id, "test.mine");
  }
  {
    TinyServer server({kHello});
    Buffer into;
    EXPECT_EQ(make_http_client({})->send({.url = server.url(), .into = &into, .limit = 4}).error().id, "net.too_long");
  }
}

TEST(HttpClient, an_answer_without_a_certain_end_is_no_answer) {
  for (const char* answer :
       {"HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n"}) {
    TinyServer server({answer});
    Buffer into;
    auto got = make_http_client({})->send({.url = server.url(), .into = &into});
    ASSERT_FALSE(got) << answer;
    EXPECT_EQ(got.error().id, "net.closed") << answer;
    EXPECT_EQ(got.error().error_class, ErrorClass::unavailable);
  }
}

TEST(HttpClient, other_answers_are_values_and_their_body_is_text) {
  TinyServer server({"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope",
                     "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
                     "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n"});
  auto client = make_http_client({});
  Buffer into;
  auto missing = client->send({.url = server.url(), .into = &into});
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->status, 404);
  EXPECT_EQ(missing->body, "nope");
  EXPECT_TRUE(into.empty());
  EXPECT_EQ(client->send({.url = server.url()})->status, 302);
  EXPECT_EQ(client->send({.method = "DELETE", .url = server.url()})->status, 204);
  auto head = client->send({.method = "HEAD", .url = server.url()});
  ASSERT_TRUE(head) << head.error().message;
  EXPECT_EQ(head->header("content-length"), "77");
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, a_kept_connection_the_server_closed_meanwhile_is_replaced) {
  TinyServer server({"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", kHello});
  auto client = make_http_client({});
  ASSERT_TRUE(client->send({.url = server.url()}));
  const std::string body(1000, 'x');
  auto second = client->send({.method = "PUT", .url = server.url(), .body = as_bytes(body)});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(server.connections(), 2);
}

TEST(HttpClient, a_deadline_in_the_past_or_soon_is_kept) {
  TinyServer server({});
  auto client = make_http_client({});
  EXPECT_EQ(client->send({.url = server.url(), .deadline = Deadline::in(std::chrono::milliseconds(0))}).error().id,
            "net.timeout");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(client->send({.url = server.url(), .deadline = Deadline::in(std::chrono::milliseconds(100))}).error().id,
            "net.timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace holdfast::net
