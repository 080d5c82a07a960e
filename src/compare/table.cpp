#include "compare/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

namespace holdfast::compare {

using cluster::Engine;
using engine::ColumnShape;

namespace {

std::string quote_name(Engine engine, std::string_view name) {
  return engine == Engine::postgres ? sql::quote_postgres_name(name) : sql::quote_mysql_name(name);
}

bool is_number(const std::string& type) {
  constexpr std::array<std::string_view, 6> kNumbers = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal"};
  return std::ranges::find(kNumbers, type) != kNumbers.end();
}

// Types of MariaDB and MySQL whose printed value, given back as a literal, means the same value.
bool can_bound(const std::string& type) {
  constexpr std::array<std::string_view, 9> kTypes = {"char",     "varchar",   "binary", "varbinary", "date",
                                                      "datetime", "timestamp", "time",   "year"};
  return is_number(type) || std::ranges::find(kTypes, type) != kTypes.end();
}

bool is_binary(const std::string& type) {
  return type == "binary" || type == "varbinary";
}

std::string literal(Engine engine, const ColumnShape& column, const std::string& value) {
  if (engine == Engine::postgres) return sql::quote_postgres(value) + "::" + column.type;
  if (is_number(column.type)) return value;
  if (is_binary(column.type)) return "X'" + value + "'";  // key_list() prints these in hexadecimal
  return sql::quote_mysql(value);
}

std::string key_list(Engine engine, const Table& table) {
  std::string text;
  for (size_t i = 0; i < table.key.size(); ++i) {
    const std::string name = quote_name(engine, table.key[i].name);
    const bool hex = engine != Engine::postgres && is_binary(table.key[i].type);
    text += fmt::format("{}{} AS k{}", i ? ", " : "", hex ? "HEX(" + name + ")" : name, i);
  }
  return text;
}

std::string order_text(Engine engine, const Table& table) {
  std::string text;
  for (const auto& column : table.key) text += (text.empty() ? "" : ", ") + quote_name(engine, column.name);
  return text;
}

// (a, b) > (x, y) spelled out: MariaDB and MySQL use no index for the short form.
std::string beyond(Engine engine, const Table& table, const Key& key, bool above, bool or_equal) {
  const char* strict = above ? ">" : "<";
  std::string text;
  for (size_t i = table.key.size(); i-- > 0;) {
    const std::string name = quote_name(engine, table.key[i].name);
    const std::string value = literal(engine, table.key[i], key[i]);
    const bool last = i + 1 == table.key.size();
    if (last) {
      text = fmt::format("{} {}{} {}", name, strict, or_equal ? "=" : "", value);
    } else {
      text = fmt::format("{0} {1}= {2} AND ({0} {1} {2} OR ({3}))", name, strict, value, text);
    }
  }
  return text;
}

std::string from_text(Engine engine, const Table& table) {
  if (engine == Engine::postgres) return "FROM ONLY " + table.quoted(engine);
  const bool by_key = !table.key.empty();
  return "FROM " + table.quoted(engine) + (by_key ? " FORCE INDEX (PRIMARY)" : "");
}

// PostgreSQL's catalogue of one database; MariaDB's and MySQL's of all.
constexpr const char* kPostgresTables = R"(
SELECT n.nspname AS s, c.relname AS t, c.relpersistence AS p, c.oid::text AS o,
       (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS n
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
  AND (n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OR c.oid = 'pg_catalog.pg_largeobject'::regclass)
ORDER BY 1, 2)";
constexpr const char* kPostgresColumns = R"(
SELECT n.nspname AS s, c.relname AS t, a.attname AS c, format_type(a.atttypid, -1) AS y,
       format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END AS d,
       coalesce(array_position(string_to_array(i.indkey::text, ' ')::int2[], a.attnum), 0) AS k, coalesce(i.indnkeyatts, 0) AS m
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
  AND (n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') OR c.oid = 'pg_catalog.pg_largeobject'::regclass)
ORDER BY 1, 2, a.attnum)";
constexpr const char* kMysqlTables = R"(
SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t, COALESCE(ENGINE, '') AS e, TABLE_TYPE AS y FROM information_schema.TABLES
WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')
  AND TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY TABLE_SCHEMA, TABLE_NAME)";
constexpr const char* kMysqlColumns = R"(
SELECT c.TABLE_SCHEMA AS d, c.TABLE_NAME AS t, c.COLUMN_NAME AS c, LOWER(c.DATA_TYPE) AS y, c.EXTRA AS x,
       CONCAT(c.COLUMN_TYPE, ' ', c.IS_NULLABLE, ' ', COALESCE(c.CHARACTER_SET_NAME, ''), ' ',
              COALESCE(c.COLLATION_NAME, '')) AS f, COALESCE(s.SEQ_IN_INDEX, 0) AS k, s.SUB_PART AS part
FROM information_schema.COLUMNS c LEFT JOIN information_schema.STATISTICS s
  ON s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME AND s.COLUMN_NAME = c.COLUMN_NAME
  AND s.INDEX_NAME = 'PRIMARY'
WHERE c.TABLE_SCHEMA NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')
ORDER BY c.TABLE_SCHEMA, c.TABLE_NAME, c.ORDINAL_POSITION)";

