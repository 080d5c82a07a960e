// One member, read at one point of its history: a transaction that sees a single snapshot, and the position it stands
// at.
//
// Nothing is locked, paused or written: the position is read before and after the snapshot was taken, and counts only
// when both are equal (MariaDB says it exactly). A commit may become visible a moment before or after its position
// moves, so a difference found at one point is a suspicion until a second point shows it too.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "cluster/types.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::compare {

/// Not thread-safe. The snapshot ends with the object.
class Session {
 public:
  /// Connects and prepares the session; no snapshot yet.
  static Result<std::unique_ptr<Session>> connect(cluster::Engine engine, sql::Target target, Deadline deadline,
                                                  std::stop_token stop);

  /// Takes a snapshot. Its position in a normal form, or nullopt when the member committed in the moment it was taken
  /// (call again: the snapshot before is given up).
  Result<std::optional<std::string>> take(Deadline deadline, std::stop_token stop);

  /// Runs a statement inside the snapshot; `database` matters for PostgreSQL alone.
  Result<sql::Rows> query(const std::string& database, const std::string& statement, Deadline deadline,
                          std::stop_token stop);

  /// How many it holds open on the server.
  size_t connections() const { return mysql_ ? 1 : databases_.size(); }

 private:
  Session(cluster::Engine engine, sql::Target target) : engine_(engine), target_(std::move(target)) {}
  Result<std::optional<std::string>> take_mariadb(Deadline deadline, std::stop_token stop);
  /// `position` is a query whose column p is compared before and after.
  Result<std::optional<std::string>> take_between(const std::string& begin, const std::string& position,
                                                  Deadline deadline, std::stop_token stop);
  Result<std::optional<std::string>> take_postgres(Deadline deadline, std::stop_token stop);
  Status connect_databases(Deadline deadline, std::stop_token stop);

  cluster::Engine engine_;
  sql::Target target_;
  std::optional<sql::MariadbConnection> mysql_;
  std::map<std::string, sql::PostgresConnection> databases_;  ///< PostgreSQL: each with a snapshot of its own
  bool in_snapshot_ = false;
};

/// GTIDs in one order and without blanks, so that equal positions are equal texts. Pure.
std::string normal_position(std::string text);

}  // namespace holdfast::compare
