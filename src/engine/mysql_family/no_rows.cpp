#include "engine/mysql_family/no_rows.h"

#include <fmt/format.h>

namespace holdfast::engine {

Result<std::map<TableName, std::string>> tables_without_rows(sql::MariadbConnection& connection, std::stop_token stop) {
  std::map<TableName, std::string> found;
  const auto tables = TRY(connection.query(
      "SELECT table_schema AS d, table_name AS t, UPPER(engine) AS e FROM information_schema.tables WHERE "
      "table_type = 'BASE TABLE' AND engine IN ('MRG_MYISAM','MRG_ISAM','BLACKHOLE','FEDERATED','CONNECT','SPIDER',"
      "'SPHINX','OQGRAPH','VP') AND table_schema NOT IN ('information_schema','performance_schema')",
      Deadline::in(std::chrono::minutes(10)), stop));
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    const std::string engine = tables.text("e", i);
    const char* where = engine.starts_with("MRG_") ? "its rows are those of the tables it joins"
                        : engine == "BLACKHOLE"    ? "it keeps no rows"
                                                   : "its rows are outside of this server";
    found[{tables.text("d", i), "", tables.text("t", i)}] =
        fmt::format("{} table: {}", engine.starts_with("MRG_") ? "MERGE" : engine, where);
  }
  return found;
}

}  // namespace holdfast::engine
