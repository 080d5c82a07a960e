#include <fmt/format.h>

#include <cstdlib>
#include <optional>

#include "backup/row_proof.h"
#include "engine/postgres/dump_statements.h"
#include "sql/postgres.h"

namespace holdfast::backup {

Status count_postgres_rows(const sql::Target& target, const std::vector<engine::TableName>& tables, const RowSink& sink,
                           std::stop_token stop) {
  std::optional<sql::PostgresConnection> connection;
  std::string connected;
  for (const auto& name : tables) {
    if (!connection || name.database != connected) {
      sql::Target there = target;
      there.database = connected = name.database;
      connection.emplace(TRY(sql::PostgresConnection::connect(there, Deadline::in(std::chrono::seconds(30)), stop)));
      TRY(connection->query("SET search_path = ''; SET statement_timeout = 0; SET row_security = off; SET role = none",
                            Deadline::in(std::chrono::seconds(30)), stop));
      TRY(engine::speak_own_encoding(*connection, stop));
    }
    // Of a table that an extension owns the dump has the rows its condition names; CREATE EXTENSION made the others.
    auto facts = TRY(connection->query(
        fmt::format(
            "SELECT c.relkind = 'f' AS foreign, e.extname AS extension, e.extcondition[array_position(e.extconfig, "
            "c.oid)] AS condition FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_depend "
            "d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' LEFT JOIN pg_extension e "
            "ON e.oid = d.refobjid WHERE n.nspname = {} AND c.relname = {}",
            sql::quote_postgres(name.schema), sql::quote_postgres(name.table)),
        Deadline::in(std::chrono::seconds(60)), stop));
    if (facts.text("foreign") == "t") {
      sink.skipped(name, "a foreign table: its rows are elsewhere");
      continue;
    }
    const auto extension = facts.value("extension");
    if (extension && !facts.value("condition")) {
      sink.skipped(name, "rows of extension " + *extension + " are made by CREATE EXTENSION");
      continue;
    }
    auto rows = TRY(
        connection->query(fmt::format("SELECT count(*) AS n FROM ONLY {}.{} {}", sql::quote_postgres_name(name.schema),
                                      sql::quote_postgres_name(name.table), facts.text("condition")),
                          Deadline::never(), stop));
    sink.counted(name, std::strtoull(rows.text("n").c_str(), nullptr, 10));
  }
  return {};
}

}  // namespace holdfast::backup
