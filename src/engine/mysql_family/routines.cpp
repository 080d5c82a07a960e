#include "engine/mysql_family/routines.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/members.h"

namespace holdfast::engine {

using sql::quote_mysql;
using sql::quote_mysql_name;

Result<std::string> routine_comments(const Sources& sources) {
  const bool mariadb = sources.source.is_mariadb();
  auto rows = TRY(
      sources.ask_source("SELECT ROUTINE_SCHEMA AS s, ROUTINE_NAME AS n, ROUTINE_TYPE AS t, ROUTINE_COMMENT AS c FROM "
                         "information_schema.ROUTINES WHERE (SQL_MODE LIKE '%NO_BACKSLASH_ESCAPES%' OR "
                         "CHARACTER_SET_CLIENT NOT LIKE 'utf8%') AND ROUTINE_COMMENT <> '' ORDER BY 1, "
                         "2, 3"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string schema = rows.text("s", i), name = rows.text("n", i), type = rows.text("t", i),
                      comment = rows.text("c", i);
    const auto plain = [](char c) { return c >= ' ' && c != '\\'; };  // bytes of other characters are negative
    if (std::ranges::all_of(comment, plain)) continue;
    // ALTER has no words for packages.
    text += mariadb ? fmt::format("UPDATE mysql.proc SET comment = {} WHERE db = {} AND name = {} AND type = {};\n",
                                  quote_mysql(comment), quote_mysql(schema), quote_mysql(name), quote_mysql(type))
                    : fmt::format("ALTER {} {}.{} COMMENT {};\n", type, quote_mysql_name(schema),
                                  quote_mysql_name(name), quote_mysql(comment));
  }
  return text;
}

Status note_character_sets(const Sources& sources, std::vector<DumpNote>& notes) {
  constexpr std::string_view kSets =
      " AS s FROM information_schema.{0}s WHERE CHARACTER_SET_CLIENT IN ('sjis', 'cp932', "
      "'gbk', 'gb18030', 'big5')";
  std::string statement;
  for (const std::string_view kind : {"ROUTINE", "TRIGGER", "EVENT"})
    statement += fmt::format("{1}SELECT CONCAT({0}_SCHEMA, '.', {0}_NAME) AS n, CHARACTER_SET_CLIENT{2}", kind,
                             statement.empty() ? "" : " UNION ALL ", fmt::format(fmt::runtime(kSets), kind));
  auto rows = TRY(sources.ask_source(statement + " ORDER BY 1"));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    notes.push_back({"text.charset", rows.text("n", i),
                     fmt::format("{} is written in {}: a restore reads it, but where a character ends with the byte of "
                                 "a backslash, the plain client cannot load an export",
                                 rows.text("n", i), rows.text("s", i))});
  return {};
}

Status note_filters(const Sources& sources, std::vector<DumpNote>& notes) {
  if (!sources.is_replica) return {};
  const auto status =
      TRY(sources.ask_source(sources.source.is_mariadb() ? "SHOW ALL SLAVES STATUS" : "SHOW REPLICA STATUS"));
  if (const std::string filters = replica_filters(status); !filters.empty())
    notes.push_back(
        {"replica.filtered", "",
         fmt::format("the source is a replica that filters what it replicates, and its backup has only what "
                     "it has (name the primary with -i): {}",
                     filters)});
  return {};
}

}  // namespace holdfast::engine
