// Views, routines, triggers and events of one database as statements, so that they can be made again: they cannot be
// moved to another database as tables can.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "sql/mariadb.h"

namespace holdfast::backup {

struct MysqlPrograms {
  std::string text;                  ///< routines, triggers and events
  std::string views;                 ///< may name each other in any order
  std::vector<std::string> invalid;  ///< views that no statement makes: what they name is gone
};

/// "restore.missing_rights" (refused) when the server does not show a definition to this account.
Result<MysqlPrograms> read_programs(sql::MariadbConnection& connection, const std::string& database,
                                    std::stop_token stop);

/// Makes those that are not there. "restore.objects_failed" (failed) says what could not be made.
Status make_programs(const sql::Target& target, const MysqlPrograms& programs, std::stop_token stop);

}  // namespace holdfast::backup
