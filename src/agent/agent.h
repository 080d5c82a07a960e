// `holdfast agent`: one process per member. It supervises the member's server and answers a local API.
//
// API: a unix stream socket (<socket_dir>.agent.sock, mode 0600, in a directory of the agent's user); both sides look
// who the other is: the same user, or root. Each request is one line of JSON, each answer one
// line:
//   {"op":"status"}                          -> {"ok":true, ...}
//   {"op":"nonsense"}                        -> {"ok":false,"error":{"class","id","message","hint"}}
// A connection may carry many requests, one after another. Unknown fields are ignored, so requests can grow.
// What changes something may carry {epoch}: the epoch of its operation. One below the highest ever seen is refused
// ("agent.stale_epoch", class refused; agent/epoch.h).
//   ping                      agent {pid, version, member}
//   status                    agent, member, config, epoch, server {state, pid, mode, data, argv, env, lastExit,
//                             initialised, side, progress {op, step, bytes, total, seconds} or null, ...}
//   start {mode: normal|isolated, data: main|side, newCluster, extraArgs[], timeoutSeconds}
//                             a normal start has its pages read afterwards (agent/page_watch.h)
//   stop {mode: fast|immediate, timeoutSeconds} · restart (as start)
//   continue -> {continued}   SIGCONT to those of the server's processes that a signal has stopped; answers once it
//                             serves
//   check_pages               reads them anew, in the background; `inspect` tells what it found
//   inspect                   -> {processState, volumes[], logTail, stored, leftovers[], readings[]}: what can be seen
//                             without asking the server
//   errant {transactions, heartbeatTables[]} -> {errant}: those of these transactions that are in this member's logs
//   skipped -> {known, transactions, unknown}    MariaDB, MySQL: what its log has empty or passes over
//   check_account {host, port, renew} -> {checked, user, refusal | why}    MariaDB, MySQL: whether the replication
//   account
//                             can log in there, from here and with the TLS of the replica's connection
//   configure {role, upstream, peers[]}    kept in agent.json, used at the next start
//   files -> {files[]} · read_file {name, offset, limit, tail} -> {text|base64, size, nextOffset}
//   galera_position, recover_position -> {position}    Galera, server stopped: what grastate.dat or InnoDB says;
//                             InnoDB alone. A grastate.dat without history (zero UUID): "agent.no_history"
//   safe_to_bootstrap {set?} -> {safe}    Galera, server stopped: the mark in grastate.dat, after setting it if asked
//   commit                    the agent stops depending on the process that started it (`lab up` sends it when all is
//                             well)
//   shutdown                  stops the server (fast), then the agent
//
// Data directories (agent/data_dir.h). Refused ("agent.running") while the server runs on the one concerned:
//   initialise {from: empty|copy|basebackup|donor|rewind, path, donor, side, reserve, timeoutSeconds}
//       makes the data directory; with side: true its successor, <dataDir>.new, while the server may go on with the old
//       one. A crash never passes for a finished one: what is half made is removed at the next initialise.
//       from donor: a physical copy of a running member of the cluster (its name in `donor`), which serves on:
//         mariadb   mariadb-backup; the copy gets the donor's binary log state at its position, and gtid_slave_pos
//         galera    the same, with grastate.dat: the member joins by IST as long as a donor's gcache reaches back
//         mysql     CLONE, which the donor writes into our directory (way: files), or, when it runs as another user or
//                   cannot reach it, sends to a helper server (way: network); the copy has a server uuid of its own,
//                   knows no source, and its binary log begins behind the donor's position (gtid_purged)
//         postgres  pg_basebackup, verified; a slot of this member holds WAL on its upstream (made when missing)
//       from rewind (PostgreSQL, side, server stopped): a copy of the member's own directory, rewound onto the donor.
//         What is not possible, or fails, or has not all the WAL it needs, becomes a copy from the donor instead: then
//         method is pg_basebackup and notRewound says why.
//       -> {method, position, lineage, donor, path, bytes, seconds, donorRestored, ...}
//         position: GTID vector, uuid:seqno, GTID set, or the LSN where the copy is consistent (with timeline)
//       Checked first: space for the copy and `reserve` bytes more (default 128 MiB): "agent.no_space", nothing
//       touched. "agent.donor" says what is wrong with the donor. MySQL without its clone plug-in: "agent.no_clone".
//   discard_side              removes the side directory, half made or not
//   start {data: side}        runs the server on it, on the member's own socket and ports, to prove it
//   swap_side -> {path}       server stopped: <dataDir> becomes <dataDir>.replaced-<time> (path; "" when there was
//                             none), the side directory becomes <dataDir>. Journaled: a crash in between is completed
//                             when the agent starts, or before the next change.
//   set_aside -> {path} · put_back {path}    moves the data directory to <dataDir>.replaced-<time>, and back
//   drop_aside {path}         removes one of those for good
//   rewind {donor} -> {rewound, fromTimeline, toTimeline}    PostgreSQL, server stopped: pg_rewind onto a running
//       member, in place. What cannot be rewound is refused ("agent.rewind") and untouched; once the rewind writes, a
//       crash or failure leaves a directory that no start accepts ("agent.half_rewound"): reseed it.
//   fence {epoch}             changes nothing but that lower epochs are refused from now on; ends their copies
//   free_wal {keepFrom, dropSlots[]} -> {segments, bytes}    PostgreSQL, server stopped: drops these slots and removes
//       WAL segments before keepFrom (an LSN) that neither recovery, nor the archiver, nor another slot needs
//   cancel -> {cancelled}     ends the initialise or rewind under way, which then answers "interrupted"
// What a copy must change on its donor (a plug-in that was not loaded, a slot) is journaled in
// donor-undo.<donor>.json and undone at the end, or when the agent starts again.
//
// Life: the agent holds <dir>/agent.lock, so a member has one agent. Its server dies with it (PR_SET_PDEATHSIG), also
// by SIGKILL. SIGTERM and SIGINT end the agent as `shutdown` does.
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