using Found = std::map<std::pair<std::string, std::string>, Table>;

// Puts a key column at its place (1 = first).
void add_key(Table& table, size_t place, ColumnShape column) {
  if (table.key.size() < place) table.key.resize(place);
  table.key[place - 1] = std::move(column);
}

// A key with a column missing (a prefix, a type without a literal) bounds nothing.
void drop_partial_key(Table& table, bool usable) {
  const bool whole = std::ranges::none_of(table.key, [](const ColumnShape& c) { return c.name.empty(); });
  if (!whole || !usable) table.key.clear();
}

Status list_postgres(Session& session, const std::string& database, std::vector<Table>& all, Deadline deadline,
                     std::stop_token stop) {
  Found found;
  auto tables = TRY(session.query(database, kPostgresTables, deadline, stop));
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    Table& table = found[{tables.text("s", i), tables.text("t", i)}];
    table.database = database;
    table.schema = tables.text("s", i);
    table.name = tables.text("t", i);
    if (tables.text("p", i) == "u") table.not_compared = "unlogged: a standby has no rows of it";
  }
  auto columns = TRY(session.query(database, kPostgresColumns, deadline, stop));
  for (size_t i = 0; i < columns.rows.size(); ++i) {
    Table& table = found[{columns.text("s", i), columns.text("t", i)}];
    const std::string name = columns.text("c", i);
    table.columns.push_back({name, columns.text("y", i)});
    table.definition += fmt::format("{} {}\n", name, columns.text("d", i));
    const size_t place = std::strtoull(columns.text("k", i).c_str(), nullptr, 10);
    const size_t parts = std::strtoull(columns.text("m", i).c_str(), nullptr, 10);
    if (place > 0 && place <= parts) add_key(table, place, {name, columns.text("y", i)});
  }
  for (auto& [name, table] : found) {
    drop_partial_key(table, true);
    all.push_back(std::move(table));
  }
  return {};
}

