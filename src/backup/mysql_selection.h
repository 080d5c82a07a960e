// Of a dump of MariaDB or MySQL the statements that are about some of its databases. What belongs to the server
// (accounts, plug-ins, settings, tablespaces), to other databases or to replication is left out. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace holdfast::backup {

class MysqlSelection {
 public:
  explicit MysqlSelection(std::set<std::string> databases) : databases_(std::move(databases)) {}

  /// Whether the next statement of the dump is one of them; settings of the session are. Each statement is asked once,
  /// in order: a USE holds for those behind it.
  bool takes(std::string_view statement);

 private:
  bool takes_object(std::string_view statement) const;
  bool takes_setting(std::string_view statement);

  const std::set<std::string> databases_;
  bool here_ = false;      ///< the database in use is one of them
  bool prepared_ = false;  ///< the statement in @holdfast is
};

/// The databases that every server has of its own.
bool is_mysql_system_database(std::string_view name);

}  // namespace holdfast::backup
