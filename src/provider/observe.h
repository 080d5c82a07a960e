// Looking at whole clusters: every member at the same time, each within its own deadline.
#pragma once

#include <chrono>
#include <stop_token>
#include <vector>

#include "cluster/triage.h"
#include "provider/member_access.h"

namespace holdfast::provider {

/// Observes and judges each cluster; reads only. Members are asked at the same time, by SQL, over the network and
/// through their agents; then writers are asked for their position once more, so that no replica seems ahead of its
/// source only because it was read later. One hung member costs `per_member` once, however many there are. `around`:
/// one for each cluster, or none.
std::vector<cluster::TriageReport> triage_clusters(const std::vector<cluster::DatabaseCluster>& clusters,
                                                   std::chrono::milliseconds per_member, std::stop_token stop = {},
                                                   const std::vector<cluster::Surroundings>& around = {});

/// The same for one cluster.
cluster::TriageReport triage_members(const ClusterMembers& members, std::chrono::milliseconds per_member,
                                     std::stop_token stop = {}, const cluster::Surroundings& around = {});

/// What is judged there.
std::vector<cluster::MemberFacts> observe_members(const ClusterMembers& members, std::chrono::milliseconds per_member,
                                                  std::stop_token stop = {});

}  // namespace holdfast::provider
