// Tables that hold no rows of their own: what they show is on other servers, in other tables, or nowhere.
#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "engine/dump.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

/// Each with the reason why a proof must not count it: asking such a table for its rows asks another server.
Result<std::map<TableName, std::string>> tables_without_rows(sql::MariadbConnection& connection, std::stop_token stop);

}  // namespace holdfast::engine
