// Where a restore over SQL works: one server that accepts writes, asked and changed through nothing but SQL. One
// implementation for PostgreSQL and one for MariaDB and MySQL; why they differ: docs/decisions/0028.
//
// Content that is replaced is kept on the server until the new one is proved. What is kept, and what is not finished,
// has a name that begins with kRemainsPrefix, so that another run recognises it after a crash of this one.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "backup/dump_content.h"
#include "sql/rows.h"

namespace holdfast::backup {

inline constexpr const char* kRemainsPrefix = "holdfast_restore";

/// What is to be loaded, into what.
struct PlaceRequest {
  std::vector<const DumpedDatabase*> databases;
  std::set<std::string> replaced;     ///< of them: those that are there, and may be replaced
  std::map<std::string, bool> roles;  ///< DumpContent::roles
  std::string snapshot;
  bool keep_going = false;  ///< ReplayChoices::keep_going
  Say say;
};

struct PlaceView {
  std::string version;               ///< of the server
  bool read_only = false;            ///< it is no primary for ordinary clients
  std::set<std::string> databases;   ///< that are there, without remains
  std::vector<std::string> remains;  ///< of an unfinished restore: sentences
};

class SqlPlace {
 public:
  virtual ~SqlPlace() = default;

  /// "restore.in_progress" (conflict) while another restore works on the server. Changes nothing.
  virtual Result<PlaceView> look() = 0;
  /// Undoes a restore that was cut off, or removes what one that was proved had kept.
  virtual Status undo_remains(const Say& say) = 0;
  /// Refuses what could not be done: "restore.missing_rights", "restore.missing_roles", "restore.database_in_use".
  /// Changes nothing.
  virtual Status check(const PlaceRequest& request) = 0;
  /// Makes an empty database for each that is to be loaded. "restore.database_appeared" (conflict) for one that was
  /// created since look(). After a failure undo() is called all the same.
  virtual Status prepare(const PlaceRequest& request) = 0;
  /// From the name in the dump to the one on the server until publish().
  virtual const std::map<std::string, std::string>& names() const = 0;
  /// The new content is proved: from here on it is what counts. What the request goes on without. After a failure
  /// undo() is called all the same.
  virtual Result<std::vector<FailedObject>> publish() = 0;
  /// Removes what was kept. Sentences about what could not be removed.
  virtual std::vector<std::string> drop_old() = 0;
  /// Everything as it was before prepare(); never cut short.
  virtual Status undo() = 0;
};

/// Connects. Errors: those of sql::*Connection::connect().
Result<std::unique_ptr<SqlPlace>> open_postgres_place(const sql::Target& target, std::stop_token stop);
Result<std::unique_ptr<SqlPlace>> open_mysql_place(const sql::Target& target, std::stop_token stop);

/// "restore.missing_rights" (refused) with what the account lacks; none missing: fine.
Status need_rights(const std::vector<std::string>& missing, const std::string& statements);

}  // namespace holdfast::backup
