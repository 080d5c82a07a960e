#include "engine/mysql_family/namesakes.h"

#include <fmt/format.h>

#include <map>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

Result<Namesakes> find_namesakes(sql::MariadbConnection& connection, std::stop_token stop) {
  const auto rows = TRY(connection.query(
      fmt::format("SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, TABLE_TYPE AS k, HEX(WEIGHT_STRING(CONVERT("
                  "CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) USING utf8mb4) COLLATE utf8mb4_general_ci)) AS w FROM "
                  "information_schema.TABLES WHERE TABLE_SCHEMA NOT IN {} AND (TABLE_TYPE = 'VIEW' OR ENGINE NOT IN "
                  "('MRG_MYISAM', 'FEDERATED'))",
                  kSystemSchemas),
      Deadline::in(std::chrono::minutes(10)), stop));
  std::map<std::string, size_t> words;
  for (size_t i = 0; i < rows.rows.size(); ++i) ++words[rows.text("w", i)];
  Namesakes found;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    if (words[rows.text("w", i)] < 2) continue;
    const TableName name{rows.text("s", i), "", rows.text("n", i)};
    const std::string kind = rows.text("k", i);
    if (kind == "VIEW") found.views.insert(name);
    if (kind == "BASE TABLE" || kind == "SYSTEM VERSIONED") found.tables.insert(name);
    if (kind == "SYSTEM VERSIONED") found.versioned.insert(name);
  }
  return found;
}

}  // namespace holdfast::engine
