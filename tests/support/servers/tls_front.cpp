#include "tests/support/servers/tls_front.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

namespace holdfast::test {

struct TlsFront::Context {
  SSL_CTX* ssl = SSL_CTX_new(TLS_server_method());
  ~Context() { SSL_CTX_free(ssl); }
};

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool readable(int fd, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd each{fd, POLLIN, 0};
    if (::poll(&each, 1, 20) > 0) return true;
  }
  return false;
}

// Both ways until one side ends.
void relay(SSL* client, int upstream, const std::stop_token& stop) {
  char block[16384];
  while (!stop.stop_requested()) {
    pollfd both[2] = {{SSL_get_fd(client), POLLIN, 0}, {upstream, POLLIN, 0}};
    if (SSL_pending(client) == 0 && ::poll(both, 2, 20) <= 0) continue;
    if (SSL_pending(client) > 0 || both[0].revents) {
      const int got = SSL_read(client, block, sizeof block);
      if (got <= 0 || ::send(upstream, block, static_cast<size_t>(got), MSG_NOSIGNAL) != got) return;
    }
    if (both[1].revents) {
      const ssize_t got = ::recv(upstream, block, sizeof block, 0);
      if (got <= 0 || SSL_write(client, block, static_cast<int>(got)) != got) return;
    }
  }
}

}  // namespace

TlsFront::TlsFront(const Certificates& own, int upstream_port) : upstream_port_(upstream_port), context_(new Context) {
  SSL_CTX* ssl = context_->ssl;
  if (SSL_CTX_use_certificate_chain_file(ssl, own.certificate.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(ssl, own.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_load_verify_locations(ssl, own.ca.c_str(), nullptr) != 1) {
    throw std::runtime_error("the https server's certificates cannot be used");
  }
  SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_, 64) != 0) {
    throw std::runtime_error("the https server cannot listen");
  }
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::jthread([this](std::stop_token stop) { accept_all(std::move(stop)); });
}

TlsFront::~TlsFront() {
  acceptor_.request_stop();
  acceptor_.join();
  for (auto& worker : workers_) worker.request_stop();
  workers_.clear();
  ::close(listener_);
  delete context_;
}

void TlsFront::accept_all(std::stop_token stop) {
  while (readable(listener_, stop)) {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    workers_.emplace_back([this, client](std::stop_token own) { serve(client, std::move(own)); });
  }
}

void TlsFront::serve(int client, std::stop_token stop) {
  SSL* ssl = SSL_new(context_->ssl);
  SSL_set_fd(ssl, client);
  if (SSL_accept(ssl) == 1) {
    const int upstream = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(upstream_port_);
    if (::connect(upstream, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      relay(ssl, upstream, stop);
      SSL_shutdown(ssl);
    }
    ::close(upstream);
  }
  ERR_clear_error();
  SSL_free(ssl);
  // What the client has sent meanwhile is taken: closing over it would reset the connection, and the alert be lost.
  ::shutdown(client, SHUT_WR);
  char rest[4096];
  while (readable(client, stop) && ::recv(client, rest, sizeof rest, 0) > 0) {
  }
  ::close(client);
}

std::string make_client_certificate(const Certificates& authority) {
  const std::string folder = std::filesystem::path(authority.ca).parent_path();
  const std::string command = fmt::format(
      "cd {} && printf 'extendedKeyUsage=clientAuth\\n' > client.ext && openssl req -newkey ec -pkeyopt "
      "ec_paramgen_curve:P-256 -nodes -subj /CN=client -keyout client.key -out client.csr >>log 2>&1 && openssl x509 "
      "-req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile client.ext -out client.crt >>log "
      "2>&1 && cat client.crt client.key > client.pem",
      folder);
  if (std::system(command.c_str()) != 0) throw std::runtime_error("openssl made no certificate for a client");
  return folder + "/client.pem";
}

}  // namespace holdfast::test
