// What was seen of a member, and what that means. Pure: filled by engine/*/observe, judged by assess().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

/// How a replica follows, as it tells itself.
struct Following {
  std::string upstream;               ///< host:port
  std::optional<bool> receiving;      ///< IO thread, WAL receiver
  std::optional<bool> applying;       ///< SQL thread, replay not paused
  std::optional<double> lag_seconds;  ///< nullopt = not known, which is not 0
  std::string last_error;
};

/// One member, observed once. Fields that could not be read stay empty: unknown is not absent.
struct MemberFacts {
  MemberName member;
  std::string address;  ///< "127.0.0.1:3306" or the socket
  Reach reach = Reach::unreachable;
  std::string error;  ///< why not reachable, or the first query that failed
  MemberRole role = MemberRole::unknown;
  std::optional<bool> read_only;
  std::string version;
  std::string position;  ///< GTID set, GTID vector, "timeline/LSN", "uuid:seqno"
  std::string lineage;   ///< server uuid, system identifier, Galera uuid
  std::optional<uint64_t> data_bytes;
  std::optional<Following> following;  ///< replicas
  std::optional<int> followers;        ///< primaries: replicas connected now
  std::optional<bool> semi_sync;       ///< primaries: commits wait for a receipt now
  std::string galera_status;           ///< "Primary", "non-Primary"
  std::string galera_state;            ///< "Synced", "Donor/Desynced", "Joiner"
  std::optional<int> galera_size;
  std::string server_state;  ///< what the agent says: running, stopped, failed; "" = no agent asked
  int server_pid = -1;
};

struct MemberVerdict {
  MemberFacts facts;
  bool healthy = false;
  std::string sentence;  ///< one, for people: what it does, or what is wrong with it
};

struct ClusterVerdict {
  DatabaseCluster cluster;
  bool healthy = false;
  std::string sentence;
  std::vector<MemberVerdict> members;
};

/// Judges what was seen. A member of the cluster without facts counts as not reachable.
ClusterVerdict assess(const DatabaseCluster& cluster, const std::vector<MemberFacts>& facts);

}  // namespace holdfast::cluster
