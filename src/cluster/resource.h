// The `DatabaseCluster` resource (holdfast.dev/v1alpha1) as text.
#pragma once

#include <string>

#include "cluster/types.h"

namespace holdfast::cluster {

/// One YAML document, readable by parse_clusters().
std::string print_cluster(const DatabaseCluster& cluster);

}  // namespace holdfast::cluster
