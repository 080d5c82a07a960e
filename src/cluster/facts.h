// What was seen of a member. Pure values: filled by engine/*/observe and engine/*/stored, judged by triage().
//
// A field that could not be read stays empty: unknown is not absent. `readings` says of each value where it came from,
// how old it is, or why it is not known.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/agent_certificate.h"
#include "cluster/errant.h"
#include "cluster/types.h"

namespace holdfast::cluster {

enum class Reach {
  reachable,    ///< signed in and asked
  unreachable,  ///< refused, no such host, no socket: nobody serves there as far as we can see
  timeout,      ///< no answer in time: nothing is known
  denied,       ///< it serves, but not us
  failed,       ///< it answered with an error
};
std::string_view reach_name(Reach reach);

enum class MemberRole { unknown, primary, replica, node };
std::string_view member_role_name(MemberRole role);

/// One value as it was read.
struct Reading {
  std::string name;     ///< "gtid_executed"
  std::string value;    ///< "" when unknown
  std::string source;   ///< "SQL @@gtid_executed", "pg_control", "grastate.dat", "agent"
  std::string unknown;  ///< why it could not be read; "" when it was
  int64_t age_ms = 0;   ///< how long before the report it was read
};

/// How a replica follows, as it tells itself.
struct Following {
  std::string upstream;  ///< host:port, as the replica is configured; which member that is: cluster/topology.h
  /// MySQL: of the server it is connected to, or was last since it has this source; "" = it never was.
  std::string source_uuid;
  /// MariaDB, MySQL: of the server it is connected to. MariaDB keeps that of an earlier source while it is not.
  std::optional<uint64_t> source_server_id;
  std::string source_log;             ///< MariaDB, MySQL: the source's log file that it reads; "" = not known
  std::string channel;                ///< name of the connection where there are several; "" = the default one
  std::optional<bool> receiving;      ///< IO thread, WAL receiver
  std::optional<bool> applying;       ///< SQL thread, replay not paused
  std::string receive_state;          ///< the server's own word: "Yes", "Connecting", "streaming"
  std::optional<double> lag_seconds;  ///< nullopt = not known, which is not 0
  int receive_errno = 0, apply_errno = 0;
  std::string receive_error, apply_error;
  std::optional<bool> uses_gtid;
  std::optional<bool> encrypted;     ///< by TLS: MariaDB, MySQL as it is configured, PostgreSQL as it is
  std::vector<std::string> filters;  ///< replicate-do-db and its kin, as "name=value"
  std::optional<int> delay_seconds;  ///< on purpose
  std::string slot;                  ///< PostgreSQL: primary_slot_name
  std::optional<bool> from_archive;  ///< PostgreSQL: has a restore_command and no primary configured to stream from
  std::string conninfo_problem;      ///< PostgreSQL: why it cannot know whom to follow
  /// What came over it: MariaDB the domains, MySQL the UUIDs of the servers that wrote it.
  std::vector<std::string> origins;
  /// For how long nothing came though its source had something; nullopt: it came, or nobody looked.
  std::optional<double> silent_seconds;

