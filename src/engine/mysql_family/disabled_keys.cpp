#include "engine/mysql_family/disabled_keys.h"

#include <fmt/format.h>

namespace holdfast::engine {

Result<std::string> disabled_keys(const Sources& sources) {
  const auto rows = TRY(sources.ask_source(
      fmt::format("SELECT DISTINCT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.STATISTICS WHERE COMMENT "
                  "LIKE 'disabled%' AND TABLE_SCHEMA NOT IN {} ORDER BY 1, 2",
                  kSystemSchemas)));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += fmt::format("ALTER TABLE {}.{} DISABLE KEYS;\n", sql::quote_mysql_name(rows.text("s", i)),
                        sql::quote_mysql_name(rows.text("n", i)));
  return text;
}

}  // namespace holdfast::engine
