// Storage engines of MariaDB that come as plug-ins: what a server needs before the tables of this one can be created.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "engine/dump.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

struct EngineStatements {
  std::string before;               ///< to run before the dump
  std::vector<std::string> ignore;  ///< "database.table", for --ignore-table: `before` creates them
  std::vector<DumpNote> notes;
};

/// Plug-ins of engines that tables use are installed; FEDERATED tables, which a server creates only when it reaches the
/// table behind them, are created where they can be.
Result<EngineStatements> storage_engines(sql::MariadbConnection& connection, std::stop_token stop);

}  // namespace holdfast::engine
