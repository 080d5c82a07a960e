#include "engine/mysql_family/expression_modes.h"

#include <fmt/format.h>

#include "engine/mysql_family/program_head.h"

namespace holdfast::engine {
namespace {

using sql::quote_mysql_name;

struct Expressions {
  bool versioned = false;
  std::string values;  ///< ", MAX(expression), ..."
  std::string differ;  ///< " OR NOT (column <=> expression) ...": of stored text
};

// Differences, and literals with a backslash.
Result<std::map<TableName, Expressions>> suspicious(const Sources& sources) {
  const bool mariadb = sources.source.is_mariadb();
  std::string statement = fmt::format(
      "SELECT c.TABLE_SCHEMA AS s, c.TABLE_NAME AS n, t.TABLE_TYPE AS k, c.COLUMN_NAME AS c, c.GENERATION_EXPRESSION "
      "AS e, c.EXTRA LIKE '%STORED%' AND c.CHARACTER_SET_NAME IS NOT NULL AS st FROM information_schema.COLUMNS c JOIN "
      "information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME WHERE "
      "(c.GENERATION_EXPRESSION LIKE '% - %'{}) AND t.TABLE_SCHEMA NOT IN {}",
      mariadb ? "" : " OR LOCATE('\\\\', c.GENERATION_EXPRESSION) > 0", kSystemSchemas);
  if (!mariadb)
    statement += fmt::format(
        R"sql(
        UNION ALL SELECT TABLE_SCHEMA, TABLE_NAME, '', '', EXPRESSION, 0
        FROM information_schema.STATISTICS
        WHERE EXPRESSION LIKE '% - %' AND EXPRESSION NOT LIKE '%as %array%' AND TABLE_SCHEMA NOT IN {0}
        UNION ALL SELECT t.TABLE_SCHEMA, t.TABLE_NAME, '', '', k.CHECK_CLAUSE, 0
        FROM information_schema.TABLE_CONSTRAINTS t
        JOIN information_schema.CHECK_CONSTRAINTS k ON k.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA
          AND k.CONSTRAINT_NAME = t.CONSTRAINT_NAME
        WHERE t.CONSTRAINT_TYPE = 'CHECK' AND t.ENFORCED = 'YES' AND k.CHECK_CLAUSE LIKE '% - %'
          AND t.TABLE_SCHEMA NOT IN {0})sql",
        kSystemSchemas);
  const auto rows = TRY(sources.ask_source(statement));
  std::map<TableName, Expressions> found;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    auto& table = found[{rows.text("s", i), "", rows.text("n", i)}];
    const std::string expression = mariadb ? rows.text("e", i) : catalogue_expression(rows.text("e", i));
    table.versioned |= rows.text("k", i) == "SYSTEM VERSIONED";
    table.values += fmt::format(", MAX({})", expression);
    if (rows.text("st", i) != "1" || mariadb) continue;
    table.differ +=
        fmt::format(" OR NOT (CAST(CONVERT({} USING utf8mb4) AS BINARY) <=> CAST(CONVERT({} USING utf8mb4) AS BINARY))",
                    quote_mysql_name(rows.text("c", i)), expression);
  }
  return found;
}

enum class Outcome { same, refused, differs, unknown };

Result<Outcome> rows_in(const Sources& sources, const TableName& name, const Expressions& table,
                        const std::string& modes) {
  TRY(sources.ask_source(fmt::format("SET SESSION sql_mode = '{}{}'", kLoadingModes, modes)));
  const auto rows =
      sources.source.query(fmt::format("SELECT MAX(FALSE{}) AS d{} FROM {}.{}{}", table.differ, table.values,
                                       quote_mysql_name(name.database), quote_mysql_name(name.table),
                                       table.versioned ? " FOR SYSTEM_TIME ALL" : ""),
                           Deadline::in(std::chrono::hours(24)), sources.stop);
  if (rows) return rows->text("d") == "1" ? Outcome::differs : Outcome::same;
  if (rows.error().id != "sql.error" && rows.error().id != "sql.denied") return fail(rows.error());
  constexpr std::string_view kOutOfRange = "1690";
  return sql::error_code(rows.error()) == kOutOfRange ? Outcome::refused : Outcome::unknown;
}

constexpr std::string_view kSigned = ",NO_UNSIGNED_SUBTRACTION", kPlain = ",NO_BACKSLASH_ESCAPES";

/// The modes in which the rows are what they are; nullopt where there are none.
Result<std::optional<NeededModes>> modes_of(const Sources& sources, const TableName& name, const Expressions& table) {
  // Without it MariaDB takes no stored difference of unsigned numbers at all.
  const bool mariadb = sources.source.is_mariadb();
  const std::string_view first = mariadb ? kSigned : "", second = mariadb ? "" : kSigned;
  std::optional<NeededModes> needed;
  for (const bool plain : {false, true}) {
    if (plain && table.differ.empty()) break;
    for (const auto modes : {first, second}) {
      const Outcome outcome = TRY(rows_in(sources, name, table, std::string(modes) + std::string(plain ? kPlain : "")));
      if (outcome == Outcome::refused || outcome == Outcome::differs) continue;
      needed = {std::string(modes), plain, table.versioned};
      break;
    }
    if (needed && !plain) return needed;
  }
  // An open table shows its expressions as the session that opened it read them.
  TRY(sources.ask_source(
      fmt::format("FLUSH LOCAL TABLES {}.{}", quote_mysql_name(name.database), quote_mysql_name(name.table))));
  return needed;
}

}  // namespace

std::string catalogue_expression(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

DumpNote generated_differs(const TableName& name) {
  return {
      "generated.differs", name.text(),
      fmt::format("generated columns of table {} are not what their expressions give: a restore computes them again, "
                  "or the server refuses its rows",
                  name.text())};
}

Result<std::map<TableName, NeededModes>> expression_modes(const Sources& sources, std::vector<DumpNote>& notes) {
  std::map<TableName, NeededModes> found;
  const auto tables = TRY(suspicious(sources));
  if (tables.empty()) return found;
  const std::string before = TRY(sources.ask_source("SELECT @@SESSION.sql_mode AS m")).text("m");
  for (const auto& [name, table] : tables) {
    const auto modes = TRY(modes_of(sources, name, table));
    if (!modes) notes.push_back(generated_differs(name));
    if (modes && (!modes->modes.empty() || modes->plain_literals)) found[name] = *modes;
  }
  TRY(sources.ask_source(fmt::format("SET SESSION sql_mode = '{}'", before)));
  return found;
}

}  // namespace holdfast::engine
