// Transactions that are on their way while members are looked at one after the other.
#pragma once

#include <vector>

#include "cluster/facts.h"
#include "cluster/types.h"

namespace holdfast::cluster {

/// MySQL: another member has transactions of the primary's own that the primary does not show as committed. Replicas
/// read them from its log before it counts them, by milliseconds, or more where processors and disks are busy. So this
/// says to look again before it is believed; a primary that was reset or restored does not show them later either.
/// False for other engines, whose primary shows a position before others can have it, and where a set cannot be read.
/// No I/O.
bool awaits_own_commits(const DatabaseCluster& cluster, const std::vector<MemberFacts>& members,
                        const MemberFacts& primary);

}  // namespace holdfast::cluster
