// The servers a dump of the MySQL family is made from: the one that is read, and the primary, because some objects are
// of one server alone (CREATE SERVER, plug-ins, resource groups) and an event's status on a replica is not its own.
#pragma once

#include <chrono>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include "engine/dump.h"
#include "engine/mysql_family/framed_output.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

struct Sources {
  sql::MariadbConnection& source;
  std::optional<sql::MariadbConnection>& primary;  ///< empty: `source` is the primary, or the primary did not answer
  std::vector<sql::MariadbConnection>& nodes;      ///< Galera: other members, as far as they answered
  bool is_replica = false;
  bool all_nodes = true;  ///< every member answered
  std::stop_token stop;

  /// Where objects of the primary alone are read.
  sql::MariadbConnection& truth() const { return primary ? *primary : source; }
  /// What `truth()` says may not be the primary's.
  bool primary_unknown() const { return is_replica && !primary; }

  static Deadline soon() { return Deadline::in(std::chrono::seconds(60)); }
  Result<sql::Rows> ask_source(std::string_view statement) const { return source.query(statement, soon(), stop); }
  Result<sql::Rows> ask_truth(std::string_view statement) const { return truth().query(statement, soon(), stop); }
};

/// Connections a dump needs beside its own.
struct Peers {
  std::optional<sql::MariadbConnection> primary;
  std::vector<sql::MariadbConnection> nodes;
  bool all_nodes = true;
};
/// To request.primary and request.nodes, as far as they answer.
Peers connect_peers(const DumpRequest& request, std::stop_token stop);

/// Schemas that belong to the server, for "... NOT IN " of the catalogue's queries.
inline constexpr std::string_view kSystemSchemas = "('mysql','information_schema','performance_schema','sys')";
/// Storage engines whose tables hold rows of their own, for "... IN ".
inline constexpr std::string_view kEnginesWithRows = "('InnoDB','MyISAM','Aria','MEMORY','ROCKSDB','ARCHIVE','CSV')";

}  // namespace holdfast::engine
