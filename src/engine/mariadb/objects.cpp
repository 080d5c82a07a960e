#include "engine/mariadb/objects.h"

#include <fmt/format.h>

#include <charconv>

#include "engine/mysql_family/statements.h"
#include "engine/mysql_family/sys_schema.h"
#include "engine/mysql_family/system_rows.h"

namespace holdfast::engine {
namespace {

using sql::quote_mysql_name;

/// 1011 of "10.11.19-MariaDB".
int version_number(std::string_view text) {
  int major = 0, minor = 0;
  const auto [dot, error] = std::from_chars(text.data(), text.data() + text.size(), major);
  if (error != std::errc() || dot == text.data() + text.size() || *dot != '.') return 0;
  std::from_chars(dot + 1, text.data() + text.size(), minor);
  return major * 100 + minor;
}

/// 1011 of "mariadb-dump  Ver 10.19 Distrib 10.11.19-MariaDB, for ..." or "... from 11.8.2-MariaDB, ..." as 1011.
int program_version(const std::string& text) {
  for (const std::string word : {"Distrib ", "from "}) {
    const size_t at = text.find(word);
    if (at == std::string::npos) continue;
    if (const int found = version_number(std::string_view(text).substr(at + word.size()))) return found;
  }
  return 0;
}

Result<std::string> rounds_of_sequences(const Sources& sources) {
  const auto rows = TRY(
      sources.ask_source("SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.TABLES WHERE TABLE_TYPE "
                         "= 'SEQUENCE' ORDER BY 1, 2"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string name = quote_mysql_name(rows.text("s", i)) + "." + quote_mysql_name(rows.text("n", i));
    const auto state = sources.ask_source("SELECT cycle_count AS c FROM " + name);
    if (!state && state.error().id != "sql.error") return fail(state.error());
    if (!state || state->text("c") == "0") continue;
    // At the value that was loaded, which may be a later one than ours.
    text += executed(fmt::format("CONCAT({}, (SELECT next_not_cached_value FROM {}), {})",
                                 sql::quote_mysql(fmt::format("DO SETVAL({}, ", name)), name,
                                 sql::quote_mysql(fmt::format(", 0, {})", state->text("c")))));
  }
  return text;
}

}  // namespace

Result<MariadbSequences> mariadb_sequences(const Sources& sources) {
  MariadbSequences found;
  found.after = TRY(rounds_of_sequences(sources));
  auto used = TRY(sources.ask_source(fmt::format(
      "SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN {} AND (COLUMN_DEFAULT LIKE '%nextval(%' OR "
      "COLUMN_DEFAULT LIKE '%lastval(%' OR COLUMN_DEFAULT LIKE '%setval(%') LIMIT 1",
      kSystemSchemas)));
  if (used.empty()) return found;
  auto rows = TRY(sources.ask_source(
      R"sql(
      SELECT t.TABLE_SCHEMA AS s, t.TABLE_NAME AS n, d.DEFAULT_CHARACTER_SET_NAME AS cs, d.DEFAULT_COLLATION_NAME AS co,
        d.SCHEMA_COMMENT AS cm
      FROM information_schema.TABLES t
      JOIN information_schema.SCHEMATA d ON CAST(d.SCHEMA_NAME AS BINARY) = CAST(t.TABLE_SCHEMA AS BINARY)
      WHERE t.TABLE_TYPE = 'SEQUENCE'
      ORDER BY 1, 2)sql"));
  std::string schema;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string here = quote_mysql_name(rows.text("s", i));
    if (here != schema) {
      const std::string comment = rows.text("cm", i);
      found.before +=
          fmt::format("CREATE SCHEMA IF NOT EXISTS {} CHARACTER SET {} COLLATE {}{};\n", here, rows.text("cs", i),
                      rows.text("co", i), comment.empty() ? "" : " COMMENT " + sql::quote_mysql(comment));
    }
    schema = here;
    found.before += fmt::format("CREATE OR REPLACE SEQUENCE {}.{};\n", here, quote_mysql_name(rows.text("n", i)));
  }
  if (!found.before.empty()) {
    found.before =
        "--\n-- Sequences that tables of other databases ask; their own values "
        "follow\n--\n\n" +
        found.before + "\n";
  }
  return found;
}

Result<std::string> mariadb_roles(const Sources& sources) {
  auto rows = TRY(sources.ask_source("SELECT User AS u, is_role AS r FROM mysql.user ORDER BY 1"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    if (rows.text("r", i) == "Y" && rows.text("u", i) != "PUBLIC")
      text += fmt::format("CREATE ROLE IF NOT EXISTS {};\n", quote_mysql_name(rows.text("u", i)));
  }
  return text;
}

Result<std::string> mariadb_objects_after(const Sources& sources, std::vector<DumpNote>& notes) {
  std::string text;
  for (const char* table : {"servers", "plugin"}) text += TRY(system_rows(sources.truth(), table, "1", sources.stop));
  // Statistics that ANALYZE TABLE ... PERSISTENT collected: the dump has the rows too, but each table's DROP TABLE
  // behind them takes its own away.
  for (const char* table : {"table_stats", "column_stats", "index_stats"})
    text += TRY(system_rows(sources.source, table, "1", sources.stop));
  text += TRY(sys_schema(sources, notes));
  if (sources.primary_unknown()) {
    notes.push_back({"primary.unknown", "",
                     "servers and plug-ins are those of the replica: the primary did not answer, and they are not "
                     "replicated"});
  }
  return text.empty() ? text : "\n--\n-- Objects of the server\n--\n\n" + text;
}

Result<HistoryPlan> mariadb_history(const Sources& sources, const std::string& tool_version,
                                    std::vector<DumpNote>& notes) {
  HistoryPlan plan;
  auto rows = TRY(sources.ask_source(
      "SELECT t.TABLE_SCHEMA AS s, t.TABLE_NAME AS n, (SELECT COUNT(*) FROM information_schema.COLUMNS c WHERE "
      "c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.GENERATION_EXPRESSION = 'ROW START' AND "
      "c.DATA_TYPE = 'bigint') AS trx FROM information_schema.TABLES t WHERE t.TABLE_TYPE = 'SYSTEM VERSIONED'"));
  if (rows.empty()) return plan;
  plan.dumped = program_version(tool_version) >= 1011 && version_number(sources.source.server_version()) >= 1011;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const bool by_transaction = rows.text("trx", i) != "0";
    if (by_transaction) plan.by_transaction.insert({rows.text("s", i), "", rows.text("n", i)});
    if (plan.dumped && !by_transaction) continue;
    const std::string name = rows.text("s", i) + "." + rows.text("n", i);
    notes.push_back({"history.missing", name,
                     fmt::format("table {} is dumped without its history of former rows: {}", name,
                                 plan.dumped ? "it is kept by transaction, and no statement can load that"
                                             : "that needs MariaDB 10.11 or newer")});
  }
  return plan;
}

}  // namespace holdfast::engine
