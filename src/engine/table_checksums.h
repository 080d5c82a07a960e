// Checksums of the tables of users, each by one statement inside the caller's snapshot: taken of a source while it is
// dumped, and of a restored server to compare. Which columns count and how, the catalogue at hand says, so both sides
// ask alike. Columns in the order of their names: a dump may bring them back in another one.
#pragma once

#include <functional>
#include <future>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "cluster/types.h"
#include "engine/checksum_results.h"
#include "sql/rows.h"

namespace holdfast::engine {

struct ChecksumShape {
  TableName name;
  bool history = false;
  std::string statement;  ///< selects n and s; empty: `why_not` says why
  std::string why_not;
};

/// Runs a statement inside the session whose rows count. Called by one thread at a time.
using AskSession = std::function<Result<sql::Rows>(const std::string& statement, std::stop_token stop)>;

/// Tables of MariaDB or MySQL. `history`: system-versioned tables that are summed with their former rows.
Result<std::vector<ChecksumShape>> mysql_checksum_shapes(cluster::Engine engine, const AskSession& ask,
                                                         const std::function<bool(const TableName&)>& history,
                                                         std::stop_token stop);
/// Tables of the PostgreSQL database the session is in, and its large objects as one table pg_catalog.pg_largeobject.
Result<std::vector<ChecksumShape>> postgres_checksum_shapes(const AskSession& ask, const std::string& database,
                                                            std::stop_token stop);

/// One after the other, each under a savepoint, so that no lock of a table stays. A table that fails is in `without`.
/// An error only when `stop` was requested or the session is lost.
Result<ChecksumResults> take_checksums(const std::vector<ChecksumShape>& shapes, const AskSession& ask,
                                       std::stop_token stop);

/// Work that runs beside a dump. The destructor stops it and waits.
class BackgroundChecksums {
 public:
  using Work = std::function<Result<ChecksumResults>(std::stop_token)>;
  explicit BackgroundChecksums(Work work);
  /// Waits for the end. "sys.interrupted" when `stop` is requested before. Called once.
  Result<ChecksumResults> finish(const std::stop_token& stop);

 private:
  std::promise<Result<ChecksumResults>> promise_;
  std::future<Result<ChecksumResults>> outcome_ = promise_.get_future();
  std::jthread thread_;
};

}  // namespace holdfast::engine
