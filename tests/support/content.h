// What a server holds, in a form that can be compared: per table the row count and a checksum that no order changes.
#pragma once

#include <map>
#include <string>

#include "cluster/types.h"
#include "sql/rows.h"

namespace holdfast::test {

/// "database.table" -> "rows:checksum" of every table people made, and "views", "routines", "triggers", "events" -> a checksum of
/// their names. Throws std::runtime_error when something cannot be read.
std::map<std::string, std::string> content_of(cluster::Engine engine, const sql::Target& target);

}  // namespace holdfast::test
