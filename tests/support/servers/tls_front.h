// An https server in front of a plain one, on loopback: it demands a certificate from its clients.
#pragma once

#include <string>
#include <thread>
#include <vector>

#include "tests/support/servers/store_servers.h"

namespace holdfast::test {

class TlsFront {
 public:
  /// Shows `own` and takes clients whose certificate `own.ca` has signed; their bytes go to `upstream_port`.
  TlsFront(const Certificates& own, int upstream_port);
  ~TlsFront();
  int port() const { return port_; }

 private:
  struct Context;
  void accept_all(std::stop_token stop);
  void serve(int client, std::stop_token stop);

  const int upstream_port_;
  int port_ = 0;
  int listener_ = -1;
  Context* context_;
  std::vector<std::jthread> workers_;  // of the acceptor only, until it has ended
  std::jthread acceptor_;
};

/// Makes a client's certificate that `authority` signs (its key lies beside it, as make_certificates() leaves it), with
/// its key in the same file; the file's path.
std::string make_client_certificate(const Certificates& authority);

}  // namespace holdfast::test
