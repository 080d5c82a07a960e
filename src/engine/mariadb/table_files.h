// InnoDB tables of a MariaDB server whose file is gone. It opens a table's file when somebody asks for the table: until
// then it serves, replicates and says nothing. (MySQL tells by information_schema.INNODB_TABLESPACES.)
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "sql/rows.h"

namespace holdfast::engine::mariadb {

/// "crm/documents": definitions of InnoDB tables that are not partitioned, beside which no file of the table lies, and
/// so again 0.3 s later, for a table that is being made, renamed or dropped. Names as files have them, at most 64. It
/// may lie in the system tablespace: the server knows. Reads directories, and 4 bytes of such definitions; nothing
/// else.
std::vector<std::string> tables_without_file(const std::string& data_dir);

/// Those of them that have a file of their own by the server's dictionary, unless it was discarded on purpose. Reads a
/// row of each. Errors: as of a query.
Result<std::vector<std::string>> that_should_have_one(const std::vector<std::string>& tables, const sql::Target& target,
                                                      Deadline deadline, std::stop_token stop = {});

}  // namespace holdfast::engine::mariadb
