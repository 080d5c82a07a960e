// `holdfast agent`: one process per member. It supervises the member's server and answers a local API.
//
// API (agent/protocol.h, agent/answers.h): on a unix stream socket (<socket_dir>.agent.sock, mode 0600, in a directory
// of the agent's user), where both sides check who the other is: the same user, or root; and, where the configuration
// names an address, over TLS 1.3 with certificates on both sides (net/tls_stream.h), whose roles say what a caller may
// ask.
//
// Life: the agent holds <dir>/agent.lock, so a member has one agent. Its server dies with it (PR_SET_PDEATHSIG), also
// by SIGKILL; SIGTERM and SIGINT end the agent as `shutdown` does. With `serverSurvives` in its configuration the
// server lives on, whatever ends the agent, until `stop` or `shutdown`; the next agent adopts it
// (agent/running_server.h).
#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"

namespace holdfast::agent {

struct AgentOptions {
  std::string dir;  ///< the member's directory, with agent.json
  /// The agent is killed with the process that started it until it gets `commit`.
  bool leashed = false;
  std::stop_token stop;  ///< ends it as SIGTERM does, which another thread of the process may be given
};

/// Runs the agent until it is told to end. "agent.locked" (conflict) when the member has one already.
Status run_agent(const AgentOptions& options);

}  // namespace holdfast::agent
