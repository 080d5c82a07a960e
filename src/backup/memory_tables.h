// MEMORY tables through a restore: their rows are taken from the filled server before it ends, and loaded again after
// the last start.
#pragma once

#include <memory>
#include <vector>

#include "backup/rebuild.h"
#include "engine/mysql_family/memory_tables.h"

namespace holdfast::backup {

/// Nothing on PostgreSQL.
Result<engine::MemoryTables> take_memory_tables(cluster::Engine engine, const sql::Target& target,
                                                std::stop_token stop);
/// Into the running primary, from which replicas get them; Galera: into every member by itself, since it replicates no
/// such table.
Status load_memory_tables(cluster::Engine engine, std::vector<std::unique_ptr<engine::MemberControl>>& members,
                          const engine::MemoryTables& memory, const Say& say, std::stop_token stop);
/// For a server that is not started by us: a file beside its data directory. Its path, "" without rows.
Result<std::string> leave_memory_tables(const engine::MemberSetup& setup, const engine::MemoryTables& memory);

}  // namespace holdfast::backup
