#include "engine/mysql_family/statements.h"

#include <fmt/format.h>

#include "sql/rows.h"

namespace holdfast::engine {

std::string own_settings() {
  return "SET NAMES utf8mb4;\nSET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION';\n"
         "SET SESSION time_zone = '+00:00';\n";
}

std::string without_limits(bool mariadb) {
  return fmt::format("SET SESSION {} = 0, sql_big_selects = 1, sql_select_limit = {}",
                     mariadb ? "max_statement_time" : "max_execution_time", kNoSelectLimit);
}

std::string comment_lines(std::string_view text) {
  std::string out = "-- ";
  for (const char c : text) {
    out += c;
    if (c == '\n') out += "-- ";
  }
  return out + "\n";
}

std::string tolerated(std::string_view statement) {
  return fmt::format(
      "DELIMITER ;;\nBEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; EXECUTE IMMEDIATE {}; END "
      ";;\nDELIMITER ;\n",
      sql::quote_mysql(statement));
}

std::string executed(std::string_view expression) {
  return fmt::format(
      "SET @holdfast = {};\nPREPARE holdfast FROM @holdfast;\nEXECUTE holdfast;\nDEALLOCATE PREPARE holdfast;\n",
      expression);
}

}  // namespace holdfast::engine
