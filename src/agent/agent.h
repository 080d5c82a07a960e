// `holdfast agent`: one process per member. It supervises the member's server and answers a local API.
//
// API: a unix stream socket (<socket_dir>/agent.sock, mode 0600). Each request is one line of JSON, each answer one
// line:
//   {"op":"status"}                          -> {"ok":true, ...}
//   {"op":"nonsense"}                        -> {"ok":false,"error":{"class","id","message","hint"}}
// A connection may carry many requests, one after another. Unknown fields are ignored, so requests can grow.
//   ping                                     agent {pid, version, member}
//   status                                   agent, member, config, server {state, pid, mode, argv, env, lastExit, ...}
//   start {mode: normal|isolated, newCluster, extraArgs[], timeoutSeconds}
//   stop {mode: fast|immediate, timeoutSeconds} · restart (as start)
//   initialise {from: empty|copy|basebackup, path}    makes the data directory
//   set_aside -> {path} · put_back {path}             moves the data directory to <dataDir>.replaced-<time>, and back
//   galera_position, recover_position -> {position}   Galera, server stopped: what grastate.dat or InnoDB says; InnoDB
//                                                      alone
//   inspect -> {processState, volumes[], logTail, stored, readings[]}   what can be seen without asking the server
//   errant {transactions, heartbeatTables[]} -> {errant}   those of these transactions that are in this member's logs
//   configure {role, upstream, peers[]}               kept in agent.json, used at the next start
//   files -> {files[]} · read_file {name, offset, limit, tail} -> {text|base64, size, nextOffset}
//   commit      the agent stops depending on the process that started it (`lab up` sends it when all is well)
//   shutdown    stops the server (fast), then the agent
//
// Life: the agent holds <dir>/agent.lock, so a member has one agent. Its server dies with it (PR_SET_PDEATHSIG), also
// by SIGKILL. SIGTERM and SIGINT end the agent as `shutdown` does.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::agent {

struct AgentOptions {
  std::string dir;  ///< the member's directory, with agent.json
  /// The agent is killed with the process that started it until it gets `commit`.
  bool leashed = false;
};

/// Runs the agent until it is told to end. "agent.locked" (conflict) when the member has one already.
Status run_agent(const AgentOptions& options);

}  // namespace holdfast::agent
