// Ways to a member that its agent opens: its accounts for operations, its directories, its server's socket.
#pragma once

#include <stop_token>

#include "agent/config.h"
#include "base/deadline.h"
#include "base/result.h"
#include "codec/value.h"
#include "net/stream.h"

namespace holdfast::agent {

/// How an operation works on the member; holds passwords: for callers with the role operate only.
Result<codec::Value> member_value(const MemberConfig& config);

/// {"data", "side", "replaced": [paths], "dropping": [paths]}: what is there now. An error where the member's directory
/// cannot be listed.
Result<codec::Value> directories_value(const MemberConfig& config);

/// {"id", "hostname", "addresses"} of sys/network.h: where its server can be reached, for who compares addresses.
codec::Value network_value(pid_t server);

/// Answers that the server's unix socket is connected, then carries bytes both ways until one side ends. Until then an
/// error is returned with `answered` false. "agent.no_server" (unavailable) when nothing accepts connections there.
Status serve_sql(const MemberConfig& config, net::Stream& stream, bool& answered, Deadline deadline,
                 const std::stop_token& stop);

}  // namespace holdfast::agent
