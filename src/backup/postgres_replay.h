// A PostgreSQL dump, run statement by statement over a connection of our own. No psql: nothing in a dump can reach a
// shell, a file of this machine or another server; of psql's commands only \connect to a database is obeyed.
//
// A statement that fails is noted with the object it belongs to, and the rest goes on: what depends on data or
// functions that come later in the dump succeeds in another round. What remains is for the caller to accept or not.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "backup/replay_choices.h"
#include "base/result.h"
#include "sql/rows.h"

namespace holdfast::backup {

class PostgresReplay {
 public:
  /// `tablespace_dir`: where tablespaces without a place of their own choice go, each in a folder.
  static Result<std::unique_ptr<PostgresReplay>> begin(const sql::Target& target, ReplayChoices choices,
                                                       std::string tablespace_dir, Say say, std::stop_token stop);
  virtual ~PostgresReplay() = default;

  /// The next bytes of the dump. "restore.meta_command" (refused) for a command that pg_dump does not write.
  virtual Status feed(std::string_view bytes) = 0;
  /// The whole dump was fed. True: what failed is to be tried again, feed the dump once more.
  virtual Result<bool> another_round() = 0;
  /// Adds what failed and what was skipped.
  virtual void report(ReplayReport& report) const = 0;
};

// Pure parts.

/// Whether a statement of the dump's head is to be left out: CREATE ROLE of a role that exists; the ALTER ROLE behind
/// it says everything. Names are quoted as quote_ident() quotes them.
bool is_unwanted_role_statement(std::string_view statement, const std::set<std::string>& existing);

/// ALTER ROLE ... WITH of the role we work as, without what could keep out the next connection: it stays a superuser
/// that may log in, and its password is not the one of the backup's time.
struct OwnRoleStatement {
  std::string text;         ///< without the semicolon; "" when nothing is left of it
  std::string valid_until;  ///< a literal
};
std::optional<OwnRoleStatement> own_role_statement(std::string_view statement, const std::string& own);

/// "INDEX public.orders_idx" of "-- Name: orders_idx; Type: INDEX; Schema: public; Owner: shop"; "" for other comments.
std::string object_label(std::string_view comment);

/// CREATE TABLESPACE name OWNER o LOCATION 'place';
struct TablespaceStatement {
  std::string name, place;
  std::string before, after;  ///< the text around the literal
};
std::optional<TablespaceStatement> tablespace_statement(std::string_view statement);

}  // namespace holdfast::backup
