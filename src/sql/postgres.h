// One connection to a PostgreSQL server (libpq), every step bounded by a deadline and a stop request.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "sql/rows.h"

namespace holdfast::sql {

/// Not thread-safe. After "sql.timeout", "sql.lost" or "sys.interrupted" the connection is closed and every later call
/// answers "sql.lost": what the server did with the statement is then unknown.
class PostgresConnection {
 public:
  PostgresConnection(PostgresConnection&&) noexcept;
  PostgresConnection& operator=(PostgresConnection&&) noexcept;
  ~PostgresConnection();

  /// Connects and signs in; target.database defaults to "postgres", and to "template1" where that is not there. How:
  /// sql/transport.h; the password is handed over as it is over verified TLS only.
  static Result<PostgresConnection> connect(const Target& target, Deadline deadline, std::stop_token stop = {});

  /// Runs one or more statements; the rows of the last one that has any are kept.
  Result<Rows> query(std::string_view statement, Deadline deadline, std::stop_token stop = {});

  /// COPY ... FROM STDIN: calls `produce` for chunks until it gives an empty one. Returns the rows copied.
  Result<uint64_t> copy_in(std::string_view statement, const std::function<std::string_view()>& produce,
                           Deadline deadline, std::stop_token stop = {});

  /// The same in steps, for rows that are handed in as they come: start, any number of pieces cut anywhere, end. An
  /// error of the server shows at the end. No other statement in between.
  Status start_copy(std::string_view statement, Deadline deadline, std::stop_token stop = {});
  Status send_copy(std::string_view rows, Deadline deadline, std::stop_token stop = {});
  Result<uint64_t> end_copy(Deadline deadline, std::stop_token stop = {});

  /// 150020 for 15.20
  int server_version() const;
  int backend_pid() const;
  /// The one it is connected to.
  std::string database() const;
  /// Broken, given up, or ended by the server while nothing was asked (idle_session_timeout): every call answers
  /// "sql.lost". Takes what has come, waits for nothing.
  bool is_lost();

 private:
  struct State;
  explicit PostgresConnection(std::unique_ptr<State> state);
  static Result<PostgresConnection> connect_to(const std::string& database, const Target& target, Deadline deadline,
                                               const std::stop_token& stop);
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::sql
