#include <fmt/format.h>

#include <cstdlib>

#include "backup/row_proof.h"
#include "sql/mariadb.h"

namespace holdfast::backup {

Status count_mysql_rows(const sql::Target& target, const std::vector<engine::TableName>& tables, const RowSink& sink,
                        std::stop_token stop) {
  const auto deadline = Deadline::in(std::chrono::hours(6));
  auto connection = TRY(sql::MariadbConnection::connect(target, Deadline::in(std::chrono::seconds(30)), stop));
  for (const auto& name : tables) {
    if (name.database == "mysql" || name.database == "sys" || name.database == "performance_schema") continue;
    auto rows =
        TRY(connection.query(fmt::format("SELECT COUNT(*) AS n FROM {}.{}", sql::quote_mysql_name(name.database),
                                         sql::quote_mysql_name(name.table)),
                             deadline, stop));
    sink.counted(name, std::strtoull(rows.text("n").c_str(), nullptr, 10));
  }
  return {};
}

}  // namespace holdfast::backup
