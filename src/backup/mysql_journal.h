// What a restore over SQL has done to databases of a MariaDB or MySQL server, written there before it is done, so that
// another run can undo it.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/mysql_programs.h"
#include "sql/mariadb.h"

namespace holdfast::backup {

/// recorded: its tables are where they were, or on the way from there or back. moved: they are kept, and the database
/// holds what is loaded. proved: what is loaded counts, and what is kept may go.
enum class RestoreStage { recorded, moved, proved };

struct RestoreRecord {
  std::string database;
  std::string kept;    ///< the database that its tables are moved to; "" = there was no such database
  std::string create;  ///< CREATE DATABASE IF NOT EXISTS of what was there
  MysqlPrograms programs;
  RestoreStage stage = RestoreStage::recorded;
};

class MysqlJournal {
 public:
  explicit MysqlJournal(sql::MariadbConnection& connection) : connection_(connection) {}

  /// "restore.in_progress" (conflict) when it is there already.
  Status create();
  Result<std::vector<RestoreRecord>> read();
  Status add(const RestoreRecord& record);
  Status set_stage(const std::string& database, RestoreStage stage);
  /// Of all of them, in one statement.
  Status all_proved();
  Status remove(const std::string& database);
  Status drop();

 private:
  Status run(const std::string& statement);
  sql::MariadbConnection& connection_;
};

}  // namespace holdfast::backup
