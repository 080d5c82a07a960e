#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "backup/row_proof.h"
#include "sql/postgres.h"

namespace holdfast::backup {

Status count_postgres_rows(const sql::Target& target, const std::vector<engine::TableName>& tables,
                           const RowSink& sink, std::stop_token stop) {
  const auto deadline = Deadline::in(std::chrono::hours(6));
  std::optional<sql::PostgresConnection> connection;
  std::string connected;
  for (const auto& name : tables) {
    if (!connection || name.database != connected) {
      sql::Target there = target;
      there.database = connected = name.database;
      connection.emplace(
          TRY(sql::PostgresConnection::connect(there, Deadline::in(std::chrono::seconds(30)), stop)));
    }
    auto rows = TRY(connection->query(fmt::format("SELECT count(*) AS n FROM ONLY {}.{}",
                                                  sql::quote_postgres_name(name.schema),
                                                  sql::quote_postgres_name(name.table)),
                                      deadline, stop));
    sink.counted(name, std::strtoull(rows.text("n").c_str(), nullptr, 10));
  }
  return {};
}

}  // namespace holdfast::backup