  /// The first error there is, the applier's before the receiver's.
  const std::string& last_error() const { return apply_error.empty() ? receive_error : apply_error; }
};

/// A replication slot of a PostgreSQL server.
struct Slot {
  std::string name;
  bool physical = true;
  bool active = false;
  std::string wal_status;                  ///< reserved, extended, unreserved, lost; "" before 13
  std::optional<uint64_t> retained_bytes;  ///< WAL kept for it
  std::string restart_lsn;                 ///< of a stopped server's slot: from where on; "" = it keeps nothing
};

struct SemiSync {
  std::optional<bool> source_enabled, source_active;    ///< configured here; a commit waits right now
  std::optional<bool> replica_enabled, replica_active;  ///< configured here; acknowledges right now
  std::optional<int> clients;                           ///< replicas that acknowledge
  std::string wait_point;                               ///< AFTER_SYNC, AFTER_COMMIT
  std::optional<int64_t> timeout_ms;                    ///< then the source goes on without a receipt
  std::optional<int> wait_count = {};                   ///< replicas that must acknowledge (MySQL)
  std::optional<bool> waits_for_none = {};              ///< it also waits while no replica is connected
};

/// A follower as the server it follows sees it.
struct Follower {
  std::string name;                        ///< application_name, or host:port; "" = not shown to us
  std::string state;                       ///< "streaming", "catchup", "Binlog Dump"
  std::string sync;                        ///< PostgreSQL: async, sync, quorum, potential
  std::string replay;                      ///< its own position as the source knows it
  std::string address = {};                ///< PostgreSQL: where it comes from; "" = by a socket, or not shown to us
  std::optional<uint64_t> server_id = {};  ///< MariaDB, MySQL
  std::string uuid = {};                   ///< MySQL
  std::optional<bool> encrypted = {};      ///< PostgreSQL: by TLS
};

/// Under which names and addresses a member can be reached, beside those of its description. Each may be missing.
struct OwnAddresses {
  int port = 0;          ///< where its server listens, as it says itself, else its agent; 0 = not known
  std::string hostname;  ///< of its machine
  /// As its server calls itself, and to what it is bound: "db1.internal", "10.1.0.5:3306"; without a port: its own.
  std::vector<std::string> names;
  /// All addresses of its machine, as its agent sees them; empty = not known.
  std::vector<std::string> interfaces;
  /// Of its network stack, as its agent sees it: members with the same one share its loopback; "" = not known.
  std::string network;
  /// To which addresses names lead, asked from here: of its description, and of sources it names.
  std::map<std::string, std::vector<std::string>> resolved;
};

struct Volume {
  std::string purpose;  ///< "data", "log" (WAL, binary log)
  std::string path;
  uint64_t total = 0, free = 0;  ///< bytes an ordinary user may use
  uint64_t inodes = 0, inodes_free = 0;
  std::optional<double> growth;  ///< bytes a second, as its agent remembers; nullopt = not known (see the readings)
  double growth_seconds = 0;     ///< over how long
};

/// A transaction nobody ends: prepared (XA, two-phase) and left, or open in a session that does nothing.
struct OpenTransaction {
  std::string id;  ///< as the server names it: gid, session number
  bool prepared = false;
  double seconds = 0;  ///< since it was prepared, or since its session did anything
};

/// A session that holds, or may hold, a lock that others wait for.
struct LockHolder {
  uint64_t id = 0;   ///< of the session: KILL id, pg_terminate_backend(id)
  std::string what;  ///< "app@10.0.0.5, in a transaction for 40 s, asleep"
};

/// A session that holds up others, or waits.
struct StuckCommit {
  uint64_t id = 0;
  double seconds = 0;
  std::string state;       ///< "Waiting for semi-sync ACK from slave", "SyncRep"
  std::string since = {};  ///< "2026-11-23 06:20:05 UTC"; "" = not known
  /// Of a wait for a lock: who holds it. `proven`: the server named them; else those that can be it.
  std::vector<LockHolder> holders = {};
  bool proven = false;
};

struct GaleraFacts {
  std::string status;      ///< "Primary", "non-Primary", "Disconnected"
  std::string state;       ///< "Synced", "Donor/Desynced", "Joiner", "Initialized", "Inconsistent"
  std::string uuid;        ///< wsrep_cluster_state_uuid
  std::string local_uuid;  ///< wsrep_local_state_uuid
  std::optional<int> size;
  std::optional<int64_t> last_committed;
  std::optional<int64_t> conf_id;  ///< number of the view
  std::optional<bool> ready, connected, wsrep_on, desynced;
  std::vector<std::string> view;     ///< addresses of the members it sees (wsrep_incoming_addresses)
  std::string node_address;          ///< its own in that list
  std::string node_uuid, node_name;  ///< its own, as the others see it
  struct Node {
    std::string uuid, name, address;
  };
  int arbitrators = 0;      ///< garbd: counted in `size`, with no address in the list
  std::vector<Node> nodes;  ///< its view (mysql.wsrep_cluster_members); empty = not known
  std::optional<double> flow_control_paused;
  std::optional<int> receive_queue;
  std::optional<int64_t> cached_downto;                 ///< first write set its gcache can still give by IST
  std::string reject_queries;                           ///< wsrep_reject_queries: "NONE" is as it should be
  std::string provider;                                 ///< wsrep_provider: "none" = it replicates nothing
  std::map<std::string, std::string> provider_options;  ///< "pc.weight" -> "1"
  /// MariaDB 11.3 and later may have each as a variable, and then refuse to set wsrep_provider_options.
  bool options_are_variables = false;
};

/// Its part in MySQL's Group Replication.
struct GroupMembership {
  std::string group;  ///< group_replication_group_name
  std::string state;  ///< ONLINE, RECOVERING, OFFLINE, ERROR, UNREACHABLE; "" = not known
  std::string role;   ///< PRIMARY, SECONDARY; "" = none now
  /// Server uuids of the members that it sees ONLINE: groups of one name may be several, each with a view of its own.
  std::set<std::string> online;
};

/// What only servers of MariaDB and MySQL have.
struct MysqlFacts {
  std::optional<bool> log_bin, log_replica_updates, gtid_strict;
  std::optional<bool> event_scheduler;
  std::optional<uint64_t> user_tables;  ///< asked only where there is no transaction at all
  // MySQL
  std::optional<bool> gtid_mode;
  std::optional<bool> super_read_only;               ///< administrators cannot write either
  std::optional<bool> offline_mode;                  ///< only administrators may sign in
  std::optional<bool> commit_order;                  ///< the applier commits in its source's order
  std::optional<GroupMembership> replication_group;  ///< where one is configured
};

/// What only servers of PostgreSQL have.
struct PostgresFacts {
  std::optional<std::vector<Slot>> slots;
  std::optional<bool> default_read_only;  ///< sessions begin read-only, and may switch it off
  std::string synchronous_standby_names;
  std::optional<bool> replay_paused;
  std::map<std::string, int64_t> standby_limits;  ///< settings a standby may not have lower than its primary
  /// Standby that receives nothing: how far the WAL in its pg_wal goes, as whoever runs it found.
  std::string wal_end;
  uint32_t wal_end_timeline = 0;
  std::string oldest_wal;          ///< where it writes: from which LSN on it can still stream
  bool lost_for_recovery = false;  ///< one of MemberFacts::lost_logs is needed should the server crash now
  std::optional<uint64_t> xid_age, multixact_age;  ///< of the oldest database
  std::optional<int64_t> checksum_failures;        ///< pages found damaged so far
  std::string archive_problem;                     ///< the archiver's last failure, unless it has succeeded since
  std::optional<bool> archives;                    ///< archive_mode is not off
  std::string archive_command;
  std::optional<int> archive_waiting;          ///< full segments that wait for the archiver
  double archive_waits_seconds = 0;            ///< the oldest of them
  std::optional<double> archived_seconds_ago;  ///< the last success, if there was one
};

/// What the data directory of a member says, whether its server runs or not.
struct StoredFacts {
  enum class Data {
    unknown,     ///< not looked at, or unreadable (why)
    present,     ///< a data directory
    empty,       ///< listed, and nothing in it
    missing,     ///< positively not there
    incomplete,  ///< half made or half copied (why)
  };
  Data data = Data::unknown;
  std::string why;
  /// Nothing is there now, but its agent has seen data: "system identifier 74..., on device 8:17, last on 2026-...".
  std::string remembered;
  std::string immutable;  ///< a file or directory of its that carries the flag immutable; "" = none was seen
  bool torn = false;      ///< with unknown: it was listed, and part of what belongs there is not
  std::string position;   ///< MySQL GTID set, MariaDB gtid_binlog_state, PostgreSQL end of WAL, Galera "uuid:seqno"
  std::string position_unknown;  ///< why there is none
  std::string position_source;   ///< Galera: "grastate", "recovered" (by wsrep_recover); "" = as the engine keeps it
  std::string received;          ///< MySQL, MariaDB: in its relay logs, perhaps not applied
  std::string received_unknown;  ///< why its relay logs could not be read; "" = they were, or there are none
  std::string lineage;           ///< server uuid, system identifier, Galera uuid
  // PostgreSQL
  std::string cluster_state;  ///< pg_control: "in production", "shut down", "in archive recovery"
  uint32_t timeline = 0;
  std::string history;  ///< text of the current timeline's history file
  std::string minimum_recovery;
  std::optional<bool> standby_signal;
  std::optional<int> checksum_version;
  int archive_ready = 0;  ///< WAL segments that wait for the archiver
  /// Who needs which WAL of a stopped server: LSNs where the oldest segment begins, where recovery does, and where the
  /// oldest segment that is not archived does ("" = all are).
  struct WalRoom {
    uint64_t segment_size = 0;
    std::string oldest, recovery, archiver;
    std::vector<Slot> slots;
    std::string unknown;  ///< why something of it is not known
  };
  std::optional<WalRoom> wal_room;
  // Galera
  std::optional<int64_t> seqno;  ///< grastate.dat; -1 = crashed or running
  std::optional<bool> safe_to_bootstrap;
  std::string aborted_transfer;  ///< why the last state transfer did not end
  /// While one is under way, or has been left: for how long nothing was written but the write-set cache and logs.
  std::optional<double> transfer_still_seconds;
  std::optional<int64_t> gcache_first, gcache_last;
};
std::string_view stored_data_name(StoredFacts::Data data);

/// Something beside the data directory that an operation has left, or is working on.
struct Leftover {
  enum class Kind {
    side,       ///< a whole successor that never took the data directory's place
    half_made,  ///< one that was never finished
    replaced,   ///< a data directory that was moved aside: it may hold what nothing else does
    dropping,   ///< one whose removal did not end
  };
  Kind kind = Kind::side;
  std::string path;
};
std::string_view leftover_name(Leftover::Kind kind);

/// A process that uses a member's data directory and is not the server its agent runs.
struct OutsideProcess {
  int pid = 0;          ///< 0 = of another pid namespace (a container)
  std::string program;  ///< "mariadbd"
  std::string how;      ///< "holds the lock of ibdata1"
};

/// A right that the account lacks which a member was asked with.
struct MissingRight {
  std::string account;               ///< as the server names it, quoted for a statement
  std::string right;                 ///< "PROCESS ON *.*", "ROLE pg_monitor"
  std::string grant;                 ///< the statement that gives it
  std::vector<std::string> unknown;  ///< names of the readings that were refused for want of it
};

/// Pages one behind the other in a file of a table.
struct PageRun {
  std::string file;  ///< relative to the data directory
  uint64_t first = 0, pages = 0;
};

/// What the agent found when it read the pages on the member's disk, after the server's last start.
struct PageCheck {
  bool running = false;   ///< still reading; nothing else is known then
  bool complete = false;  ///< all that can be verified was read
  uint64_t bytes = 0, of_bytes = 0;
  std::vector<std::string> bad;  ///< "page 12 of base/5/16384", as it is now
  /// PostgreSQL: pages that were never written, or whose content is lost.
  std::vector<PageRun> empty;
};

/// MySQL: without it the data is whole, and the next start makes another server_uuid.
constexpr std::string_view kServerUuidFile = "auto.cnf";
/// Galera: why a position is unknown (StoredFacts::position_unknown) where the state file is gone.
constexpr std::string_view kNoStateFile = "grastate.dat is not there";

/// Whether, and how, the member's agent answered.
struct AgentFacts {
  std::optional<bool> answers;                 ///< nullopt = there is none
  std::vector<AgentCertificate> certificates;  ///< that it took to ask it over the network
  std::string silent;   ///< with answers == false: why nothing came back from its host, which proves nothing of it
  std::string refused;  ///< why an agent that is there was not asked: what is wrong with a certificate
  std::optional<AgentCertificate::Of> certificate_over;  ///< with refused: whose has expired, or begins later
};

/// The server's process, its disk, and how it is to run, as whoever runs it says.
struct RuntimeFacts {
  std::string state;          ///< running, stopped, failed, starting; "" = nobody who runs it was asked
  std::string mode;           ///< "normal", "isolated"
  std::string data;           ///< "main", "side": which directory its server runs on
  std::string last_exit;      ///< how the server's process ended last
  std::string process_state;  ///< of the kernel: "R", "S", "D", "T" (stopped); "" = no process or not known
  int pid = -1;
  std::string supervisor;  ///< who starts and stops it: "agent", or the name of its unit; "" = not known
  MemberRole role_wanted = MemberRole::unknown;  ///< it is started as
  std::string upstream_wanted;                   ///< host:port that it is configured to follow
  std::string source_wanted;                     ///< name of the member that is
  /// MariaDB, MySQL: connections its server had configured when it was last seen to serve: source, channel, origins.
  std::vector<Following> noted;
  std::vector<OutsideProcess> outside;  ///< use its data directory though no server is run on it
  std::string work;                     ///< a long change under way: "initialise (copy)"; "" = none
  std::vector<Leftover> leftovers;
  std::vector<Volume> volumes;
  std::string log_tail;  ///< the end of the server's log, where it does not serve
  /// The last line in which the server, in its last run, told of damage that it met.
  std::string damage_logged;
  std::optional<PageCheck> page_check;
  std::vector<std::string> tables_without_file;  ///< MariaDB: "crm/documents"; not all need to have one
  /// "global/pg_control", "ibdata1": what every data directory has, and its own has not.
  std::vector<std::string> missing_parts;
};

/// One member, observed once.
struct MemberFacts {
  MemberName member;
  std::string address;  ///< "127.0.0.1:3306" or the socket
  std::string account;  ///< as which it was asked
  std::vector<MissingRight> missing_rights;
  Reach reach = Reach::unreachable;
  std::string error;        ///< why not reachable, or the first query that failed
  std::optional<bool> tcp;  ///< does its port take connections? nullopt = not tried
  std::string tcp_error;
  MemberRole role = MemberRole::unknown;  ///< as the server reports
  std::optional<bool> read_only;          ///< ordinary clients cannot write
  std::vector<std::string> write_bypass;  ///< accounts that may write under read_only
  std::string version;
  std::optional<uint64_t> data_bytes;
  OwnAddresses own;
  std::string instance;              ///< the server that answered, as it names itself: host, port, folder
  std::optional<double> started_at;  ///< when its process began, seconds since 1970
  std::string same_as;               ///< set by triage(): the member that is the very same server

