// Brings one cluster of the lab up; see up.cpp for the order of all.
#pragma once

#include <stop_token>

#include "base/deadline.h"
#include "base/result.h"
#include "lab/hosts.h"
#include "lab/layout.h"

namespace holdfast::lab {

struct UpContext {
  const Layout& layout;
  int subnet;           ///< of the hosts; means nothing for clusters on loopback
  std::string program;  ///< runs `agent`
  bool servers_survive;
  std::function<void(const std::string&)> say;
  Deadline deadline;
  std::stop_token stop;
};

Status bring_up(const UpContext& context, const ClusterPlan& plan);

/// Points replicas at their upstream and waits until they follow: CHANGE MASTER, CHANGE REPLICATION SOURCE, slots.
Status connect_replication(const UpContext& context, const ClusterPlan& plan,
                           const std::vector<agent::MemberConfig>& members);

}  // namespace holdfast::lab
