#include "engine/mysql_family/system_rows.h"

#include <fmt/format.h>

#include "engine/mysql_family/exact_tables.h"

namespace holdfast::engine {

using sql::quote_mysql;
using sql::quote_mysql_name;

Result<std::string> system_rows(sql::MariadbConnection& connection, std::string_view table, std::string_view where,
                                std::stop_token stop) {
  auto found = TRY(connection.query(
      fmt::format("SELECT COLUMN_NAME AS c, DATA_TYPE AS t, CHARACTER_SET_NAME AS s FROM information_schema.COLUMNS "
                  "WHERE "
                  "TABLE_SCHEMA='mysql' AND TABLE_NAME={} AND EXTRA NOT LIKE '%GENERATED%' ORDER BY ORDINAL_POSITION",
                  quote_mysql(table)),
      Sources::soon(), stop));
  if (found.empty()) return "";
  std::vector<ExactColumn> columns;
  std::string names, values;
  for (size_t i = 0; i < found.rows.size(); ++i) {
    columns.push_back(
        exact_column(found.text("c", i), found.text("t", i), found.text("s", i), connection.is_mariadb()));
    names += (i ? ", " : "") + quote_mysql_name(columns.back().name);
    values += (i ? ", " : "") + columns.back().expression;
  }
  auto rows = TRY(connection.query(
      fmt::format("SELECT {} FROM mysql.{} WHERE {}", values, quote_mysql_name(table), where), Sources::soon(), stop));
  std::string text;
  size_t inexact = 0;
  for (const auto& row : rows.rows) {
    text += fmt::format("REPLACE INTO mysql.{} ({}) VALUES ({});\n", quote_mysql_name(table), names,
                        exact_values(columns, row, &inexact));
  }
  return text;
}

}  // namespace holdfast::engine
