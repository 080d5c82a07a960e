#include "engine/mysql_family/memory_tables.h"

#include <fmt/format.h>

#include "engine/mysql_family/exact_tables.h"
#include "engine/mysql_family/program_head.h"

namespace holdfast::engine {

using sql::quote_mysql;
using sql::quote_mysql_name;

namespace {

std::string list_memory_tables() {
  return fmt::format(
      "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.TABLES WHERE ENGINE = 'MEMORY' AND "
      "TABLE_TYPE = "
      "'BASE TABLE' AND TABLE_SCHEMA NOT IN {} ORDER BY 1, 2",
      kSystemSchemas);
}

}  // namespace

Status note_memory_tables(const Sources& sources, const std::string& member, std::vector<DumpNote>& notes) {
  auto rows = TRY(sources.ask_source(list_memory_tables()));
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string name = rows.text("s", i) + "." + rows.text("n", i);
    notes.push_back({"memory.one-member", name,
                     fmt::format("table {} is MEMORY, which Galera does not replicate: the dump has the rows of "
                                 "{}",
                                 name, member)});
  }
  return {};
}

Result<MemoryTables> read_memory_tables(sql::MariadbConnection& connection, std::stop_token stop) {
  Peers none;
  const Sources sources{connection, none.primary, none.nodes, false, true, stop};
  MemoryTables memory;
  auto rows = TRY(sources.ask_source(list_memory_tables()));
  if (rows.empty()) return memory;
  TRY(sources.ask_source("SET time_zone = '+00:00'"));
  TRY(sources.ask_source("SET SESSION group_concat_max_len = 1073741824"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    ExactTable table;
    table.name = {rows.text("s", i), "", rows.text("n", i)};
    TRY_VOID(describe(sources, table));
    const uint64_t before = memory.rows;
    std::string values;
    size_t inexact = 0;
    const auto on_row = [&](const sql::Row& row) {
      const bool first = memory.rows++ % 500 == 0 || values.empty();
      values += fmt::format("{}({})",
                            values.empty() ? exact_insert(table)
                            : first        ? ";\n" + exact_insert(table)
                                           : ",",
                            exact_values(table.columns, row, &inexact));
      return true;
    };
    TRY_VOID(connection.stream(exact_select(table), on_row, Deadline::in(std::chrono::hours(1)), stop));
    if (memory.rows == before) continue;
    ++memory.tables;
    text += fmt::format("USE {};\nSET sql_mode='{}';\n", quote_mysql_name(table.name.database), kLoadingModes);
    auto triggers = TRY(sources.ask_source(
        fmt::format("SELECT TRIGGER_NAME AS n FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {} AND "
                    "EVENT_OBJECT_TABLE = {}",
                    quote_mysql(table.name.database), quote_mysql(table.name.table))));
    for (size_t k = 0; k < triggers.rows.size(); ++k)
      text += fmt::format("DROP TRIGGER {};\n", quote_mysql_name(triggers.text("n", k)));
    text += values + ";\n" + table.triggers + (table.triggers.empty() ? "" : "SET NAMES utf8mb4;\n");
  }
  if (!text.empty()) memory.statements = exact_rows_prologue() + text + exact_rows_epilogue();
  return memory;
}

}  // namespace holdfast::engine
