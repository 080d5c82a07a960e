#include <fmt/format.h>

#include <cstdlib>
#include <set>

#include "backup/row_proof.h"
#include "sql/mariadb.h"

namespace holdfast::backup {

bool is_system_table(const engine::TableName& name) {
  return name.schema.empty() &&
         (name.database == "mysql" || name.database == "sys" || name.database == "performance_schema");
}

Status count_mysql_rows(const sql::Target& target, const std::vector<engine::TableName>& tables, const RowSink& sink,
                        std::stop_token stop) {
  const auto deadline = Deadline::in(std::chrono::hours(6));
  auto connection = TRY(sql::MariadbConnection::connect(target, Deadline::in(std::chrono::seconds(30)), stop));
  // Rows of former times count: the dump has them, or a table that was just filled has none.
  std::set<std::pair<std::string, std::string>> versioned;
  if (connection.is_mariadb()) {
    auto found = TRY(connection.query(
        "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.TABLES WHERE TABLE_TYPE = 'SYSTEM "
        "VERSIONED'",
        deadline, stop));
    for (size_t i = 0; i < found.rows.size(); ++i) versioned.emplace(found.text("s", i), found.text("n", i));
  }
  for (const auto& name : tables) {
    if (is_system_table(name)) continue;
    auto rows =
        TRY(connection.query(fmt::format("SELECT COUNT(*) AS n FROM {}.{}{}", sql::quote_mysql_name(name.database),
                                         sql::quote_mysql_name(name.table),
                                         versioned.contains({name.database, name.table}) ? " FOR SYSTEM_TIME ALL" : ""),
                             deadline, stop));
    sink.counted(name, std::strtoull(rows.text("n").c_str(), nullptr, 10));
  }
  return {};
}

}  // namespace holdfast::backup
