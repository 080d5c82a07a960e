// A server as a distribution's package sets it up: accounts by unix_socket, auth_socket and peer, no password anywhere,
// the package's settings. Run by the package's user where the test is root, by the caller otherwise.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "sql/rows.h"
#include "sys/file.h"
#include "sys/process.h"

namespace holdfast::test {

class DistributionServer {
 public:
  /// Made and started, or a failed test; ended with the object.
  explicit DistributionServer(cluster::Engine engine);
  /// PostgreSQL: a standby of `primary` on this machine, over its unix socket.
  static std::unique_ptr<DistributionServer> standby_of(const DistributionServer& primary);
  DistributionServer(const DistributionServer&) = delete;
  DistributionServer& operator=(const DistributionServer&) = delete;
  ~DistributionServer();

  const std::string& socket() const { return socket_; }
  int port() const { return port_; }
  /// root or postgres; another user's own name where the test is not root.
  const std::string& account() const { return account_; }
  /// As that account.
  sql::Target target() const;
  void run(const std::vector<std::string>& statements);
  std::string log() const;
  void stop();

 private:
  DistributionServer(cluster::Engine engine, bool started);
  void install();
  void start();
  std::string program(const std::string& name) const;
  /// What a package's script runs as the server's user.
  void as_server(const std::vector<std::string>& argv) const;

  const cluster::Engine engine_;
  const sys::TempDir dir_;
  std::string account_, socket_;
  int port_ = 0;
  std::optional<sys::Identity> server_user_;
  sys::Process process_;
};

}  // namespace holdfast::test
