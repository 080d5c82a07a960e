#include "engine/row_checksum.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "engine/mysql_family/statements.h"
#include "sql/rows.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;

template <size_t N>
bool one_of(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// MySQL has no MD5() any more (9.6); MariaDB's is four times as fast as its SHA2().
std::string digest_of(Engine engine, const std::string& value) {
  return engine == Engine::mysql ? fmt::format("SHA2({}, 256)", value) : fmt::format("MD5({})", value);
}

// The bytes of one value as text without a comma, or '~' for NULL. A separator inside a value cannot move a border.
std::string mysql_part(Engine engine, const ColumnShape& column) {
  constexpr std::array<std::string_view, 12> kPlain = {"tinyint", "smallint", "mediumint", "int",
                                                       "bigint",  "decimal",  "double",    "date",
                                                       "time",    "datetime", "timestamp", "year"};
  constexpr std::array<std::string_view, 9> kLong = {"tinytext", "text",       "mediumtext", "longtext", "tinyblob",
                                                     "blob",     "mediumblob", "longblob",   "json"};
  constexpr std::array<std::string_view, 4> kPrinted = {"uuid", "inet4", "inet6", "xmltype"};
  const std::string name = sql::quote_mysql_name(column.name);
  std::string value;
  if (one_of(kPlain, column.type)) {
    value = name;
  } else if (column.type == "float") {
    value = name + "+0E0";  // a FLOAT prints six digits; the same number as DOUBLE prints all it has
  } else if (column.type == "enum" || column.type == "set") {
    value = name + "+0";
  } else if (one_of(kLong, column.type)) {
    value = digest_of(engine, fmt::format("CAST({} AS {})", name, column.type == "json" ? "CHAR" : "BINARY"));
  } else if (one_of(kPrinted, column.type)) {
    value = fmt::format("HEX(CAST({} AS CHAR))", name);
  } else {
    value = fmt::format("HEX({})", name);  // character strings in their own set, binary strings, BIT, geometries
  }
  return fmt::format("IFNULL({},'~')", value);
}

}  // namespace

std::string session_settings(Engine engine) {
  if (engine == Engine::postgres) {
    return "SET extra_float_digits = 3; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; "
           "SET bytea_output = 'hex'; SET timezone = 'UTC'; SET lc_monetary = 'C'; SET search_path = pg_catalog; "
           "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
           "SET default_transaction_read_only = off; SET row_security = off";
  }
  std::string settings =
      without_limits(engine != Engine::mysql) +
      ", time_zone = '+00:00', sql_mode = '', group_concat_max_len = 1048576, wait_timeout = 31536000";
  // Not every server shows the primary keys that it generated.
  if (engine == Engine::mysql) settings += " /*!80030 , show_gipk_in_create_table_and_information_schema = ON */";
  return settings;
}

std::string row_digest(Engine engine, const std::vector<ColumnShape>& columns) {
  std::string parts;
  for (const auto& column : columns) {
    if (!parts.empty()) parts += ',';
    parts += engine == Engine::postgres ? sql::quote_postgres_name(column.name) : mysql_part(engine, column);
  }
  if (parts.empty()) return digest_of(engine, "''");
  if (engine == Engine::postgres) return fmt::format("md5(ROW({})::text)", parts);
  return digest_of(engine, fmt::format("CONCAT_WS(',',{})", parts));
}

std::string checksum_list(Engine engine, const std::vector<ColumnShape>& columns) {
  const std::string digest = row_digest(engine, columns);
  if (engine == Engine::postgres)
    return fmt::format("count(*) AS n, coalesce(sum(('x' || substr({}, 1, 15))::bit(60)::bigint), 0) AS s", digest);
  return fmt::format("COUNT(*) AS n, COALESCE(SUM(CAST(CONV(SUBSTRING({}, 1, 15), 16, 10) AS UNSIGNED)), 0) AS s",
                     digest);
}

}  // namespace holdfast::engine
