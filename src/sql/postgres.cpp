#include "sql/postgres.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "sql/transport.h"
#include "sys/act_as.h"
#include "sys/process.h"

namespace holdfast::sql {

namespace {

/// Whether what has come asks for the password as it is, for libpq before 16, which hands it to whoever asks: where
/// nothing is encrypted, its requests can be read before it does.
bool asks_for_password(int fd) {
  constexpr size_t kHead = 9;  // type, length, for 'R' the method
  std::array<uint8_t, 8192> come;
  const ssize_t got = ::recv(fd, come.data(), come.size(), MSG_PEEK | MSG_DONTWAIT);
  const auto number = [&](size_t at) {
    return uint32_t{come[at]} << 24 | uint32_t{come[at + 1]} << 16 | uint32_t{come[at + 2]} << 8 | come[at + 3];
  };
  for (size_t at = 0; got > 0 && at + kHead <= static_cast<size_t>(got);) {
    if (come[at] == 'R' && number(at + 5) == 3) return true;  // AuthenticationCleartextPassword
    at += 1 + size_t{number(at + 1)};
  }
  return false;
}

}  // namespace

struct PostgresConnection::State {
  PGconn* conn = nullptr;
  bool broken = false;

  ~State() { close(); }
  void close() {
    if (conn) PQfinish(conn);
    conn = nullptr;
  }
  Error lost(Error error) {
    broken = true;
    close();
    return error;
  }
  Error timeout() {
    return lost(Error{ErrorClass::unavailable, "sql.timeout", "the server did not answer in time", {}, {}});
  }

  static std::string trimmed(const char* text) {
    std::string result(text ? text : "");
    while (!result.empty() && (result.back() == '\n' || result.back() == ' ')) result.pop_back();
    return result;
  }

  Error connect_error(const Target& target) {
    std::string message = trimmed(PQerrorMessage(conn));
    Error error{ErrorClass::unavailable, "sql.unreachable", message, {}, {}};
    if (message.find("authentication failed") != message.npos || message.find("no password supplied") != message.npos ||
        message.find("pg_hba.conf") != message.npos || message.find("is not permitted to log in") != message.npos ||
        (message.find("role \"") != message.npos && message.find("does not exist") != message.npos) ||
        message.find("permission denied for database") != message.npos) {
      error.error_class = ErrorClass::refused;
      error.id = "sql.denied";
      error.hint = denied_hint(target);
      if (message.find("no encryption") != message.npos || message.find("SSL off") != message.npos)
        error.hint = "its pg_hba.conf may ask for TLS: spec.tls: {required: true, ca: FILE} in the cluster's resource";
    } else if (message.find("SSL") != message.npos || message.find("certificate") != message.npos) {
      error = tls_error(message);
    }
    return error;
  }

  Error result_error(PGresult* result) {
    if (PQstatus(conn) == CONNECTION_BAD)
      return lost(Error{ErrorClass::unavailable, "sql.lost", trimmed(PQerrorMessage(conn)), {}, {}});
    const char* code = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
    const char* text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : nullptr;
    return Error{ErrorClass::failed,
                 "sql.error",
                 fmt::format("[{}] {}", code ? code : "?", text ? std::string(text) : trimmed(PQerrorMessage(conn))),
                 {},
                 {}};
  }

