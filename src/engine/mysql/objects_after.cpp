// Histograms, servers, resource groups, components, plug-ins, read-only databases, SET PERSIST.
//
// Most of these are written into no binary log: a replica has its own or none, so the primary is asked.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "engine/mysql/objects.h"
#include "engine/mysql_family/sys_schema.h"
#include "engine/mysql_family/system_rows.h"

namespace holdfast::engine {
namespace {

using sql::quote_mysql;
using sql::quote_mysql_name;

Result<std::string> histograms(const Sources& sources) {
  auto rows =
      TRY(sources.ask_truth("SELECT SCHEMA_NAME AS s, TABLE_NAME AS t, COLUMN_NAME AS c, HISTOGRAM AS h FROM "
                            " information_schema.COLUMN_STATISTICS"));
  auto there = TRY(sources.ask_source(
      "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS t, COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE TABLE_SCHEMA "
      "NOT IN ('mysql','information_schema','performance_schema','sys')"));
  std::set<std::array<std::string, 3>> columns;
  for (size_t i = 0; i < there.rows.size(); ++i)
    columns.insert({there.text("s", i), there.text("t", i), there.text("c", i)});
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string schema = rows.text("s", i), table = rows.text("t", i), column = rows.text("c", i);
    if (!columns.contains({schema, table, column})) continue;  // dropped since, or not yet there
    text += fmt::format("ANALYZE NO_WRITE_TO_BINLOG TABLE {}.{} UPDATE HISTOGRAM ON {} USING DATA {};\n",
                        quote_mysql_name(schema), quote_mysql_name(table), quote_mysql_name(column),
                        quote_mysql(rows.text("h", i)));
  }
  return text;
}

Result<std::string> resource_groups(const Sources& sources) {
  auto rows = TRY(sources.ask_truth(
      "SELECT RESOURCE_GROUP_NAME AS n, RESOURCE_GROUP_TYPE AS t, RESOURCE_GROUP_ENABLED AS e, CONVERT(VCPU_IDS USING "
      "utf8mb4) AS v, THREAD_PRIORITY AS p FROM information_schema.RESOURCE_GROUPS WHERE RESOURCE_GROUP_NAME NOT IN "
      "('USR_default','SYS_default') ORDER BY 1"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    text += fmt::format("CREATE RESOURCE GROUP {} TYPE={}", quote_mysql_name(rows.text("n", i)), rows.text("t", i));
    if (!rows.text("v", i).empty()) text += " VCPU=" + rows.text("v", i);
    text += fmt::format(" THREAD_PRIORITY={}{};\n", rows.text("p", i), rows.text("e", i) == "1" ? "" : " DISABLE");
  }
  return text;
}

Result<std::string> read_only_schemas(const Sources& sources) {
  auto rows = TRY(sources.ask_truth(
      "SELECT SCHEMA_NAME AS s FROM information_schema.SCHEMATA_EXTENSIONS WHERE OPTIONS LIKE '%READ ONLY=1%'"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    auto there = TRY(sources.ask_source("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = " +
                                        quote_mysql(rows.text("s", i))));
    if (!there.empty()) text += fmt::format("ALTER DATABASE {} READ ONLY = 1;\n", quote_mysql_name(rows.text("s", i)));
  }
  return text;
}

// Which other sources a channel may turn to belongs to a cluster and its hosts; a restore makes replication anew.
Status note_other_sources(const Sources& sources, std::vector<DumpNote>& notes) {
  auto rows = sources.ask_truth(
      "SELECT DISTINCT Channel_name AS c FROM mysql.replication_asynchronous_connection_failover ORDER BY 1");
  if (!rows && rows.error().id != "sql.error" && rows.error().id != "sql.denied") return fail(std::move(rows).error());
  std::string names;
  for (size_t i = 0; rows && i < rows->rows.size(); ++i)
    names += fmt::format("{}'{}'", i == 0 ? "" : ", ", rows->text("c", i));
  if (!names.empty())
    notes.push_back({"replication.other_sources", "",
                     "which other sources these channels may turn to is not in the dump "
                     "(asynchronous_connection_failover_add_source): " +
                         names});
  return {};
}

// A number stays one: numeric settings take no text.
std::string literal(const std::string& value) {
  const bool number = !value.empty() && value.find_first_not_of("0123456789.-") == std::string::npos &&
                      value.find_first_of("0123456789") != std::string::npos && std::ranges::count(value, '.') <= 1 &&
                      value.rfind('-') + 1 <= 1;
  return number ? value : quote_mysql(value);
}

}  // namespace

Result<std::string> mysql_objects_after(const Sources& sources, std::vector<DumpNote>& notes) {
  std::string text = TRY(histograms(sources));
  // As rows: what cannot be loaded on another host is then a warning of the server's next start, not a failed restore.
  // Those that were loaded above have rows of other numbers.
  for (const char* table : kLoadedTables)
    text += fmt::format("DELETE FROM mysql.{};\n", table) + TRY(system_rows(sources.truth(), table, "1", sources.stop));
  text += TRY(resource_groups(sources));
  text += TRY(sys_schema(sources, notes));
  text += TRY(read_only_schemas(sources));
  TRY_VOID(note_other_sources(sources, notes));
  if (sources.primary_unknown()) {
    notes.push_back({"primary.unknown", "",
                     "servers, components, plug-ins, resource groups, histograms and read-only databases are those of "
                     "the replica: the primary did not answer, and they are not replicated"});
  }
  return text.empty() ? text : "\n--\n-- Objects of the server\n--\n\n" + text;
}

Result<std::string> mysql_persisted_settings(const Sources& sources) {
  auto rows = TRY(sources.ask_truth(
      "SELECT p.VARIABLE_NAME AS n, p.VARIABLE_VALUE AS v FROM performance_schema.persisted_variables p ORDER BY 1"));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    text += fmt::format("SET PERSIST_ONLY {} = {};\n", rows.text("n", i), literal(rows.text("v", i)));
  }
  return text;
}

}  // namespace holdfast::engine
