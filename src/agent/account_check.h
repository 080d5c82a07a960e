// MariaDB, MySQL: whether the replication account can log in at a source: from the host of the replica, as the user its
// server runs as, with the TLS settings of its own connection.
#pragma once

#include <string>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"
#include "codec/value.h"
#include "engine/channels.h"

namespace holdfast::agent {

struct SourceToCheck {
  std::string member;  ///< its name, where it is a peer: then it is reached as the member's agent knows it
  std::string host;
  int port = 0;
  bool renew = false;  ///< with the account the agent has, whatever the connection has now
};

/// {"checked": true, "user", "refusal"}: "" where the source would give that account its logs, or cannot say;
/// {"checked": false, "user", "why"} where it was not found out: no client program, no answer, no TLS.
codec::Value check_account(const MemberConfig& config, const SourceToCheck& source, Deadline deadline,
                           std::stop_token stop);

/// The option file with which the client program connects as a replica's own connection does. Pure.
Secret client_options(cluster::Engine engine, const engine::Channel& channel);

}  // namespace holdfast::agent