Result<std::vector<Table>> list_mysql(Session& session, Deadline deadline, std::stop_token stop) {
  Found found;
  std::map<std::pair<std::string, std::string>, bool> usable;
  auto tables = TRY(session.query("", kMysqlTables, deadline, stop));
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    Table& table = found[{tables.text("d", i), tables.text("t", i)}];
    table.database = tables.text("d", i);
    table.name = tables.text("t", i);
    const std::string storage = tables.text("e", i);
    if (storage != "InnoDB")
      table.not_compared = (storage.empty() ? "damaged or invalid" : storage) + ": its rows are in no snapshot";
  }
  auto columns = TRY(session.query("", kMysqlColumns, deadline, stop));
  for (size_t i = 0; i < columns.rows.size(); ++i) {
    const auto at = found.find({columns.text("d", i), columns.text("t", i)});
    if (at == found.end()) continue;  // of a view
    Table& table = at->second;
    const std::string name = columns.text("c", i), type = columns.text("y", i);
    if (columns.text("x", i).find("VIRTUAL") == std::string::npos) table.columns.push_back({name, type});
    table.definition += fmt::format("{} {}\n", name, columns.text("f", i));
    const size_t place = std::strtoull(columns.text("k", i).c_str(), nullptr, 10);
    if (place == 0) continue;
    add_key(table, place, {name, type});
    const auto [bounds, fresh] = usable.try_emplace(at->first, true);
    bounds->second = bounds->second && can_bound(type) && !columns.value("part", i);
  }
  std::vector<Table> all;
  for (auto& [name, table] : found) {
    drop_partial_key(table, usable.contains(name) && usable[name]);
    all.push_back(std::move(table));
  }
  return all;
}

}  // namespace

std::string Table::quoted(Engine engine) const {
  return engine == Engine::postgres ? sql::quote_postgres_name(schema) + "." + sql::quote_postgres_name(name)
                                    : sql::quote_mysql_name(database) + "." + sql::quote_mysql_name(name);
}

std::string Table::text() const {
  return schema.empty() ? database + "." + name : database + "." + schema + "." + name;
}

Result<std::vector<Table>> list_tables(Engine engine, Session& session, Deadline deadline, std::stop_token stop) {
  if (engine != Engine::postgres) return list_mysql(session, deadline, stop);
  std::vector<Table> all;
  auto databases = TRY(
      session.query("", "SELECT datname AS d FROM pg_database WHERE datallowconn AND datname <> 'template0' ORDER BY 1",
                    deadline, stop));
  for (size_t i = 0; i < databases.rows.size(); ++i)
    TRY_VOID(list_postgres(session, databases.text("d", i), all, deadline, stop));
  return all;
}

std::string where_text(Engine engine, const Table& table, const KeyRange& range) {
  std::string text;
  if (range.after) text += " WHERE (" + beyond(engine, table, *range.after, true, false) + ")";
  if (range.up_to)
    text += (text.empty() ? " WHERE (" : " AND (") + beyond(engine, table, *range.up_to, false, true) + ")";
  return text;
}

std::string boundary_query(Engine engine, const Table& table, const std::optional<Key>& after, uint64_t rows) {
  return fmt::format("SELECT {} {}{} ORDER BY {} LIMIT 1 OFFSET {}", key_list(engine, table), from_text(engine, table),
                     where_text(engine, table, {after, std::nullopt}), order_text(engine, table), rows - 1);
}

std::string checksum_query(Engine engine, const Table& table, const KeyRange& range) {
  return fmt::format("SELECT {} {}{}", engine::checksum_list(engine, table.columns), from_text(engine, table),
                     where_text(engine, table, range));
}

std::string digests_query(Engine engine, const Table& table, const KeyRange& range, uint64_t limit) {
  return fmt::format("SELECT {}, {} AS d {}{} ORDER BY {} LIMIT {}", key_list(engine, table),
                     engine::row_digest(engine, table.columns), from_text(engine, table),
                     where_text(engine, table, range), order_text(engine, table), limit);
}

std::string range_text(const Table& table, const KeyRange& range) {
  if (!range.after && !range.up_to) return "all rows";
  std::string names;
  for (const auto& column : table.key) names += (names.empty() ? "" : ", ") + column.name;
  const auto values = [](const Key& key) {
    std::string text;
    for (const auto& value : key) text += (text.empty() ? "" : ", ") + value;
    return text;
  };
  std::string text;
  if (range.after) text = fmt::format("{} > {}", names, values(*range.after));
  if (range.up_to) text += fmt::format("{}{} <= {}", text.empty() ? "" : " and ", names, values(*range.up_to));
  return text;
}

}  // namespace holdfast::compare