  /// Sends what is pending and waits for input until a result is complete.
  Status pump(Deadline deadline, std::stop_token stop) {
    for (;;) {
      int pending = PQflush(conn);
      if (pending < 0) return fail(result_error(nullptr));
      if (!pending && !PQisBusy(conn)) return {};
      auto ready = sys::wait_fd(PQsocket(conn), static_cast<short>(POLLIN | (pending ? POLLOUT : 0)), deadline, stop);
      if (!ready) return fail(lost(std::move(ready).error()));
      if (!*ready) return fail(timeout());
      if (!PQconsumeInput(conn)) return fail(result_error(nullptr));
    }
  }
};

PostgresConnection::PostgresConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
PostgresConnection::PostgresConnection(PostgresConnection&&) noexcept = default;
PostgresConnection& PostgresConnection::operator=(PostgresConnection&&) noexcept = default;
PostgresConnection::~PostgresConnection() = default;

Result<PostgresConnection> PostgresConnection::connect(const Target& target, Deadline deadline, std::stop_token stop) {
  if (!target.database.empty()) return connect_to(target.database, target, deadline, stop);
  auto done = connect_to("postgres", target, deadline, stop);
  // A server can do without it; what all new databases are copied from is always there.
  if (done || done.error().message.find("database \"postgres\"") == std::string::npos) return done;
  auto other = connect_to("template1", target, deadline, stop);
  return other ? std::move(other) : std::move(done);
}

Result<PostgresConnection> PostgresConnection::connect_to(const std::string& database, const Target& target,
                                                          Deadline deadline, const std::stop_token& stop) {
  const Transport transport = TRY(transport_of(target));
  const sys::ActAs as_peer(peer_of(target), sys::ActAs::Before::peers);
  const auto [host, port] = postgres_address(target);
  const auto opened = [&](bool utf8) -> Result<std::unique_ptr<State>> {
    auto state = std::make_unique<State>();
    std::vector<const char*> keys, values;
    auto set = [&](const char* key, const std::string& value) {
      keys.push_back(key);
      values.push_back(value.c_str());
    };
    const std::string encoding = "UTF8", none = "/nonexistent", yes = "true";
    const auto settings = postgres_transport(target, transport);
    set("host", host);
    set("port", port);
    set("user", target.user);
    keys.push_back("password");
    values.push_back(target.password.reveal().data());  // not a copy; a std::string ends with NUL
    set("dbname", database);
    set("application_name", target.app_name);
    if (utf8) set("client_encoding", encoding);
    if (target.replication) set("replication", yes);
    set("passfile", none);
    for (const auto& [key, value] : settings) set(key, value);
    const std::string methods = "scram-sha-256,md5,gss,sspi,none";
    if (transport != Transport::verified_tls && PQlibVersion() >= 160000) set("require_auth", methods);
    keys.push_back(nullptr);
    values.push_back(nullptr);
    state->conn = PQconnectStartParams(keys.data(), values.data(), 0);
    if (!state->conn) return fail(ErrorClass::bug, "sql.init", "libpq gave no connection object");
    if (PQstatus(state->conn) == CONNECTION_BAD) return fail(state->connect_error(target));
    auto want = PGRES_POLLING_WRITING;
    for (;;) {
      if (want == PGRES_POLLING_OK) break;
      if (want == PGRES_POLLING_FAILED) return fail(state->connect_error(target));
      short events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT;
      auto ready = sys::wait_fd(PQsocket(state->conn), events, deadline, stop);
      if (!ready) return fail(state->lost(std::move(ready).error()));
      if (!*ready) return fail(state->timeout());
      if (transport != Transport::verified_tls && asks_for_password(PQsocket(state->conn)))
        return fail(
            state->lost(Error{ErrorClass::refused,
                              "sql.denied",
                              "the server asks for the password in clear text",
                              "let its pg_hba.conf ask by scram-sha-256, or spec.tls of the cluster's resource be "
                              "{required: true, ca: FILE}",
                              {}}));
      want = PQconnectPoll(state->conn);
    }
    return state;
  };
  auto done = opened(true);
  // An encoding with no conversion to UTF-8: its own is spoken.
  if (!done && done.error().message.find("MULE_INTERNAL") != std::string::npos) done = opened(false);
  auto state = TRY(std::move(done));
  PQsetnonblocking(state->conn, 1);
  PQsetNoticeProcessor(state->conn, [](void*, const char*) {}, nullptr);
  // The standby refuses every statement where server, database or role make "serializable" the default.
  const char* standby = PQparameterStatus(state->conn, "in_hot_standby");
  PostgresConnection connection(std::move(state));
  if (standby && std::string_view(standby) == "on" && !target.replication)
    TRY(connection.query("SET default_transaction_isolation = 'read committed'", deadline, stop));
  return connection;
}

Result<Rows> PostgresConnection::query(std::string_view statement, Deadline deadline, std::stop_token stop) {
  State& s = *state_;
  if (s.broken) return fail(ErrorClass::unavailable, "sql.lost", "the connection was lost earlier");
  if (!PQsendQuery(s.conn, std::string(statement).c_str())) return fail(s.result_error(nullptr));
  Rows rows;
  std::optional<Error> error;
  for (;;) {
    TRY_VOID(s.pump(deadline, stop));
    PGresult* result = PQgetResult(s.conn);
    if (!result) break;
    auto status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_SINGLE_TUPLE) {
      rows.columns.clear();
      rows.rows.clear();
      int columns = PQnfields(result), count = PQntuples(result);
      for (int c = 0; c < columns; ++c) rows.columns.emplace_back(PQfname(result, c));
      rows.rows.reserve(static_cast<size_t>(count));
      for (int r = 0; r < count; ++r) {
        Row row(static_cast<size_t>(columns));
        for (int c = 0; c < columns; ++c)
          if (!PQgetisnull(result, r, c))
            row[static_cast<size_t>(c)].emplace(PQgetvalue(result, r, c),
                                                static_cast<size_t>(PQgetlength(result, r, c)));
        rows.rows.push_back(std::move(row));
      }
    } else if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
      if (!error) error = s.result_error(result);
      if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) s.broken = true;
    }
    if (const char* affected = PQcmdTuples(result); affected && *affected)
      rows.affected = std::strtoull(affected, nullptr, 10);
    PQclear(result);
    if (s.broken) break;
  }
  if (error) return fail(std::move(*error));
  return rows;
}

