// One connection to an agent: over its unix socket, or over TLS to an agent on another host.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "agent/line_socket.h"
#include "agent/protocol.h"
#include "base/deadline.h"
#include "base/result.h"
#include "cluster/agent_certificate.h"
#include "cluster/types.h"
#include "codec/value.h"

namespace holdfast::agent {

/// Where an agent answers.
struct Address {
  std::string socket;  ///< its unix socket, on this machine
  std::string host;    ///< else host and port, and who we are there
  int port = 0;
  cluster::AgentTls tls;

  static Address of_socket(std::string path) { return {std::move(path), {}, 0, {}}; }
  /// The unix socket where the member has one, else its address. "provider.external" (refused) without either.
  static Result<Address> of(const cluster::Member& member);
  /// "host:port", "[v6]:port"; "agent.address" (usage) otherwise.
  static Result<Address> parse(const std::string& text, cluster::AgentTls tls);
  std::string text() const;
};

/// One thread's.
class Client {
 public:
  /// "agent.unreachable" (unavailable) when no agent answers there; "agent.stranger" (refused) when another user's
  /// process does; of TLS: net/tls_stream.h.
  static Result<Client> connect(const Address& address, Deadline deadline, std::stop_token stop = {});
  static Result<Client> connect(const std::string& socket, Deadline deadline) {
    return connect(Address::of_socket(socket), deadline);
  }

  /// The answer, or the error the agent gave. "agent.too_old" (refused) when the agent is known to be older than the
  /// request.
  Result<codec::Value> call(const std::string& op, codec::Value arguments, Deadline deadline,
                            std::stop_token stop = {});
  Result<codec::Value> call(const std::string& op, Deadline deadline);
  /// The same for a person who is no operation: what changes something goes at the epoch that the agent has now.
  Result<codec::Value> call_now(const std::string& op, codec::Value arguments, Deadline deadline,
                                std::stop_token stop = {});

  /// The certificates that this connection took, as its handshake showed them; none over a unix socket.
  const std::vector<cluster::AgentCertificate>& certificates() const { return certificates_; }

  /// A request that streams: what comes after its answer.
  Result<std::unique_ptr<net::Stream>> open(const std::string& op, codec::Value arguments, Deadline deadline,
                                            std::stop_token stop = {}) &&;

 private:
  explicit Client(LineSocket socket) : socket_(std::move(socket)) {}
  LineSocket socket_;
  std::vector<cluster::AgentCertificate> certificates_;
  int protocol_ = kFirstProtocol;  ///< of the agent, once it has answered
  bool known_ = false;
};

}  // namespace holdfast::agent
