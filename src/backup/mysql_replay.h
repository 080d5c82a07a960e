// A dump of MariaDB or MySQL, run statement by statement over a connection of our own. Nothing in a dump reaches a
// client program, whose commands could start others.
//
// A statement that fails is noted with the object it is about, and the rest goes on; what remains is for the caller to
// accept or not. What belongs to an object that could not be created is left out with it.
#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "backup/replay_choices.h"
#include "base/result.h"
#include "sql/rows.h"

namespace holdfast::backup {

class MysqlReplay {
 public:
  static Result<std::unique_ptr<MysqlReplay>> begin(const sql::Target& target, ReplayChoices choices,
                                                    std::stop_token stop);
  virtual ~MysqlReplay() = default;

  /// The next bytes of the dump. "backup.replay_failed" (failed) when the server itself gave up; its errors about one
  /// object are in the report.
  virtual Status feed(std::string_view bytes) = 0;
  /// Adds what failed and what was skipped.
  virtual void report(ReplayReport& report) const = 0;
};

/// How --skip and reports name what a statement is about: "shop: TABLE orders", "shop: TABLE DATA orders", "DATABASE
/// shop", "ACCOUNT app@%"; the statement's first words where it has no object. `database`: the one in use. Pure.
std::string mysql_label(std::string_view statement, const std::string& database);

}  // namespace holdfast::backup
