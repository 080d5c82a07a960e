// Who replicates in this cluster: a row of the replication status alone makes no replica of it. Pure.
#pragma once

#include <vector>

#include "cluster/facts.h"

namespace holdfast::cluster {

/// MariaDB, MySQL: a member that is open for writes is a primary where no running connection feeds it from this
/// cluster: its connections then come from elsewhere, from its own replica, or are what is left of before its
/// promotion. They become `side_channels`. Doing it twice changes nothing.
void settle_roles(const DatabaseCluster& cluster, std::vector<MemberFacts>& members);

/// The member whose address that is ("host:port"); nullopt when it is none's.
std::optional<size_t> member_at(const DatabaseCluster& cluster, std::string_view address);

}  // namespace holdfast::cluster