  // History. `position` is for people; the others are what triage compares.
  std::string position;
  std::string executed;   ///< MariaDB gtid_binlog_state, MySQL gtid_executed, PostgreSQL LSN (written or replayed)
  std::string received;   ///< got from the upstream, perhaps not applied: GTID set, Gtid_IO_Pos, received LSN
  std::string slave_pos;  ///< MariaDB gtid_slave_pos
  /// MariaDB, where it refuses what it logged before: what its own log has behind `slave_pos`, looked up there.
  std::optional<Errant> unnoted;
  std::string offered;    ///< what followers can have of it by now: gtid_binlog_pos, gtid_executed, flushed LSN
  std::string purged;     ///< MySQL gtid_purged; what its binary logs no longer hold
  std::string lineage;    ///< MySQL server uuid, PostgreSQL system identifier, Galera uuid
  uint32_t timeline = 0;  ///< PostgreSQL
  std::string history;    ///< PostgreSQL: text of the timeline's history file
  std::optional<uint64_t> server_id;
  std::string server_uuid;  ///< MySQL

  std::vector<Following> following;  ///< empty = follows nobody (when reachable)
  /// Set by triage(): connections that do not make it a replica of this cluster.
  std::vector<Following> side_channels;
  std::optional<int> followers;  ///< connected now
  std::vector<Follower> follower_list;
  bool followers_listed = false;  ///< follower_list has all that are connected
  std::string application_name;   ///< PostgreSQL standby: under which it receives; "" = not known
  SemiSync semi_sync;
  std::optional<GaleraFacts> galera;
  MysqlFacts mysql;
  PostgresFacts postgres;
  std::vector<StuckCommit> stuck_commits;
  std::vector<StuckCommit> locked_writes;  ///< wait for a lock on the whole server
  /// Its applier (PostgreSQL: its replay) waits for what another session of this server holds.
  std::vector<StuckCommit> applier_waits;
  std::vector<OpenTransaction> open_transactions;  ///< the prepared, and those whose sessions do nothing
  /// Log files that its index names or that are still needed of it, and that are not on its disk any more, in order:
  /// binary logs of MariaDB and MySQL, WAL segments of PostgreSQL.
  std::vector<std::string> lost_logs;
  /// Transactions that its log has empty, or that its log passes over, and its source's log has with content.
  std::optional<Errant> skipped;
  std::vector<std::string> durability_gaps;  ///< settings under which an acknowledged commit may be lost, "name=value"
  /// Settings under which changes are lost without an error, "name=value (safe: value)".
  std::vector<std::string> silent_loss;

