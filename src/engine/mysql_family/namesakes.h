// Tables and views that a dump program cannot tell apart when it is to leave one of them out: it compares
// "database.table" as one word, without regard to case. `a`.`b.c` and `a.b`.`c` are one to it, and `t` and `T`.
#pragma once

#include <set>
#include <stop_token>

#include "engine/dump_scan.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

/// Those that share their word with another one.
struct Namesakes {
  std::set<TableName> tables;     ///< with rows of their own
  std::set<TableName> versioned;  ///< of tables: with SYSTEM VERSIONING
  std::set<TableName> views;
};

Result<Namesakes> find_namesakes(sql::MariadbConnection& connection, std::stop_token stop);

}  // namespace holdfast::engine
