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
  int members;
  const char* unix_user;   ///< who runs the servers when we are root
  const char* admin_user;  ///< the account in the database
};
const std::vector<ClusterPlan>& cluster_plans();
/// "lab.no_cluster" (usage) lists what there is. An empty list means all.
Result<std::vector<ClusterPlan>> select_clusters(const std::vector<std::string>& names);

constexpr const char* kNamespace = "shop";

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

/// The DatabaseCluster of a lab cluster.
cluster::DatabaseCluster describe(const ClusterPlan& plan, const std::vector<agent::MemberConfig>& members);

}  // namespace holdfast::lab