  /// PostgreSQL: "page 50 of base/5/16384", which it lacks though it must have it by what another member has.
  std::vector<std::string> cut_files;
  /// "crm/documents.ibd": of a table that its server has in its dictionary, and gone.
  std::vector<std::string> missing_files;
  /// runtime.missing_parts that hold data.
  std::vector<std::string> lost_parts() const {
    std::vector<std::string> lost = runtime.missing_parts;
    std::erase(lost, kServerUuidFile);
    return lost;
  }
  std::optional<bool> files_compared;  ///< for cut_files; false: not now, since it is behind. nullopt: not possible
  /// What its disk does not give back as it was written.
  std::vector<std::string> damaged_pages() const {
    std::vector<std::string> pages = runtime.page_check ? runtime.page_check->bad : std::vector<std::string>();
    pages.insert(pages.end(), cut_files.begin(), cut_files.end());
    for (const auto& file : missing_files) pages.push_back("all of " + file);
    // Of a server that is down data-damaged says so.
    if (reachable())
      for (const auto& part : lost_parts()) pages.push_back("all of " + part);
    return pages;
  }
  std::optional<bool> checksums;                   ///< page checksums are on
  std::optional<double> certificate_seconds_left;  ///< until the server's certificate ends
  std::optional<double> clock_offset_seconds;      ///< its clock minus ours; bounded by the round trip
  int connections = 0, max_connections = 0;

  AgentFacts agent;
  RuntimeFacts runtime;
  std::optional<StoredFacts> stored;

  std::vector<Reading> readings;

  bool reachable() const { return reach == Reach::reachable; }
  const Following* upstream() const { return following.empty() ? nullptr : &following.front(); }
};

/// Of the settings both have, those that are lower here, with what they are there.
std::map<std::string, int64_t> lower_than(const std::map<std::string, int64_t>& here,
                                          const std::map<std::string, int64_t>& there);

}  // namespace holdfast::cluster
