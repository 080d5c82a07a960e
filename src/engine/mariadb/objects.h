// What mariadb-dump does not write, or writes too late.
#pragma once

#include <string>

#include "engine/mysql_family/exact_tables.h"

namespace holdfast::engine {

/// Sequences, with their databases where a column's default asks one: mariadb-dump goes by database, and a table may
/// come before the sequence it needs.
struct MariadbSequences {
  std::string before;  ///< statements; "" when no default asks a sequence
  std::string after;   ///< how often each has begun again: the dump program has it begin with 0
  bool used() const { return !before.empty(); }
};
Result<MariadbSequences> mariadb_sequences(const Sources& sources);

/// Roles by themselves: a definer that is not there as a role is taken for an account, and the accounts come as rows.
Result<std::string> mariadb_roles(const Sources& sources);

/// Rows of the primary's own that replication does not carry (servers, plug-ins), and statistics of tables.
Result<std::string> mariadb_objects_after(const Sources& sources, std::vector<DumpNote>& notes);

/// What the dump program can write of the history of system-versioned tables. What stays out is noted.
Result<HistoryPlan> mariadb_history(const Sources& sources, const std::string& tool_version,
                                    std::vector<DumpNote>& notes);

}  // namespace holdfast::engine
