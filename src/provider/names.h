// Where the names lead that a cluster is described with, and that its replicas follow: asked from here, beside the look
// at its members, so that cluster/topology.h can tell one server under several names.
#pragma once

#include <vector>

#include "base/deadline.h"
#include "cluster/facts.h"
#include "sys/network.h"

namespace holdfast::provider {

/// Begins to ask for the names of the description; returns at once.
void ask_for_names(const cluster::DatabaseCluster& cluster, sys::NameLookup& lookup = sys::NameLookup::shared());
/// Puts what is known by then into the facts. Names of sources are asked for only where it is not known otherwise which
/// member that is. Waits for answers until `deadline`, and no longer than a part of a second.
void take_names(const cluster::DatabaseCluster& cluster, std::vector<cluster::MemberFacts>& facts, Deadline deadline,
                sys::NameLookup& lookup = sys::NameLookup::shared());

}  // namespace holdfast::provider
