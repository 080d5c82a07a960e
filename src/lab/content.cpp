#include "lab/content.h"

#include <fmt/format.h>

#include <chrono>

#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::lab {
namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(60));
}

Result<Content> mysql_content(const sql::Target& target) {
  auto connection = TRY(sql::MariadbConnection::connect(target, soon()));
  auto query = [&](const std::string& text) { return connection.query(text, soon()); };
  const std::string ours = "('mysql','sys','information_schema','performance_schema')";
  TRY(query("SET SESSION group_concat_max_len = 1000000"));
  TRY(query("SET SESSION time_zone = '+00:00'"));
  Content content;
  auto tables =
      TRY(query("SELECT table_schema AS s, table_name AS t FROM information_schema.tables WHERE table_type = 'BASE "
                "TABLE' AND table_schema NOT IN " +
                ours));
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const std::string schema = tables.text("s", i), table = tables.text("t", i);
    auto columns =
        TRY(query(fmt::format("SELECT column_name AS c FROM information_schema.columns WHERE table_schema = {} AND "
                              "table_name = {} ORDER BY ordinal_position",
                              sql::quote_mysql(schema), sql::quote_mysql(table))));
    std::string parts;  // SHA2, because MySQL 9 has no MD5 any more
    for (size_t c = 0; c < columns.rows.size(); ++c)
      parts += fmt::format(",IFNULL(SHA2({},224),'NULL')", sql::quote_mysql_name(columns.text("c", c)));
    auto sum =
        TRY(query(fmt::format("SELECT COUNT(*) AS n, COALESCE(SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS('#'{}),224),12),16,10) "
                              "AS UNSIGNED)),0) AS h FROM {}.{}",
                              parts, sql::quote_mysql_name(schema), sql::quote_mysql_name(table))));
    content[schema + "." + table] = sum.text("n") + ":" + sum.text("h");
  }
  const std::map<std::string, std::string> lists = {
      {"views",
       "SELECT CONCAT(table_schema,'.',table_name) FROM information_schema.views WHERE table_schema NOT IN " + ours},
      {"routines",
       "SELECT CONCAT(routine_schema,'.',routine_name) FROM information_schema.routines WHERE routine_schema NOT IN " +
           ours},
      {"triggers",
       "SELECT CONCAT(trigger_schema,'.',trigger_name) FROM information_schema.triggers WHERE trigger_schema NOT IN " +
           ours},
      {"events",
       "SELECT CONCAT(event_schema,'.',event_name) FROM information_schema.events WHERE event_schema NOT IN " + ours},
      {"accounts", "SELECT CONCAT(user,'@',host) FROM mysql.user"},
  };
  for (const auto& [kind, statement] : lists) {
    auto rows = TRY(query(statement + " ORDER BY 1"));
    for (const auto& row : rows.rows) content[kind] += row[0].value_or("") + ";";
  }
  return content;
}

Result<Content> postgres_content(sql::Target target) {
  Content content;
  auto connection = TRY(sql::PostgresConnection::connect(target, soon()));
  auto databases = TRY(connection.query(
      "SELECT datname AS d FROM pg_database WHERE datallowconn AND datname <> 'template0' ORDER BY 1", soon()));
  auto roles =
      TRY(connection.query("SELECT rolname AS r FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1", soon()));
  for (const auto& row : roles.rows) content["roles"] += row[0].value_or("") + ";";
  for (size_t d = 0; d < databases.rows.size(); ++d) {
    const std::string database = databases.text("d", d);
    target.database = database;
    auto inside = TRY(sql::PostgresConnection::connect(target, soon()));
    auto query = [&](const std::string& text) { return inside.query(text, soon()); };
    auto tables =
        TRY(query("SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS t FROM pg_tables WHERE "
                  "schemaname NOT IN ('pg_catalog','information_schema')"));
    for (size_t i = 0; i < tables.rows.size(); ++i) {
      const std::string table = tables.text("t", i);
      auto sum = TRY(query(fmt::format(
          "SELECT count(*) AS n, COALESCE(sum(hashtextextended(x::text, 0)::numeric), 0) AS h FROM ONLY {} x", table)));
      content[database + "." + table] = sum.text("n") + ":" + sum.text("h");
    }
    auto names = TRY(query(R"sql(
        SELECT c.relkind::text || ' ' || n.nspname || '.' || c.relname AS x
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog','information_schema','pg_toast')
        UNION ALL SELECT 'f ' || n.nspname || '.' || p.proname::text
        FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname NOT IN ('pg_catalog','information_schema')
        UNION ALL SELECT 't ' || tgname::text
        FROM pg_trigger
        WHERE NOT tgisinternal
        ORDER BY 1)sql"));
    for (const auto& row : names.rows) content[database + " objects"] += row[0].value_or("") + ";";
  }
  return content;
}

}  // namespace

Result<Content> content_of(cluster::Engine engine, const sql::Target& target) {
  return engine == cluster::Engine::postgres ? postgres_content(target) : mysql_content(target);
}

}  // namespace holdfast::lab
