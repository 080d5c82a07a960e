// What mysqldump does not write: objects of the server that stand in no database, and what some databases are set to.
#pragma once

#include <array>
#include <string>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

/// Tables of the schema mysql whose rows are the primary's, and are written by us.
inline constexpr std::array<const char*, 4> kLoadedTables = {"servers", "component", "plugin", "func"};

/// What must be there before the first table: full-text parsers, loadable functions, spatial reference systems,
/// tablespaces.
Result<std::string> mysql_objects_before(const Sources& sources, std::vector<DumpNote>& notes);
/// What follows the tables: histograms, servers, resource groups, components; read-only databases last.
Result<std::string> mysql_objects_after(const Sources& sources, std::vector<DumpNote>& notes);
/// SET PERSIST as statements, "" when there is none: a file beside the dump, because they belong to a host.
Result<std::string> mysql_persisted_settings(const Sources& sources);

}  // namespace holdfast::engine
