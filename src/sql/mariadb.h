// One connection to a MariaDB or MySQL server (libmariadb), every step bounded by a deadline and a stop request.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "sql/rows.h"

namespace holdfast::sql {

/// Not thread-safe: one thread at a time. After "sql.timeout", "sql.lost" or "sys.interrupted" the connection is closed
/// and every later call answers "sql.lost": what the server did with the statement is then unknown.
class MariadbConnection {
 public:
  MariadbConnection(MariadbConnection&&) noexcept;
  MariadbConnection& operator=(MariadbConnection&&) noexcept;
  ~MariadbConnection();

  /// Connects and signs in. A host name is resolved by the system's resolver, which no deadline reaches; an address is
  /// not. With or without TLS: sql/transport.h.
  static Result<MariadbConnection> connect(const Target& target, Deadline deadline, std::stop_token stop = {});

  /// Runs one statement and keeps all its rows in memory.
  Result<Rows> query(std::string_view statement, Deadline deadline, std::stop_token stop = {});
  /// The same, row by row: `on_row` returning false ends the reading (and the connection).
  Status stream(std::string_view statement, const std::function<bool(const Row&)>& on_row, Deadline deadline,
                std::stop_token stop = {});

  /// "10.11.19-MariaDB-..." or "9.7.4"
  std::string server_version() const;
  bool is_mariadb() const;
  uint64_t last_insert_id() const;
  /// The server's id of this connection (for KILL).
  uint64_t thread_id() const;

 private:
  struct State;
  explicit MariadbConnection(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::sql
