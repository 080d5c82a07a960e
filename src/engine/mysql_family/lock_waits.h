// Sessions of a MariaDB or MySQL server that wait for a lock, and who holds it.
#pragma once

#include "cluster/facts.h"
#include "engine/mysql_family/transactions.h"
#include "sql/rows.h"

namespace holdfast::engine::mysql_family {

/// Fills facts.applier_waits (the applier behind a table, a row, or the whole server) and facts.locked_writes (writes
/// of clients behind the whole server) from SHOW FULL PROCESSLIST, with who holds the lock. Asks more only where
/// something waits: what performance_schema, the plug-in metadata_lock_info or InnoDB name is proven; without them the
/// holders are the sessions that can be it. Waits that appliers make each other are left out.
void look_at_lock_waits(cluster::MemberFacts& facts, const sql::Rows& processes,
                        const std::vector<Transaction>& transactions, const Ask& quietly);

}  // namespace holdfast::engine::mysql_family
