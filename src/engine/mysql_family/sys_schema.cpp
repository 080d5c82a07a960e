#include "engine/mysql_family/sys_schema.h"

#include <fmt/format.h>

namespace holdfast::engine {
namespace {

using sql::quote_mysql;

std::string made_by_users(bool mariadb) {
  const std::string server = mariadb ? "mariadb.sys@localhost" : "mysql.sys@localhost";
  std::string statement =
      "SELECT TABLE_NAME AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'sys' AND TABLE_TYPE NOT IN ('VIEW', "
      "'SYSTEM VIEW') AND TABLE_NAME <> 'sys_config'";
  const auto add = [&](std::string_view kind, std::string_view table) {
    statement += fmt::format(
        " UNION ALL SELECT {0}_NAME FROM information_schema.{1} WHERE {0}_SCHEMA = 'sys' AND DEFINER <> '{2}'", kind,
        table, server);
  };
  add("TABLE", "VIEWS");
  add("TRIGGER", "TRIGGERS");
  if (!mariadb) add("ROUTINE", "ROUTINES");  // MariaDB's are rows of mysql.proc, which the dump has
  return statement + " ORDER BY 1";
}

}  // namespace

Result<std::string> sys_schema(const Sources& sources, std::vector<DumpNote>& notes) {
  const bool mariadb = sources.source.is_mariadb();
  auto own = TRY(sources.ask_source(made_by_users(mariadb)));
  std::string names;
  for (size_t i = 0; i < own.rows.size(); ++i) names += (i == 0 ? "" : ", ") + own.text("n", i);
  if (!names.empty())
    notes.push_back({"schema.sys", "", "what users made in the schema sys is not in the dump, nor its rows: " + names});
  // All of them: the server does not always say who set one.
  auto rows = sources.ask_source("SELECT variable AS v, value AS x, set_by AS u FROM sys.sys_config ORDER BY 1");
  if (!rows && rows.error().id != "sql.error" && rows.error().id != "sql.denied") return fail(std::move(rows).error());
  const auto literal = [](const std::optional<std::string>& value) { return value ? quote_mysql(*value) : "NULL"; };
  std::string text;
  for (size_t i = 0; rows && i < rows->rows.size(); ++i)
    text += fmt::format("REPLACE INTO sys.sys_config (variable, value, set_by) VALUES ({}, {}, {});\n",
                        quote_mysql(rows->text("v", i)), literal(rows->value("x", i)), literal(rows->value("u", i)));
  return text.empty() ? text : "SET @sys.ignore_sys_config_triggers = true;\n" + text;
}

}  // namespace holdfast::engine
