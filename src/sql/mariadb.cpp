#include "sql/mariadb.h"

#include <errmsg.h>
#include <fmt/format.h>
#include <mysql.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "sql/transport.h"
#include "sys/act_as.h"
#include "sys/process.h"

namespace holdfast::sql {

namespace {

void init_library() {
  static std::once_flag once;
  std::call_once(once, [] { mysql_library_init(0, nullptr, nullptr); });
}

/// Whether somebody is bound to this socket. libmariadb (3.3, non-blocking) closes its descriptor twice when connect(2)
/// to a unix socket fails, and by then the number may be another thread's: what would fail must not get that far. A
/// datagram socket is refused as the wrong type where a server listens, without the server noticing anything.
Status check_bound(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorClass::usage, "sql.socket_path", path + " is too long for a unix socket (107 bytes)");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  sys::Fd probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return fail(sys::errno_error(errno, "a socket for " + path));
  if (::connect(probe.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 || errno == EPROTOTYPE)
    return {};
  return fail(ErrorClass::unavailable, "sql.unreachable",
              fmt::format("[2002] no server listens on the socket {}: {}", path, std::strerror(errno)));
}

/// All but plain SELECT and SHOW: SHOW CREATE prints what sql_mode says, and a literal may have a backslash.
bool reads_or_writes_quotes(std::string_view statement) {
  const auto begins = [&](std::string_view words) {
    return statement.size() >= words.size() &&
           std::equal(words.begin(), words.end(), statement.begin(),
                      [](char word, char c) { return word == std::toupper(static_cast<unsigned char>(c)); });
  };
  if (statement.find_first_of("\\\"") != std::string_view::npos || begins("SHOW CREATE")) return true;
  return !begins("SELECT ") && !begins("SHOW ");
}

}  // namespace

struct MariadbConnection::State {
  MYSQL* mysql = nullptr;
  bool broken = false;
  bool own_mode = false;  ///< sql_mode is ours

  ~State() { close(); }
  void close() {
    if (!mysql) return;
    // A hung server must not hold us in the farewell: the socket is shut first, so nothing can block.
    if (broken) {
      my_socket fd = mysql_get_socket(mysql);
      if (fd >= 0) ::shutdown(fd, SHUT_RDWR);
    }
    mysql_close(mysql);
    mysql = nullptr;
  }

  /// Drives one non-blocking call of libmariadb: `status` from its _start, `resume` is its _cont.
  Status drive(int status, const std::function<int(int)>& resume, Deadline deadline, std::stop_token stop) {
    while (status) {
      short events = 0;
      if (status & MYSQL_WAIT_READ) events |= POLLIN;
      if (status & MYSQL_WAIT_WRITE) events |= POLLOUT;
      if (status & MYSQL_WAIT_EXCEPT) events |= POLLPRI;
      Deadline until = deadline;
      if (status & MYSQL_WAIT_TIMEOUT)
        until = deadline.at_most(std::chrono::milliseconds(mysql_get_timeout_value_ms(mysql)));
      auto ready = sys::wait_fd(mysql_get_socket(mysql), events, until, stop);
      if (!ready) {
        broken = true;
        return fail(std::move(ready).error());
      }
      if (!*ready && deadline.passed()) {
        broken = true;
        return fail(ErrorClass::unavailable, "sql.timeout", "the server did not answer in time");
      }
      status = resume(*ready ? status & ~MYSQL_WAIT_TIMEOUT : MYSQL_WAIT_TIMEOUT);
    }
    return {};
  }

  /// Hands one statement over. What quotes and backslashes mean is ours to say, not the server's: literals are written
  /// and definitions read so. A session that only looks is left as it is: triage changes nothing, not even that.
  Status send(std::string_view statement, Deadline deadline, const std::stop_token& stop) {
    if (!own_mode && reads_or_writes_quotes(statement)) {
      own_mode = true;
      TRY_VOID(hand_over("SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'", deadline, stop));
    }
    return hand_over(statement, deadline, stop);
  }
  Status hand_over(std::string_view statement, Deadline deadline, const std::stop_token& stop) {
    int error = 0;
    const int status = mysql_real_query_start(&error, mysql, statement.data(), statement.size());
    TRY_VOID(drive(status, [&](int ready) { return mysql_real_query_cont(&error, mysql, ready); }, deadline, stop));
    if (error) return fail(server_error(false));
    return {};
  }

