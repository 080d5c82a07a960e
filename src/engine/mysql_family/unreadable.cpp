#include "engine/mysql_family/unreadable.h"

#include <fmt/format.h>

#include <optional>

#include "engine/mysql_family/namesakes.h"
#include "engine/mysql_family/sources.h"
#include "engine/mysql_family/statements.h"

namespace holdfast::engine {
namespace {

using std::chrono::seconds;

struct Problem {
  std::string code, message;
};

/// Why the server does not run it; nothing where it does. A broken connection is an error.
Result<std::optional<Problem>> refused(sql::MariadbConnection& connection, const std::string& statement,
                                       std::stop_token stop) {
  auto rows = connection.query(statement, Deadline::in(seconds(60)), stop);
  if (rows) return std::nullopt;
  if (rows.error().id != "sql.error" && rows.error().id != "sql.denied") return fail(std::move(rows).error());
  return Problem{sql::error_code(rows.error()), rows.error().message};
}

Status keep_view(sql::MariadbConnection& connection, const std::string& name, const Problem& problem, Unreadable& found,
                 std::stop_token stop) {
  auto shown = connection.query("SHOW CREATE VIEW " + name, Deadline::in(seconds(60)), stop);
  const std::string definition = shown ? shown->text("Create View") : "";
  if (definition.empty()) {
    if (!shown && shown.error().id == "sql.lost") return fail(std::move(shown).error());
    found.notes.push_back(
        {"view.unreadable", name,
         fmt::format("view {} is invalid and its definition cannot be read: it is not in the backup ({})", name,
                     problem.message)});
    return {};
  }
  const std::string collation = shown->text("collation_connection");
  found.after +=
      "\n--\n" + comment_lines("View " + name + " was invalid where the dump was made: " + definition) + "--\n\n";
  // A view whose definer is gone can be created; one whose tables are gone cannot.
  if (connection.is_mariadb() || problem.code == "1449") {
    if (!collation.empty()) found.after += "SET collation_connection = " + collation + ";\n";
    found.after += connection.is_mariadb() ? tolerated(definition) : definition + ";\n";
  }
  found.notes.push_back(
      {"view.invalid", name,
       fmt::format("view {} is invalid: its definition is kept, a restore creates it where the server accepts it ({})",
                   name, problem.message)});
  return {};
}

/// Whether any table's file was discarded; no, where the account may not see it.
Result<bool> has_discarded(sql::MariadbConnection& connection, std::stop_token stop) {
  const auto rows = connection.query(
      connection.is_mariadb()
          ? "SELECT 1 AS x FROM information_schema.INNODB_SYS_TABLES t LEFT JOIN "
            "information_schema.INNODB_SYS_TABLESPACES s ON s.SPACE = t.SPACE WHERE t.SPACE <> 0 AND s.SPACE IS NULL "
            "LIMIT 1"
          : "SELECT 1 AS x FROM information_schema.INNODB_TABLESPACES WHERE STATE = 'discarded' LIMIT 1",
      Deadline::in(std::chrono::minutes(10)), stop);
  if (rows) return !rows->empty();
  if (rows.error().id != "sql.error" && rows.error().id != "sql.denied") return fail(rows.error());
  return false;
}

// The server has its definition, and the dump programs end at it.
Status keep_discarded(sql::MariadbConnection& connection, Unreadable& found, std::stop_token stop) {
  for (const auto& table : TRY(discarded_tables(connection, stop))) {
    const std::string database = sql::quote_mysql_name(table.database),
                      name = database + "." + sql::quote_mysql_name(table.table);
    const auto shown = TRY(connection.query("SHOW CREATE TABLE " + name, Deadline::in(seconds(60)), stop));
    found.ignore.push_back(table.text());
    found.after += fmt::format("SET foreign_key_checks = 0;\nUSE {};\n{};\n", database, shown.text("Create Table"));
    found.notes.push_back({"table.discarded", name,
                           fmt::format("table {} has no file (ALTER TABLE ... DISCARD TABLESPACE): it is restored "
                                       "without rows",
                                       name)});
  }
  return {};
}

// The program leaves it out with the table or view whose name it takes for this one's.
Status keep_namesake(sql::MariadbConnection& connection, const std::string& name, Unreadable& found,
                     std::stop_token stop) {
  const auto shown = TRY(connection.query("SHOW CREATE VIEW " + name, Deadline::in(seconds(60)), stop));
  if (shown.empty()) return {};
  found.after += fmt::format("SET collation_connection = {};\n{};\n", shown.text("collation_connection"),
                             shown.text("Create View"));
  return {};
}

}  // namespace

Result<std::set<TableName>> discarded_tables(sql::MariadbConnection& connection, std::stop_token stop) {
  std::set<TableName> found;
  if (!TRY(has_discarded(connection, stop))) return found;
  const auto tables = TRY(connection.query(
      fmt::format(
          "SELECT TABLE_SCHEMA AS d, TABLE_NAME AS t FROM information_schema.TABLES WHERE ENGINE = 'InnoDB' AND "
          "TABLE_SCHEMA NOT IN {}",
          kSystemSchemas),
      Deadline::in(std::chrono::minutes(10)), stop));
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const TableName table{tables.text("d", i), "", tables.text("t", i)};
    const auto problem = TRY(refused(connection,
                                     fmt::format("SELECT 1 FROM {}.{} LIMIT 1", sql::quote_mysql_name(table.database),
                                                 sql::quote_mysql_name(table.table)),
                                     stop));
    constexpr std::string_view kDiscarded = "1814";
    if (problem && problem->code == kDiscarded) found.insert(table);
  }
  return found;
}

Result<Unreadable> find_unreadable(sql::MariadbConnection& connection, std::stop_token stop) {
  Unreadable found;
  const auto tables = TRY(connection.query(
      "SELECT table_schema AS d, table_name AS t, table_type AS y FROM information_schema.tables WHERE "
      "(table_type = 'VIEW' OR engine = 'MRG_MYISAM') AND table_schema NOT IN "
      "('information_schema','performance_schema')",
      Deadline::in(std::chrono::minutes(10)), stop));
  const auto same = TRY(find_namesakes(connection, stop));
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const std::string name =
        sql::quote_mysql_name(tables.text("d", i)) + "." + sql::quote_mysql_name(tables.text("t", i));
    const bool view = tables.text("y", i) == "VIEW";
    // The dump programs ask both. Of some views the server cannot read what it wrote itself: a literal in SJIS.
    auto problem = view ? TRY(refused(connection, "SHOW FIELDS FROM " + name, stop)) : std::nullopt;
    if (!problem) problem = TRY(refused(connection, "SHOW CREATE TABLE " + name, stop));
    if (!problem && same.views.contains({tables.text("d", i), "", tables.text("t", i)})) {
      found.ignore.push_back(tables.text("d", i) + "." + tables.text("t", i));
      TRY_VOID(keep_namesake(connection, name, found, stop));
    }
    if (!problem || problem->code == "1146") continue;  // 1146: dropped since
    found.ignore.push_back(tables.text("d", i) + "." + tables.text("t", i));
    if (view) {
      TRY_VOID(keep_view(connection, name, *problem, found, stop));
    } else {
      found.notes.push_back(
          {"merge.unreadable", name,
           fmt::format("MERGE table {} cannot be opened and holds no rows of its own: it is not in the "
                       "backup, the tables it joins are ({})",
                       name, problem->message)});
    }
  }
  TRY_VOID(keep_discarded(connection, found, stop));
  if (!found.after.empty()) found.after = own_settings() + found.after;
  return found;
}

}  // namespace holdfast::engine
