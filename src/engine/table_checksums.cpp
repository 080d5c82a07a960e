#include "engine/table_checksums.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "engine/mysql_family/exact_tables.h"
#include "engine/row_checksum.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;

constexpr const char* kMysqlTables =
    "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, COALESCE(ENGINE, '') AS e, TABLE_TYPE AS y FROM "
    "information_schema.TABLES WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN "
    "('mysql', "
    "'sys', 'information_schema', 'performance_schema')";
constexpr const char* kMysqlColumns =
    "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, COLUMN_NAME AS c, LOWER(DATA_TYPE) AS y, EXTRA AS x, "
    "GENERATION_EXPRESSION AS g FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys', "
    "'information_schema', 'performance_schema')";

// Of a table that an extension owns the dump has the rows its condition names.
constexpr const char* kPostgresTables =
    R"sql(
    SELECT n.nspname AS s, c.relname AS t, c.relkind AS k, c.relpersistence = 'u' AND pg_is_in_recovery() AS gone,
      e.extname AS extension, e.extcondition[array_position(e.extconfig, c.oid)] AS condition
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    LEFT JOIN pg_extension e ON e.oid = d.refobjid
    WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema',
      'pg_toast'))sql";
constexpr const char* kPostgresColumns =
    "SELECT n.nspname AS s, c.relname AS t, a.attname AS c FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind = 'r' AND "
    "c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')";
// Pages of a large object may be cut otherwise, its bytes are the same.
constexpr const char* kLargeObjects =
    "SELECT count(*) AS n, coalesce(sum(('x' || substr(md5(oid::text || ':' || md5(lo_get(oid))), 1, "
    "15))::bit(60)::bigint), 0) AS s FROM pg_largeobject_metadata";

using Columns = std::map<std::pair<std::string, std::string>, std::vector<ColumnShape>>;

std::string statement_of(Engine engine, std::vector<ColumnShape> columns, const std::string& from) {
  std::ranges::sort(columns, {}, &ColumnShape::name);
  return fmt::format("SELECT {} FROM {}", checksum_list(engine, columns), from);
}

bool is_in_snapshot(const std::string& storage) {
  return storage == "InnoDB" || storage == "ROCKSDB";
}

}  // namespace

Result<std::vector<ChecksumShape>> mysql_checksum_shapes(Engine engine, const AskSession& ask,
                                                         const std::function<bool(const TableName&)>& history,
                                                         std::stop_token stop) {
  Columns columns;
  std::map<std::pair<std::string, std::string>, std::pair<std::string, std::string>> named_period;
  auto found = TRY(ask(kMysqlColumns, stop));
  const auto tables = TRY(ask(kMysqlTables, stop));
  for (size_t i = 0; i < found.rows.size(); ++i) {
    const std::pair key{found.text("d", i), found.text("t", i)};
    const std::string generated = found.text("g", i);
    const bool period = generated == "ROW START" || generated == "ROW END";
    if (generated == "ROW START") named_period[key].first = found.text("c", i);
    if (generated == "ROW END") named_period[key].second = found.text("c", i);
    if (period ? !history({key.first, "", key.second}) : found.text("x", i).find("VIRTUAL") != std::string::npos)
      continue;
    columns[key].push_back({found.text("c", i), found.text("y", i)});
  }
  std::vector<ChecksumShape> shapes;
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const std::pair key{tables.text("d", i), tables.text("t", i)};
    ChecksumShape shape{.name = {key.first, "", key.second}, .statement = {}, .why_not = {}};
    shape.history = tables.text("y", i) == "SYSTEM VERSIONED" && history(shape.name);
    const std::string storage = tables.text("e", i);
    auto& its_columns = columns[key];
    if (shape.history && !named_period.contains(key)) {
      for (const char* name : {"row_start", "row_end"}) its_columns.push_back({name, "timestamp"});
    }
    const auto named = named_period.find(key);
    const auto [start, end] =
        named == named_period.end() ? std::pair<std::string, std::string>("row_start", "row_end") : named->second;
    if (is_in_snapshot(storage)) {
      shape.statement =
          statement_of(engine, its_columns,
                       fmt::format("{}.{}{}", sql::quote_mysql_name(key.first), sql::quote_mysql_name(key.second),
                                   shape.history ? " FOR SYSTEM_TIME ALL WHERE " + loadable_history(start, end) : ""));
    } else {
      shape.why_not = storage.empty() ? "damaged or invalid" : storage + ": its rows are in no snapshot";
    }
    shapes.push_back(std::move(shape));
  }
  return shapes;
}

Result<std::vector<ChecksumShape>> postgres_checksum_shapes(const AskSession& ask, const std::string& database,
                                                            std::stop_token stop) {
  Columns columns;
  const auto found = TRY(ask(kPostgresColumns, stop));
  for (size_t i = 0; i < found.rows.size(); ++i)
    columns[{found.text("s", i), found.text("t", i)}].push_back({found.text("c", i), ""});
  const auto tables = TRY(ask(kPostgresTables, stop));
  std::vector<ChecksumShape> shapes;
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const std::string schema = tables.text("s", i), table = tables.text("t", i);
    ChecksumShape shape{.name = {database, schema, table}, .statement = {}, .why_not = {}};
    if (tables.text("k", i) == "m") {
      shape.why_not = "a materialized view: filled again by a query";
    } else if (tables.text("gone", i) == "t") {
      shape.why_not = "unlogged: a standby has no rows of it";
    } else if (tables.value("extension", i) && !tables.value("condition", i)) {
      shape.why_not = "rows of extension " + tables.text("extension", i) + " are made by CREATE EXTENSION";
    } else {
      shape.statement = statement_of(Engine::postgres, columns[{schema, table}],
                                     fmt::format("ONLY {}.{} {}", sql::quote_postgres_name(schema),
                                                 sql::quote_postgres_name(table), tables.text("condition", i)));
    }
    shapes.push_back(std::move(shape));
  }
  const auto objects = TRY(ask("SELECT EXISTS (SELECT FROM pg_largeobject_metadata) AS x", stop));
  if (objects.text("x") == "t")
    shapes.push_back({.name = {database, "pg_catalog", "pg_largeobject"}, .statement = kLargeObjects, .why_not = {}});
  return shapes;
}

Result<ChecksumResults> take_checksums(const std::vector<ChecksumShape>& shapes, const AskSession& ask,
                                       std::stop_token stop) {
  ChecksumResults results;
  for (const auto& shape : shapes) {
    if (shape.statement.empty()) {
      results.without[shape.name] = shape.why_not;
      continue;
    }
    TRY(ask("SAVEPOINT holdfast_checksum", stop));
    auto rows = ask(shape.statement, stop);
    if (rows) {
      results.sums[shape.name] = {std::strtoull(rows->text("n").c_str(), nullptr, 10), rows->text("s"), shape.history};
    } else if (rows.error().id == "sql.error") {
      results.without[shape.name] = "its checksum failed: " + rows.error().message;
    } else {
      return fail(std::move(rows).error());
    }
    TRY(ask("ROLLBACK TO SAVEPOINT holdfast_checksum", stop));
  }
  return results;
}

BackgroundChecksums::BackgroundChecksums(Work work)
    : thread_([this, work = std::move(work)](std::stop_token stop) { promise_.set_value(work(std::move(stop))); }) {}

Result<ChecksumResults> BackgroundChecksums::finish(const std::stop_token& stop) {
  while (outcome_.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
    if (stop.stop_requested()) return fail(ErrorClass::interrupted, "sys.interrupted", "stopped while summing tables");
  }
  return outcome_.get();
}

}  // namespace holdfast::engine
