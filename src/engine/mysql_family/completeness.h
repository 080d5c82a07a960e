// Whether a dump has every table that was there.
#pragma once

#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/dump.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

/// Refuses a server that gives each new session a limit of rows: the dump programs would write that many of each table
/// and end as if it were all. "engine.select_limit".
Status check_select_limit(sql::MariadbConnection& connection, const std::string& member, std::stop_token stop);

/// Tables that hold rows of their own, and when each was made.
using ListedTables = std::map<TableName, std::string>;
Result<ListedTables> list_tables(sql::MariadbConnection& connection, std::stop_token stop);

/// Those that were there from `before` to `after` and that the dump does not have. Pure.
std::vector<TableName> not_dumped(const ListedTables& before, const ListedTables& after,
                                  const std::map<TableName, uint64_t>& dumped);

}  // namespace holdfast::engine