  Error server_error(bool connecting) {
    unsigned code = mysql_errno(mysql);
    Error error{ErrorClass::failed, "sql.error", fmt::format("[{}] {}", code, mysql_error(mysql)), {}, {}};
    // Wrong, of another host (1130), expired (1862), locked (3118, of MariaDB 4151): the server answers, and says no.
    if (code == 1045 || code == 1044 || code == 1698 || code == 1251 || code == 1130 || code == 1862 || code == 3118 ||
        code == 4151) {
      error.error_class = ErrorClass::refused;
      error.id = "sql.denied";
    } else if (code == CR_SSL_CONNECTION_ERROR) {
      error = tls_error(error.message);
    } else if (code == CR_SERVER_LOST || code == CR_SERVER_GONE_ERROR || (code >= 2000 && code < 3000) ||
               code == 1040 || code == 1053 || code == 1927) {
      error.error_class = ErrorClass::unavailable;
      error.id = connecting ? "sql.unreachable" : "sql.lost";
      if (code >= 2000 && code < 3000) broken = true;
    }
    return error;
  }
};

MariadbConnection::MariadbConnection(std::unique_ptr<State> state) : state_(std::move(state)) {}
MariadbConnection::MariadbConnection(MariadbConnection&&) noexcept = default;
MariadbConnection& MariadbConnection::operator=(MariadbConnection&&) noexcept = default;
MariadbConnection::~MariadbConnection() = default;

Result<MariadbConnection> MariadbConnection::connect(const Target& target, Deadline deadline, std::stop_token stop) {
  const bool tls = TRY(transport_of(target)) == Transport::verified_tls;
  init_library();
  const sys::ActAs as_peer(peer_of(target), sys::ActAs::Before::peers);
  if (!target.socket.empty()) TRY_VOID(check_bound(target.socket));
  auto state = std::make_unique<State>();
  state->mysql = mysql_init(nullptr);
  if (!state->mysql) return fail(ErrorClass::bug, "sql.init", "libmariadb gave no connection object");
  MYSQL* mysql = state->mysql;
  mysql_options(mysql, MYSQL_OPT_NONBLOCK, nullptr);
  mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  unsigned seconds = static_cast<unsigned>(deadline.left().count() / 1000 + 1);
  mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
  mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", target.app_name.c_str());
  unsigned protocol = target.socket.empty() ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET;
  mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
  unsigned local_infile = 0;
  mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &local_infile);  // a hostile server could otherwise ask for any file
  if (tls) {
    // Only "verify" makes this library refuse a plaintext server; see the cipher check below as well.
    my_bool yes = 1;
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    mysql_options(mysql, MYSQL_OPT_SSL_CA, trusted_authorities(target).c_str());
  } else {
    my_bool no = 0;
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);  // the default of versions from 3.4 on is yes
    // A server may ask for any of its plug-ins: those that hand the password over as it is are for verified TLS alone.
    mysql_options(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                  "mysql_native_password,client_ed25519,parsec,caching_sha2_password,sha256_password,"
                  "auth_gssapi_client");
  }
  MYSQL* connected = nullptr;
  // Not a copy, and a NUL follows it. NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage)
  const char* password = target.password.reveal().data();
  int status = mysql_real_connect_start(
      &connected, mysql, target.socket.empty() ? target.host.c_str() : nullptr, target.user.c_str(), password,
      target.database.empty() ? nullptr : target.database.c_str(), static_cast<unsigned>(target.port),
      target.socket.empty() ? nullptr : target.socket.c_str(), CLIENT_MULTI_RESULTS);
  TRY_VOID(state->drive(
      status, [&](int ready) { return mysql_real_connect_cont(&connected, mysql, ready); }, deadline, stop));
  if (!connected) {
    auto error = state->server_error(true);
    if (error.id == "sql.denied") error.hint = denied_hint(target);
    state->broken = false;  // it has closed its socket: the number it still tells may be another's by now
    return fail(std::move(error));
  }
  if (tls && !mysql_get_ssl_cipher(mysql)) {
    state->broken = true;
    return fail(tls_error("the server gave a connection without TLS although TLS is required"));
  }
  return MariadbConnection(std::move(state));
}

