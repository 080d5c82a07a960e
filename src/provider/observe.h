// Looking at whole clusters: every member at the same time, each within its own deadline.
#pragma once

#include <chrono>
#include <stop_token>
#include <vector>

#include "cluster/facts.h"

namespace holdfast::provider {

/// Observes and judges each cluster. One hung member costs `per_member` once, however many there are.
std::vector<cluster::ClusterVerdict> observe_clusters(const std::vector<cluster::DatabaseCluster>& clusters,
                                                      std::chrono::milliseconds per_member, std::stop_token stop = {});

}  // namespace holdfast::provider
