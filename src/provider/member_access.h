// One way to a member, whoever runs it: a look at it, SQL, control of its server, its files. Each kind of provider is
// one implementation; what it cannot do it refuses, and says why. Nobody else asks which provider it is.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/facts.h"
#include "codec/value.h"
#include "engine/login.h"
#include "engine/member_control.h"
#include "provider/epoch.h"
#include "provider/errant_log.h"
#include "provider/member_tree.h"
#include "sql/rows.h"

namespace holdfast::provider {

/// What a member's disk holds that its server does not tell. Reads only. Several threads at once.
class MemberFiles {
 public:
  virtual ~MemberFiles() = default;

  /// `wanted.transactions`, looked up in its own logs. What cannot be looked at is said in `unseen`.
  virtual cluster::Errant errant(cluster::Errant wanted, std::chrono::milliseconds limit,
                                 const std::stop_token& stop) = 0;
  /// The same with their bytes, in `folder`, which exists and is ours. Errors: of the agent ("agent.too_old",
  /// "agent.not_permitted", "agent.unreachable"), "provider.external", of engine::ErrantLogFiles.
  virtual Result<engine::ErrantLog> errant_log(const ErrantLogRequest& request, const std::string& folder,
                                               const std::stop_token& stop) = 0;
  /// The data directory of a server that is stopped ("") or one that was moved aside. "provider.external" (refused).
  virtual Result<std::unique_ptr<MemberTree>> tree(const std::string& directory, std::stop_token stop) = 0;
};

/// Several threads at once.
class MemberAccess {
 public:
  virtual ~MemberAccess() = default;
  const cluster::DatabaseCluster& cluster() const { return *cluster_; }
  const cluster::Member& member() const { return *member_; }

  /// Somebody runs its server whom we can ask.
  virtual bool supervised() const = 0;
  /// control() is not refused for who runs it.
  virtual bool controllable() const = 0;
  /// sql() connects by host and port, as clients do.
  virtual bool clients_way() const = 0;
  /// Puts what who runs the server says into `facts`: its agent, its runtime, what is stored. What could not be asked
  /// is a reading that says so. Leaves them alone where nobody runs it.
  virtual void look(cluster::MemberFacts& facts, std::chrono::milliseconds limit, const std::stop_token& stop) = 0;

  /// How to sign in to its server; the way there lasts as long as the target does (Target::keep). "agent.no_server"
  /// (unavailable) when who runs it says that it is down.
  virtual Result<sql::Target> sql_as(const engine::Login& login, Deadline deadline, const std::stop_token& stop) = 0;
  /// The same with the cluster's credentials, which are read now. Errors: engine/login.h too.
  Result<sql::Target> sql(Deadline deadline = Deadline::in(std::chrono::seconds(10)), const std::stop_token& stop = {});

  /// A request of agent/protocol.h to who runs it: the answer's fields, or its error. "agent.unreachable" (unavailable)
  /// when nobody answers, "provider.external" (refused) where nobody runs it.
  virtual Result<codec::Value> request(const std::string& op, codec::Value arguments, Deadline deadline,
                                       const std::stop_token& stop = {}) = 0;
  /// Its server and its data directory. With `epoch` every request that changes something carries it, as soon as it is
  /// set. "provider.external" (refused).
  virtual Result<std::unique_ptr<engine::MemberControl>> control(const std::stop_token& stop,
                                                                 const CurrentEpoch& epoch) = 0;
  virtual MemberFiles& files() = 0;

 protected:
  MemberAccess(std::shared_ptr<const cluster::DatabaseCluster> cluster, const cluster::Member& member)
      : cluster_(std::move(cluster)), member_(&member) {}
  /// It has a socket on this machine, or nothing else.
  bool by_socket() const;

 private:
  const std::shared_ptr<const cluster::DatabaseCluster> cluster_;
  const cluster::Member* const member_;  ///< one of cluster_'s
};

/// All members of a cluster, in its order. Copies share their members.
class ClusterMembers {
 public:
  explicit ClusterMembers(cluster::DatabaseCluster cluster);

  const cluster::DatabaseCluster& cluster() const { return *cluster_; }
  size_t size() const { return members_->size(); }
  MemberAccess& operator[](size_t i) const { return *(*members_)[i]; }
  /// nullptr: it has no such member.
  MemberAccess* find(std::string_view name) const;

  /// Control of all of them, asked at the same time. "provider.external" (refused) when one of them has nobody who runs
  /// it.
  Result<std::vector<std::unique_ptr<engine::MemberControl>>> control(const std::stop_token& stop,
                                                                      const CurrentEpoch& epoch = nullptr) const;

 private:
  std::shared_ptr<const cluster::DatabaseCluster> cluster_;
  std::shared_ptr<const std::vector<std::unique_ptr<MemberAccess>>> members_;
};

}  // namespace holdfast::provider
