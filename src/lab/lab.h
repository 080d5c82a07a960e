// The lab: real database clusters as local processes, for the demo, tests and drills.
//
// Four clusters in namespace `shop`, each member under its own `holdfast agent`:
//   shop-mariadb   3 x MariaDB, semi-sync, GTID (0 is the primary)      shop-galera     3 x MariaDB Galera
//   shop-mysql     2 x MySQL, GTID                                      shop-postgres   primary + streaming standby,
//   slot
// On loopback, or (root) spread over hosts: network namespaces with an address each (lab/hosts.h), member n on host
// 1 + n modulo their number. There every cluster has three members, on the ports that people know, and its resource
// names what a caller on another host has: addresses, and no sockets or directories.
//
// Under the state directory ($HOLDFAST_STATE_DIR, else /var/lib/holdfast as root, ~/.local/state/holdfast otherwise):
//   clusters/<cluster>.yaml            the DatabaseCluster of each: what every other command reads
//   lab/lab.lock                       held by `up` and `down`
//   lab/pki/                           certificates of the agents on hosts, and of those who ask them
//   lab/host<n>.wire                   held by the process that slows this host down
//   lab/<cluster>/admin.password ...   generated, 0600
//   lab/<cluster>/uid                  generated: its metadata.uid
//   lab/<cluster>/<member>/            see agent/config.h
// `up` returns and leaves the agents running, each in a session of its own; `down` stops all of them. Until a cluster
// is complete its agents are on a leash (PR_SET_PDEATHSIG): a killed `up` leaves complete clusters or nothing. An agent
// that is killed takes its server with it, unless servers are made to survive: then `down` ends them, also where no
// agent is left, and a killed `up` leaves servers for it or for the next `up` to end. `up` starts what is missing and
// finds the rest. Ports are leased by an abstract unix socket named after the port, held by the agent: labs of any user
// or state directory on the machine never collide. Servers started by root run as mysql or postgres, each with a group
// id of its own (that is how a partition tells one member's packets from another's); otherwise as the current user.
#pragma once

#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/types.h"

namespace holdfast::lab {

inline constexpr int kMostHosts = 9;

struct Options {
  std::string state_dir;  ///< empty = default_state_dir()
  std::string program;    ///< what runs `agent`; empty = the running program itself
  int hosts = 0;          ///< `up`: over how many hosts new clusters are spread; 0 = on loopback
  /// `up`: servers outlive their agents (agent/config.h), from the next start of a member's agent on.
  bool servers_survive = false;
  /// Called with one line of news per step, from several threads, one at a time.
  std::function<void(const std::string&)> progress;
};

std::string default_state_dir();

/// shop-mariadb, shop-galera, shop-mysql, shop-postgres
std::vector<std::string> cluster_names();

/// One member as it is now.
struct MemberStatus {
  std::string cluster, ns, member, engine;
  std::string role;   ///< primary or replica as configured; Galera: "member"
  std::string state;  ///< running, stopped, starting, failed, ...; "no agent" when none answers
  int pid = -1;       ///< of the server; -1 when it does not run
  int agent_pid = -1;
  std::string data_dir, socket, host, user, password_file, agent_socket, log_file;
  std::string agent;          ///< "host:port" where its agent answers, "" for a member on loopback
  std::string net_namespace;  ///< its host: `ip netns exec NAME ...`; "" for a member on loopback
  int port = 0;
};

struct LabStatus {
  std::string state_dir;
  std::vector<MemberStatus> members;
};

/// Starts the named clusters (all of them when the list is empty) and waits until every member serves and replicates.
/// Idempotent: running members are left alone, and so is where a cluster lives. On failure what this call started of an
/// incomplete cluster is stopped. With hosts: "lab.needs_root" and others of can_have_hosts(), "lab.other_hosts" for a
/// cluster that lives elsewhere (refused, nothing changed).
Result<LabStatus> up(const Options& options, const std::vector<std::string>& clusters, Deadline deadline,
                     std::stop_token stop = {});

/// What there is; never starts anything. A member whose agent does not answer within `per_member` is "no agent".
Result<LabStatus> status(const Options& options,
                         std::chrono::milliseconds per_member = std::chrono::milliseconds(2000));

/// Stops everything (or the named clusters) and removes the data unless `keep_data`.
Status down(const Options& options, const std::vector<std::string>& clusters, bool keep_data, Deadline deadline,
            std::stop_token stop = {});

}  // namespace holdfast::lab
