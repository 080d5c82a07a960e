#include "engine/mariadb/storage_engines.h"

#include <fmt/format.h>

#include <utility>

#include "engine/mysql_family/statements.h"

namespace holdfast::engine {
namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(60));
}

Status keep_federated(sql::MariadbConnection& connection, EngineStatements& found, std::stop_token stop) {
  const auto tables =
      TRY(connection.query("SELECT table_schema AS d, table_name AS t FROM information_schema.tables WHERE engine = "
                           "'FEDERATED' ORDER BY 1, 2",
                           Deadline::in(std::chrono::minutes(10)), stop));
  std::string database;
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const std::string in = sql::quote_mysql_name(tables.text("d", i));
    const std::string name = in + "." + sql::quote_mysql_name(tables.text("t", i));
    const auto table = TRY(connection.query("SHOW CREATE TABLE " + name, soon(), stop));
    if (in != std::exchange(database, in)) {
      const auto made = TRY(connection.query("SHOW CREATE DATABASE IF NOT EXISTS " + in, soon(), stop));
      found.before += made.text("Create Database") + ";\nUSE " + in + ";\n";
    }
    found.before += fmt::format("DROP TABLE IF EXISTS {};\n", sql::quote_mysql_name(tables.text("t", i)));
    found.before += tolerated(table.text("Create Table"));
    found.ignore.push_back(tables.text("d", i) + "." + tables.text("t", i));
    found.notes.push_back(
        {"federated.reached", name,
         fmt::format("FEDERATED table {} is created by a restore only where its remote server answers", name)});
  }
  return {};
}

}  // namespace

Result<EngineStatements> storage_engines(sql::MariadbConnection& connection, std::stop_token stop) {
  EngineStatements found;
  const auto plugins = TRY(connection.query(
      "SELECT plugin_name AS n, plugin_library AS l FROM information_schema.plugins WHERE plugin_status = 'ACTIVE' AND "
      "plugin_type = 'STORAGE ENGINE' AND plugin_library IS NOT NULL AND plugin_name IN (SELECT DISTINCT engine FROM "
      "information_schema.tables WHERE table_type IN ('BASE TABLE', 'SEQUENCE', 'SYSTEM VERSIONED') AND engine IS NOT "
      "NULL) ORDER BY 1",
      Deadline::in(std::chrono::minutes(10)), stop));
  for (size_t i = 0; i < plugins.rows.size(); ++i) {
    // Where it cannot be installed the engine may be there all the same; if not, the CREATE TABLE says so.
    found.before +=
        tolerated(fmt::format("INSTALL PLUGIN IF NOT EXISTS {} SONAME {}", sql::quote_mysql_name(plugins.text("n", i)),
                              sql::quote_mysql(plugins.text("l", i))));
  }
  TRY_VOID(keep_federated(connection, found, stop));
  if (!found.before.empty()) found.before = own_settings() + found.before;
  return found;
}

}  // namespace holdfast::engine
