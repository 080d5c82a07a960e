// Real servers for the network stores: restic-rest-server, SeaweedFS, versitygw.
#pragma once

#include <memory>
#include <string>

#include "store/open_store.h"
#include "tests/support/servers/server_process.h"

namespace holdfast::test {

/// A certificate authority and a certificate for 127.0.0.1 and localhost, made by the openssl program.
struct Certificates {
  std::string ca, certificate, key;  ///< PEM files
};
Certificates make_certificates();

class StoreServer {
 public:
  virtual ~StoreServer() = default;

  /// "" when the server can be started, else what is missing and how to get it.
  virtual std::string missing() const = 0;
  /// Starts it and waits until it answers; throws with the end of its log if it does not. Keeps data and port of
  /// before.
  void start();
  bool running() { return process_.running(); }
  void kill() { process_.kill(); }
  /// SIGKILL alone, from any thread; kill() or start() collects what is left.
  void kill_now() { process_.signal_kill(); }
  int port() const { return port_; }
  std::string origin() const { return origin_at(port_); }
  /// The same address behind another port of this machine, e.g. a proxy's.
  std::string origin_at(int port) const;
  /// A place of its own in this server; `origin` "" means its own.
  virtual std::string location(const std::string& name, const std::string& origin = "") const = 0;
  /// Credentials and short timeouts, so that a failure ends a test soon.
  virtual store::StoreOptions options() const = 0;

 protected:
  StoreServer(std::string name, bool tls);
  virtual void launch() = 0;

  const std::string name_;
  const std::string folder_;
  const int port_;
  std::optional<Certificates> tls_;
  ServerProcess process_;
};

enum class Tls { off, on };
std::unique_ptr<StoreServer> make_rest_server(Tls tls = Tls::off);
std::unique_ptr<StoreServer> make_seaweedfs();
std::unique_ptr<StoreServer> make_versitygw(Tls tls = Tls::off);

}  // namespace holdfast::test