Status PostgresConnection::start_copy(std::string_view statement, Deadline deadline, std::stop_token stop) {
  State& s = *state_;
  if (s.broken) return fail(ErrorClass::unavailable, "sql.lost", "the connection was lost earlier");
  if (!PQsendQuery(s.conn, std::string(statement).c_str())) return fail(s.result_error(nullptr));
  TRY_VOID(s.pump(deadline, stop));
  PGresult* result = PQgetResult(s.conn);
  if (PQresultStatus(result) == PGRES_COPY_IN) {
    PQclear(result);
    return {};
  }
  Error error = s.result_error(result);
  PQclear(result);
  while (s.conn && (result = PQgetResult(s.conn))) PQclear(result);
  return fail(std::move(error));
}

Status PostgresConnection::send_copy(std::string_view rows, Deadline deadline, std::stop_token stop) {
  State& s = *state_;
  if (s.broken) return fail(ErrorClass::unavailable, "sql.lost", "the connection was lost earlier");
  constexpr size_t kPiece = 1 << 20;  // libpq counts in int, and holds what is not sent yet
  for (; !rows.empty(); rows.remove_prefix(std::min(rows.size(), kPiece))) {
    const std::string_view piece = rows.substr(0, kPiece);
    int sent;
    while ((sent = PQputCopyData(s.conn, piece.data(), static_cast<int>(piece.size()))) == 0)
      TRY_VOID(s.pump(deadline, stop));
    if (sent < 0) return fail(s.result_error(nullptr));
    // Flushed here, so that a large load never piles up in libpq's memory.
    for (int pending; (pending = PQflush(s.conn)) != 0;) {
      if (pending < 0) return fail(s.result_error(nullptr));
      auto ready = sys::wait_fd(PQsocket(s.conn), POLLIN | POLLOUT, deadline, stop);
      if (!ready) return fail(s.lost(std::move(ready).error()));
      if (!*ready) return fail(s.timeout());
      if (!PQconsumeInput(s.conn)) return fail(s.result_error(nullptr));
    }
  }
  return {};
}

Result<uint64_t> PostgresConnection::end_copy(Deadline deadline, std::stop_token stop) {
  State& s = *state_;
  if (s.broken) return fail(ErrorClass::unavailable, "sql.lost", "the connection was lost earlier");
  while (PQputCopyEnd(s.conn, nullptr) == 0) TRY_VOID(s.pump(deadline, stop));
  uint64_t rows = 0;
  std::optional<Error> error;
  for (;;) {
    TRY_VOID(s.pump(deadline, stop));
    PGresult* result = PQgetResult(s.conn);
    if (!result) break;
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
      rows = std::strtoull(PQcmdTuples(result), nullptr, 10);
    else if (!error)
      error = s.result_error(result);
    PQclear(result);
    if (s.broken) break;
  }
  if (error) return fail(std::move(*error));
  return rows;
}

Result<uint64_t> PostgresConnection::copy_in(std::string_view statement,
                                             const std::function<std::string_view()>& produce, Deadline deadline,
                                             std::stop_token stop) {
  TRY_VOID(start_copy(statement, deadline, stop));
  for (auto chunk = produce(); !chunk.empty(); chunk = produce()) TRY_VOID(send_copy(chunk, deadline, stop));
  return end_copy(deadline, stop);
}

int PostgresConnection::server_version() const {
  return state_->conn ? PQserverVersion(state_->conn) : 0;
}
std::string PostgresConnection::database() const {
  return PQdb(state_->conn);
}

bool PostgresConnection::is_lost() {
  if (!state_ || state_->broken || !state_->conn) return true;
  // A server that ends a session says so, and closes it then.
  for (int look = 0; look < 3 && PQstatus(state_->conn) == CONNECTION_OK; ++look) {
    const auto come = sys::wait_fd(PQsocket(state_->conn), POLLIN, Deadline::in(std::chrono::milliseconds(0)));
    if (!come || !*come) break;
    if (!PQconsumeInput(state_->conn)) break;
    (void)PQisBusy(state_->conn);  // takes in what it says
  }
  return PQstatus(state_->conn) != CONNECTION_OK;
}

int PostgresConnection::backend_pid() const {
  return state_->conn ? PQbackendPID(state_->conn) : 0;
}

}  // namespace holdfast::sql
