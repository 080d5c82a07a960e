#include "agent/protocol.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace holdfast::agent {

namespace {

constexpr RequestKind kRequests[] = {
    // What can be seen.
    {"ping", Effect::looks, Right::observe, 1, false, "", "agent {pid, version, member}", "Whether the agent answers."},
    {"status", Effect::looks, Right::observe, 1, false, "",
     "agent, cluster, member, engine, role, upstream, epoch, channels[] {channel, upstream, sourceUuid, origins}, "
     "network {id, hostname, addresses[]}, supervisor, outside[], server {state, pid, adopted, mode, data, lastExit, "
     "initialised, side, progress}",
     "The agent, its member as it is configured, and the server's process."},
    {"inspect", Effect::looks, Right::observe, 1, false, "",
     "processState, volumes[], logTail, stored, leftovers[], pageCheck, readings[]",
     "What can be seen without asking the server: its process, disks, log, and data directory."},
    {"directories", Effect::looks, Right::observe, 2, false, "", "data, side, replaced[], dropping[]",
     "Which data directories there are: the member's own, its successor, those moved aside, those being removed."},
    {"errant", Effect::looks, Right::observe, 1, false, "transactions, heartbeatTables[], timeoutMs", "errant",
     "Those of these transactions that are in this member's logs."},
    {"skipped", Effect::looks, Right::observe, 1, false, "", "known, transactions, unknown",
     "MariaDB, MySQL: transactions that its log has empty or passes over."},
    {"wal_end", Effect::looks, Right::observe, 1, false, "", "end, timeline, history, unknown",
     "PostgreSQL: how far the WAL in pg_wal goes."},
    {"check_account", Effect::looks, Right::observe, 1, false, "member, host, port, renew",
     "checked, user, refusal, why",
     "MariaDB, MySQL: whether the replication account can log in at a source, from here and with this member's TLS. A "
     "peer is reached as it is configured here, whatever host and port say."},
    {"check_pages", Effect::looks, Right::observe, 1, false, "limitSeconds", "",
     "Reads the pages of all tables in the background; inspect reports what it found."},
    {"files", Effect::looks, Right::observe, 1, false, "", "files[] {name, size}",
     "Logs and small state files by name."},
    {"read_file", Effect::looks, Right::observe, 1, false, "name, offset, limit, tail",
     "name, size, offset, nextOffset, text", "A part of one of them."},

    // Ways to its server and its data, for operations and for other members' agents.
    {"member", Effect::looks, Right::operate, 2, false, "",
     "name, primary, dataDir, socket, port, adminUser, adminPassword, upstreamHost, upstreamPort, replicationUser, "
     "replicationPassword, slot",
     "How an operation works on this member: its accounts, with their passwords, and its source."},
    {"channels", Effect::looks, Right::operate, 2, false, "", "channels[]",
     "MariaDB, MySQL: its replication connections as last seen, with their passwords."},
    {"sql", Effect::looks, Right::copy, 2, true, "", "",
     "Connects to the server's unix socket; the connection carries the server's own protocol from then on."},
    {"donor", Effect::looks, Right::copy, 2, false, "measure",
     "engine, cluster, namespace, member, host, port, user, password, dataDir, bytes",
     "What another member's agent needs to copy from this one; refused where a copy would not be whole."},
    {"backup_stream", Effect::looks, Right::copy, 2, true, "", "",
     "MariaDB, Galera: a physical backup of the running server (mbstream) in frames; the last one has the result."},

    {"tree", Effect::looks, Right::copy, 2, true, "directory", "",
     "All files of a stopped member's data directory, or of one that was moved aside, with their metadata in frames."},

    {"errant_log", Effect::looks, Right::operate, 3, true,
     "transactions, heartbeatTables[], most, mostRecords, altered", "",
     "Those of these transactions that are in this member's logs, in frames: what each did, and its events of the "
     "binary "
     "log, or the WAL that it is in. With altered (MySQL) also whether their tables were altered afterwards."},

    // The server's process.
    {"start", Effect::changes, Right::operate, 1, false,
     "mode: normal or isolated, data: main or side, newCluster, extraArgs[]", "pid",
     "Starts the server and waits until it serves."},
    {"restart", Effect::changes, Right::operate, 1, false, "as start", "pid", "Stops and starts the server."},
    {"stop", Effect::changes, Right::operate, 1, false, "mode: fast or immediate", "", "Stops the server."},
    {"continue", Effect::changes, Right::operate, 1, false, "", "continued",
     "SIGCONT to those of the server's processes that a signal has stopped; answers once it serves."},
    {"apply_received", Effect::changes, Right::operate, 2, false, "", "transactions, position",
     "MariaDB: applies what is only in the relay logs; the server runs isolated, without its threads."},

    // Its data directories.
    {"initialise", Effect::changes, Right::operate, 1, false,
     "from: empty, copy, basebackup, donor or rewind, path, donor, side, reserve, rate",
     "method, position, lineage, donor, path, bytes, seconds, donorRestored",
     "Makes the data directory, or with side its successor beside it. A copy is of the stopped member donor, or of the "
     "directory path of its host; donor is of one that runs, read at no more than rate bytes a second."},
    {"discard_side", Effect::changes, Right::operate, 1, false, "", "", "Removes the successor, finished or not."},
    {"swap_side", Effect::changes, Right::operate, 1, false, "", "path",
     "Moves the data directory aside and its successor into its place."},
    {"set_aside", Effect::changes, Right::operate, 1, false, "", "path", "Moves the data directory aside."},
    {"put_back", Effect::changes, Right::operate, 1, false, "path", "", "Moves one that was moved aside back."},
    {"drop_aside", Effect::changes, Right::operate, 1, false, "path", "", "Removes one that was moved aside."},
    {"rewind", Effect::changes, Right::operate, 1, false, "donor", "rewound, fromTimeline, toTimeline",
     "PostgreSQL: pg_rewind of the stopped server onto a running member, in place."},
    {"free_wal", Effect::changes, Right::operate, 1, false, "keepFrom, dropSlots[]", "segments, bytes",
     "PostgreSQL: drops these slots and removes WAL that is no longer needed."},
    {"cancel", Effect::changes, Right::operate, 1, false, "", "cancelled", "Ends the initialise or rewind under way."},
    {"galera_position", Effect::changes, Right::operate, 1, false, "", "position",
     "Galera: the position of the stopped server, recovered after a crash."},
    {"recover_position", Effect::changes, Right::operate, 1, false, "", "position",
     "Galera: what InnoDB says of the stopped server's position."},
    {"safe_to_bootstrap", Effect::changes, Right::operate, 1, false, "set", "safe",
     "Galera: the mark in grastate.dat, after setting it if asked to."},

    // The agent.
    {"configure", Effect::changes, Right::operate, 1, false, "role, upstream, peers[], source: now or before", "leads",
     "How the server starts from now on; kept by the agent. source: of an adopted PostgreSQL standby that runs, its "
     "files lead to the upstream, or to where they led; after its reload."},
    {"fence", Effect::changes, Right::operate, 1, false, "", "",
     "Lower epochs are refused from now on, and their copies ended."},
    {"shutdown", Effect::changes, Right::operate, 1, false, "mode: fast or immediate", "",
     "Stops the server, then the agent."},
    {"commit", Effect::own, Right::operate, 1, false, "", "",
     "The agent no longer ends with the process that started it."},
};

}  // namespace

