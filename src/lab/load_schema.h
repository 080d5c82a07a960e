// The objects around the rows: statements before and after the load. One statement per entry.
#pragma once

#include <string>
#include <vector>

namespace holdfast::lab {

std::vector<std::string> mysql_schema(bool mariadb);
std::vector<std::string> mysql_objects(bool mariadb);
/// Statements for the database "postgres", then for the database "shop" (schemas shop, crm, logs), then after the rows.
std::vector<std::string> postgres_databases();
std::vector<std::string> postgres_schema();
std::vector<std::string> postgres_objects();

}  // namespace holdfast::lab
