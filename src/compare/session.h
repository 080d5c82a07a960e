// One member, read at one point of its history: a transaction that sees a single snapshot, and the position it stands
// at.
//
// Nothing is locked, paused or written. MariaDB says its snapshot's position; MySQL's and Galera's is read before and
// after it was taken, and counts only when both are equal: a commit may be visible a moment before the position moves,
// so a difference found at one point is a suspicion until others show it too. PostgreSQL's position tells too little
// (a commit is logged, replayed on the standbys, and shown by the primary last of all), so there the transactions that
// the snapshots show are compared.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::compare {

/// Which transactions a snapshot of PostgreSQL shows: those below `next` that committed and are not in `running`.
struct Visible {
  uint64_t lsn = 0;               ///< a reference's are logged below it; a follower has replayed all below it
  uint64_t next = 0;              ///< the first transaction id that had not ended
  std::vector<uint64_t> running;  ///< a reference's ids below `next` that had not ended, without subtransactions
  std::optional<std::vector<uint64_t>> maybe_running;  ///< a follower's, and some that ended; nullopt: too many to ask
};

/// The member the others are compared with, or one of these.
enum class Role { reference, follower };

/// Not thread-safe. The snapshot ends with the object.
class Session {
 public:
  /// Connects and prepares the session; no snapshot yet. A session of PostgreSQL sees the target's database alone.
  static Result<std::unique_ptr<Session>> connect(cluster::Engine engine, sql::Target target, Deadline deadline,
                                                  std::stop_token stop);

  /// Takes a snapshot. Its position in a normal form, or nullopt when the member committed in the moment it was taken
  /// (call again: the snapshot before is given up).
  Result<std::optional<std::string>> take(Role role, Deadline deadline, std::stop_token stop);

  /// PostgreSQL: what the snapshot shows. The next two are how a follower learns that it shows what a reference shows.
  const Visible& visible() const { return visible_; }
  /// A follower's: one of the transactions it shows and the reference does not.
  Result<std::optional<uint64_t>> shows_beyond(const Visible& reference, Deadline deadline, std::stop_token stop);
  /// A reference's: one of the transactions it shows and the follower might not.
  Result<std::optional<uint64_t>> shows_beyond_follower(const Visible& follower, Deadline deadline,
                                                        std::stop_token stop);

  /// Takes over what another session of the same member holds: further databases of PostgreSQL.
  void join(Session&& other) { databases_.merge(other.databases_); }

  /// Runs a statement inside the snapshot; `database` matters for PostgreSQL alone.
  Result<sql::Rows> query(const std::string& database, const std::string& statement, Deadline deadline,
                          std::stop_token stop);

 private:
  Session(cluster::Engine engine, sql::Target target) : engine_(engine), target_(std::move(target)) {}
  Result<std::optional<std::string>> take_mariadb(Deadline deadline, std::stop_token stop);
  /// `position` is a query whose column p is compared before and after.
  Result<std::optional<std::string>> take_between(const std::string& begin, const std::string& position,
                                                  Deadline deadline, std::stop_token stop);
  Result<std::optional<std::string>> take_postgres(Role role, Deadline deadline, std::stop_token stop);

  cluster::Engine engine_;
  sql::Target target_;
  std::optional<sql::MariadbConnection> mysql_;
  std::map<std::string, sql::PostgresConnection> databases_;  ///< PostgreSQL, by name
  Visible visible_;
  bool in_snapshot_ = false;
};

/// GTIDs in one order and without blanks, so that equal positions are equal texts. Pure.
std::string normal_position(std::string text);

}  // namespace holdfast::compare