std::span<const RequestKind> request_table() {
  return kRequests;
}

const RequestKind* find_request(std::string_view name) {
  const auto found = std::ranges::find(kRequests, name, &RequestKind::name);
  return found == std::end(kRequests) ? nullptr : found;
}

std::string_view effect_name(Effect effect) {
  switch (effect) {
    case Effect::looks:
      return "looks";
    case Effect::changes:
      return "changes";
    case Effect::own:
      return "own";
  }
  return "?";
}

std::string_view right_name(Right right) {
  switch (right) {
    case Right::observe:
      return "observe";
    case Right::operate:
      return "operate";
    case Right::copy:
      return "operate, agent";
  }
  return "?";
}

std::string protocol_page() {
  std::string page = fmt::format(
      "# The agent's protocol\n\n"
      "Version {}. Generated from `src/agent/protocol.cpp`; do not edit.\n\n"
      "One line of JSON for each request and each answer, over the agent's unix socket or over TLS\n"
      "([who may ask what](../security.md)). `op` names the request, `protocol` the client's version, `timeoutSeconds` "
      "its\n"
      "patience. A request that changes something carries the `epoch` of its operation; without one, or with one "
      "lower\n"
      "than the highest that the agent has seen, it is refused (`agent.no_epoch`, `agent.stale_epoch`). After the "
      "answer to\n"
      "a request that streams, the connection carries only what was asked for: the server's own protocol (`sql`), or "
      "frames\n"
      "of a 4-byte length (big-endian) and that many bytes, ended by a frame of length 0 and one line of JSON with "
      "the\n"
      "result.\n\n"
      "| request | effect | for | since | takes | gives | what |\n"
      "|---|---|---|---|---|---|---|\n",
      kProtocol);
  for (const auto& kind : kRequests)
    page += fmt::format("| `{}` | {}{} | {} | {} | {} | {} | {} |\n", kind.name, effect_name(kind.effect),
                        kind.streams ? ", streams" : "", right_name(kind.right), kind.since, kind.takes, kind.gives,
                        kind.what);
  return page;
}

}  // namespace holdfast::agent
