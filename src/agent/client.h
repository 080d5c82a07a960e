// The other end of the agent's API (see agent/agent.h for the requests).
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "agent/line_socket.h"
#include "base/deadline.h"
#include "base/result.h"
#include "codec/value.h"

namespace holdfast::agent {

class Client {
 public:
  /// "agent.unreachable" (unavailable) when nobody listens there.
  static Result<Client> connect(const std::string& socket_path, Deadline deadline);

  /// One request; the answer's fields, or the agent's own error (same class, id and hint as it had there).
  Result<codec::Value> call(const std::string& op, codec::Value arguments, Deadline deadline,
                            std::stop_token stop = {});
  Result<codec::Value> call(const std::string& op, Deadline deadline);

 private:
  explicit Client(LineSocket socket) : socket_(std::move(socket)) {}
  LineSocket socket_;
};

}  // namespace holdfast::agent
