#include "engine/mysql_family/completeness.h"

#include <fmt/format.h>

#include "engine/mysql_family/sources.h"
#include "engine/mysql_family/statements.h"

namespace holdfast::engine {

Status check_select_limit(sql::MariadbConnection& connection, const std::string& member, std::stop_token stop) {
  const auto limit = TRY(connection.query("SELECT @@GLOBAL.sql_select_limit AS l",
                                          Deadline::in(std::chrono::seconds(20)), std::move(stop)));
  if (limit.text("l") == kNoSelectLimit) return {};
  return fail(ErrorClass::refused, "engine.select_limit",
              fmt::format("{} gives every session at most {} rows (sql_select_limit): a dump would lack the others",
                          member, limit.text("l")),
              fmt::format("SET GLOBAL sql_select_limit = {} on {}, then the same command", kNoSelectLimit, member));
}

Result<ListedTables> list_tables(sql::MariadbConnection& connection, std::stop_token stop) {
  const auto rows = TRY(connection.query(
      fmt::format("SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, CREATE_TIME AS c FROM information_schema.TABLES WHERE "
                  "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND ENGINE IN {} AND TABLE_SCHEMA NOT IN {}",
                  kEnginesWithRows, kSystemSchemas),
      Deadline::in(std::chrono::minutes(10)), std::move(stop)));
  ListedTables tables;
  for (size_t i = 0; i < rows.rows.size(); ++i) tables[{rows.text("s", i), "", rows.text("n", i)}] = rows.text("c", i);
  return tables;
}

std::vector<TableName> not_dumped(const ListedTables& before, const ListedTables& after,
                                  const std::map<TableName, uint64_t>& dumped) {
  std::vector<TableName> missing;
  for (const auto& [name, made] : before) {
    const auto still = after.find(name);
    if (still != after.end() && still->second == made && !dumped.contains(name)) missing.push_back(name);
  }
  return missing;
}

}  // namespace holdfast::engine
