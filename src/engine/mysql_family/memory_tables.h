// Rows of MEMORY tables as text: a server forgets them when it ends, so a restore loads them after its last start.
#pragma once

#include <string>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

struct MemoryTables {
  size_t tables = 0;
  uint64_t rows = 0;
  std::string statements;  ///< for the server's own client; the tables' triggers do not see the rows. "" without rows
};

/// Of every MEMORY table that has rows now.
Result<MemoryTables> read_memory_tables(sql::MariadbConnection& connection, std::stop_token stop);

/// Galera replicates no MEMORY table: the dump has the rows of one member.
Status note_memory_tables(const Sources& sources, const std::string& member, std::vector<DumpNote>& notes);

}  // namespace holdfast::engine
