// The lab on disk: which clusters it has, where everything is, who runs it. Shared by up, down, status, load and break.
#pragma once

#include <string>
#include <vector>

#include "agent/config.h"
#include "base/result.h"
#include "cluster/types.h"
#include "lab/lab.h"
#include "sys/file.h"

namespace holdfast::lab {

/// What `up` makes of each cluster.
struct ClusterPlan {
  std::string name;
  cluster::Engine engine;
  cluster::ReplicationMode replication;
  int members;  ///< of a new cluster on loopback; on hosts kHostedMembers. Of one that is there: how many it has
  const char* unix_user;   ///< who runs the servers when we are root
  const char* admin_user;  ///< the account in the database
  int hosts = 0;           ///< over how many hosts its members are spread; 0 = on loopback
};
inline constexpr int kHostedMembers = 3;
inline constexpr int kMostMembers = 9;
const std::vector<ClusterPlan>& cluster_plans();
/// "lab.no_cluster" (usage) lists what there is. An empty list means all.
Result<std::vector<ClusterPlan>> select_clusters(const std::vector<std::string>& names);

constexpr const char* kNamespace = "shop";

/// What runs `agent` and `lab wire`.
std::string own_program(const Options& options);

class Layout {
 public:
  explicit Layout(std::string state_dir);
  const std::string& state_dir() const { return state_dir_; }
  std::string lab_dir() const { return state_dir_ + "/lab"; }
  std::string cluster_dir(const std::string& cluster) const { return lab_dir() + "/" + cluster; }
  std::string member_dir(const std::string& cluster, int ordinal) const;
  std::string yaml_file(const std::string& cluster) const { return state_dir_ + "/clusters/" + cluster + ".yaml"; }
  /// Folder for the sockets of one member: beside it, or under /tmp when the path would not fit a unix socket address.
  std::string socket_dir(const std::string& cluster, int ordinal) const;
  static std::string member_name(const std::string& cluster, int ordinal);

 private:
  std::string state_dir_;
};

/// The lab's lock: one `up`, `down` or `break` at a time. "lab.locked" (conflict) when another holds it past the
/// deadline.
Result<sys::Fd> lock_lab(const Layout& layout, Deadline deadline, std::stop_token stop);

/// Configurations of the members of a cluster that exist on disk, by ordinal; empty when it was never made.
std::vector<agent::MemberConfig> existing_members(const Layout& layout, const ClusterPlan& plan);

bool has_agent(const Layout& layout, const std::string& cluster, int ordinal);
/// Whether any member that is on a host of the lab has an agent.
bool hosts_in_use(const Layout& layout);

/// The plan of a cluster as it is, or as it is to become: on `hosts` hosts (0 = as it is, or on loopback).
/// "lab.other_hosts" (refused) when it is there already and lives elsewhere.
Result<ClusterPlan> placed(const Layout& layout, ClusterPlan plan, int hosts);

/// The DatabaseCluster of a lab cluster. Members on hosts are reached over the network alone.
cluster::DatabaseCluster describe(const Layout& layout, const ClusterPlan& plan,
                                  const std::vector<agent::MemberConfig>& members);

}  // namespace holdfast::lab
