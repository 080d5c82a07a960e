// What a query gives back, and how a connection is asked for: the same for every engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/result.h"
#include "base/secret.h"
#include "sys/user.h"

namespace holdfast::sql {

/// One row; nullopt is SQL NULL; values are the bytes the server sent (text form).
using Row = std::vector<std::optional<std::string>>;

struct Rows {
  std::vector<std::string> columns;
  std::vector<Row> rows;
  uint64_t affected = 0;

  bool empty() const { return rows.empty(); }
  /// Position of a column by name (case-insensitive); nullopt when there is none.
  std::optional<size_t> column(std::string_view name) const;
  /// Value at row/column name; empty text for NULL, a missing row or a missing column.
  std::string text(std::string_view column_name, size_t row = 0) const;
  /// The same; nullopt for NULL, a missing row or a missing column.
  std::optional<std::string> value(std::string_view column_name, size_t row = 0) const;
};

/// Where to connect and as whom. `socket` wins over host and port.
struct Target {
  std::string host;
  int port = 0;
  std::string socket;  ///< path of the unix socket file
  std::string user;
  Secret password;
  /// The unix user that connects to the socket, for servers that ask the kernel (peer, unix_socket, auth_socket), and
  /// that client programs run as there; nullopt = who we are. Takes root.
  std::optional<sys::Identity> peer;
  std::string database;
  bool tls = false;         ///< required, and the server's certificate verified; what it means: sql/transport.h
  std::string tls_ca;       ///< file of certificates to trust; empty = the system's
  bool plain_text = false;  ///< another host may be spoken to without TLS: its owner has said so by name
  std::string app_name = "holdfast";
  bool replication = false;          ///< PostgreSQL: speak to a walsender, which knows its own commands only
  std::shared_ptr<const void> keep;  ///< what the way there needs for as long as anybody has this (a tunnel)
};

/// Ids of failures (class): "sql.unreachable" (unavailable), "sql.timeout" (unavailable), "sql.denied" (refused: wrong
/// user or password), "sql.tls" and "sql.plain_text" (refused, sql/transport.h), "sql.error" (failed; the server said
/// no), "sql.lost" (unavailable: connection broke: unknown outcome). The engine's own code (1045, 42P01) stands in
/// brackets at the start of the message; error_code() takes it out.
std::string error_code(const Error& error);

/// 'text' quoted for SQL as a string literal of either family, NUL refused by the servers themselves.
std::string quote_mysql(std::string_view text);
std::string quote_postgres(std::string_view text);
/// The same of a password, for a statement that is a Secret too.
Secret quote_mysql(const Secret& text);
Secret quote_postgres(const Secret& text);
/// `name` / "name"
std::string quote_mysql_name(std::string_view name);
std::string quote_postgres_name(std::string_view name);

}  // namespace holdfast::sql
