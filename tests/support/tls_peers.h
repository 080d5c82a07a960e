// For tests of TLS: authorities with the certificates they issue, as files, and both ends of a connection on loopback.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "net/certificates.h"
#include "net/connect.h"
#include "net/tls_stream.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::test {

inline Deadline soon() {
  return Deadline::in(std::chrono::seconds(20));
}

template <class T>
T value(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().id + ": " + result.error().to_string());
  return *std::move(result);
}

inline void write_file(const std::string& path, std::string_view text, unsigned mode = 0600) {
  if (auto done = sys::publish_file(path, as_bytes(text), mode); !done)
    throw std::runtime_error(done.error().to_string());
}

/// A certificate authority in a directory of its own.
class Authority {
 public:
  explicit Authority(const std::string& name = "Test authority", net::Lifetime lifetime = days(100))
      : folder_(value(sys::TempDir::create("tls"))), issued_(value(net::make_authority(name, lifetime))) {
    write_file(ca(), issued_.certificate);
  }

  static net::Lifetime days(int64_t count) { return net::lifetime_from_now(std::time(nullptr), count); }

  const std::string& folder() const { return folder_.path(); }
  std::string ca() const { return folder() + "/ca.crt"; }
  const net::Issued& issued() const { return issued_; }

  /// Writes NAME.crt and NAME.key; `file` is NAME.
  net::TlsFiles issue(const net::CertificateRequest& request, const std::string& file) const {
    const net::Issued made = value(net::issue_certificate(issued_, request));
    const net::TlsFiles files{ca(), folder() + "/" + file + ".crt", folder() + "/" + file + ".key"};
    write_file(files.certificate, made.certificate);
    write_file(files.key, made.key.reveal());
    return files;
  }
  net::TlsFiles agent(net::Lifetime lifetime = days(10)) const {
    return issue({"db1.example", {"db1.example", "127.0.0.1", "::1"}, net::Role::agent, true, true, lifetime}, "agent");
  }
  net::TlsFiles person(net::Role role = net::Role::operate, net::Lifetime lifetime = days(10)) const {
    return issue({"anna", {}, role, false, true, lifetime}, "anna");
  }

 private:
  sys::TempDir folder_;
  net::Issued issued_;
};

inline net::TlsContext context(const net::TlsFiles& files) {
  return value(net::TlsContext::load(files));
}

/// Listens on a free port of loopback.
class Listener {
 public:
  explicit Listener(int backlog = 16) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (!fd_ || ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(fd_.get(), backlog) != 0 ||
        ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no port on loopback");
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }
  sys::Fd accept() const {
    if (!value(sys::wait_fd(fd_.get(), POLLIN, soon()))) throw std::runtime_error("nobody connects");
    return sys::Fd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

 private:
  sys::Fd fd_;
  int port_ = 0;
};

/// A plain connection to the port.
inline sys::Fd plain_client(int port) {
  return value(net::tcp_connect("127.0.0.1", port, soon()));
}

/// How a connection went, on both sides.
struct Ends {
  Result<net::TlsStream> client, server;
};

inline Ends connect(const net::TlsContext& client, const net::TlsContext& server,
                    const std::string& expected_name = "db1.example") {
  Listener listener;
  auto accepted = std::async(std::launch::async, [&] { return net::tls_accept(listener.accept(), server, soon()); });
  auto connected = net::tls_connect("127.0.0.1", listener.port(), expected_name, client, soon());
  return Ends{std::move(connected), accepted.get()};
}

/// Id of the error; "none" without one.
template <class T>
std::string id_of(const Result<T>& result) {
  return result ? "none" : result.error().id;
}

/// Bytes that are the same for the same seed, and look like no others.
inline std::string noise(size_t size, uint64_t seed) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i += 8) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    std::memcpy(text.data() + i, &seed, std::min<size_t>(8, size - i));
  }
  return text;
}

/// Everything until the other side ends its writing.
inline Result<std::string> read_to_end(net::Stream& stream, Deadline deadline = soon()) {
  std::string text;
  std::vector<uint8_t> block(256 << 10);
  for (;;) {
    const size_t n = TRY(stream.read_some(block, deadline));
    if (n == 0) return text;
    text.append(reinterpret_cast<const char*>(block.data()), n);
  }
}

}  // namespace holdfast::test
