// Rows of small tables of the server's own (schema mysql) as REPLACE statements.
#pragma once

#include <string>
#include <string_view>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

/// `where`: a condition, "1" for all. "" when the server has no such table, or no such row. Generated columns stay out.
Result<std::string> system_rows(sql::MariadbConnection& connection, std::string_view table, std::string_view where,
                                std::stop_token stop);

}  // namespace holdfast::engine
