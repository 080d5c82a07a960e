// Binary logs that a MariaDB or MySQL server lists and no longer has.
#pragma once

#include "cluster/facts.h"
#include "engine/mysql_family/transactions.h"

namespace holdfast::engine::mysql_family {

/// Fills facts.lost_logs from SHOW BINARY LOGS: a file that is not on the disk has no size there. The newest is left
/// out, which the server has open.
void look_for_lost_logs(cluster::MemberFacts& facts, const Ask& if_allowed);

}  // namespace holdfast::engine::mysql_family