Status MariadbConnection::stream(std::string_view statement, const std::function<bool(const Row&)>& on_row,
                                 Deadline deadline, std::stop_token stop) {
  Row row;
  State& s = *state_;
  if (s.broken) return fail(ErrorClass::unavailable, "sql.lost", "the connection was lost earlier");
  TRY_VOID(s.send(statement, deadline, stop));
  MYSQL_RES* result = mysql_use_result(s.mysql);
  if (!result) {
    if (mysql_field_count(s.mysql) != 0) return fail(s.server_error(false));
    return {};
  }
  Status outcome;
  for (;;) {
    MYSQL_ROW fetched = nullptr;
    int status = mysql_fetch_row_start(&fetched, result);
    outcome = s.drive(status, [&](int ready) { return mysql_fetch_row_cont(&fetched, result, ready); }, deadline, stop);
    if (!outcome) break;
    if (!fetched) {
      if (mysql_errno(s.mysql)) outcome = fail(s.server_error(false));
      break;
    }
    unsigned count = mysql_num_fields(result);
    unsigned long* lengths = mysql_fetch_lengths(result);
    row.resize(count);
    for (unsigned i = 0; i < count; ++i) {
      if (fetched[i])
        row[i].emplace(fetched[i], lengths[i]);
      else
        row[i].reset();
    }
    if (!on_row(row)) {
      s.broken = true;
      break;
    }
  }
  if (s.broken) {
    my_socket fd = mysql_get_socket(s.mysql);
    if (fd >= 0) ::shutdown(fd, SHUT_RDWR);  // free_result would otherwise read the rest
  }
  mysql_free_result(result);
  return outcome;
}

Result<Rows> MariadbConnection::query(std::string_view statement, Deadline deadline, std::stop_token stop) {
  State& s = *state_;
  if (s.broken) return fail(ErrorClass::unavailable, "sql.lost", "the connection was lost earlier");
  TRY_VOID(s.send(statement, deadline, stop));
  int error = 0, status = 0;
  Rows rows;
  bool first = true;
  // CALL answers with several results: the first with columns is kept, the others are read to their end.
  for (;;) {
    MYSQL_RES* result = nullptr;
    status = mysql_store_result_start(&result, s.mysql);
    TRY_VOID(
        s.drive(status, [&](int ready) { return mysql_store_result_cont(&result, s.mysql, ready); }, deadline, stop));
    if (!result && mysql_field_count(s.mysql) != 0) return fail(s.server_error(false));
    if (!result) rows.affected += mysql_affected_rows(s.mysql);
    if (result && first) {
      first = false;
      unsigned count = mysql_num_fields(result);
      MYSQL_FIELD* fields = mysql_fetch_fields(result);
      for (unsigned i = 0; i < count; ++i) rows.columns.emplace_back(fields[i].name);
      while (MYSQL_ROW fetched = mysql_fetch_row(result)) {
        unsigned long* lengths = mysql_fetch_lengths(result);
        Row row(count);
        for (unsigned i = 0; i < count; ++i)
          if (fetched[i]) row[i].emplace(fetched[i], lengths[i]);
        rows.rows.push_back(std::move(row));
      }
    }
    if (result) mysql_free_result(result);
    if (!mysql_more_results(s.mysql)) break;
    status = mysql_next_result_start(&error, s.mysql);
    TRY_VOID(
        s.drive(status, [&](int ready) { return mysql_next_result_cont(&error, s.mysql, ready); }, deadline, stop));
    if (error > 0) return fail(s.server_error(false));
  }
  return rows;
}

std::string MariadbConnection::server_version() const {
  return state_->mysql ? mysql_get_server_info(state_->mysql) : "";
}
bool MariadbConnection::is_mariadb() const {
  return server_version().find("MariaDB") != std::string::npos;
}
uint64_t MariadbConnection::last_insert_id() const {
  return mysql_insert_id(state_->mysql);
}
uint64_t MariadbConnection::thread_id() const {
  return mysql_thread_id(state_->mysql);
}

}  // namespace holdfast::sql
