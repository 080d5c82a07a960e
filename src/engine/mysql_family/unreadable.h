// Views, MERGE tables and tables with a discarded tablespace, which their own server cannot open: a dump program ends
// at the first of them, so they are left out of its work, and their definitions are kept by statements of our own.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "engine/dump.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

struct Unreadable {
  std::vector<std::string> ignore;  ///< "database.table", for --ignore-table
  std::string after;                ///< to run at the end of the dump
  std::vector<DumpNote> notes;
};

/// Tables without a file, by ALTER TABLE ... DISCARD TABLESPACE. InnoDB's tables are opened only where there is one.
Result<std::set<TableName>> discarded_tables(sql::MariadbConnection& connection, std::stop_token stop);

/// Opens every view and every MERGE table once, as the dump program will.
Result<Unreadable> find_unreadable(sql::MariadbConnection& connection, std::stop_token stop);

}  // namespace holdfast::engine
