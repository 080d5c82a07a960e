// What a server holds, in a form that can be compared: per table the row count and a checksum that no order changes.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "cluster/types.h"
#include "sql/rows.h"

namespace holdfast::lab {

/// "database.table" -> "rows:checksum" of every table people made, and the names of views, routines, triggers, events,
/// accounts.
using Content = std::map<std::string, std::string>;

/// Reads all of it; for a lab's sizes.
Result<Content> content_of(cluster::Engine engine, const sql::Target& target);

}  // namespace holdfast::lab
