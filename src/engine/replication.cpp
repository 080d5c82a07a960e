#include "engine/replication.h"

#include <fmt/format.h>

#include "cluster/server_words.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/process.h"

namespace holdfast::engine {

using cluster::Engine;
using sql::MariadbConnection;
using sql::PostgresConnection;

namespace {

/// The words that differ between the two families.
struct Dialect {
  const char *status, *stop, *start, *receiving, *applying, *host, *port, *lag;
};
constexpr Dialect kMariadb{"SHOW ALL SLAVES STATUS", "STOP ALL SLAVES", "START ALL SLAVES", "Slave_IO_Running",
                           "Slave_SQL_Running",      "Master_Host",     "Master_Port",      "Seconds_Behind_Master"};
constexpr Dialect kMysql{"SHOW REPLICA STATUS", "STOP REPLICA", "START REPLICA", "Replica_IO_Running",
                         "Replica_SQL_Running", "Source_Host",  "Source_Port",   "Seconds_Behind_Source"};

const Dialect& dialect(Engine engine) {
  return engine == Engine::mysql ? kMysql : kMariadb;
}

bool transient(int number) {
  // What a starting or restarting source gives; the receiver tries again by itself.
  return number == 0 || (number >= 2002 && number <= 2013) || number == 1040 || number == 1053 || number == 1158 ||
         number == 1159 || number == 1160 || number == 1161;
}

/// The source does not want this account, or it lacks a privilege.
bool turned_away(int number) {
  return cluster::turns_account_away(number) || number == 1227;
}

}  // namespace

Status follow(Engine engine, const sql::Target& replica, const Source& source, Deadline deadline,
              std::stop_token stop) {
  const Dialect& words = dialect(engine);
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, deadline, stop); };
  const auto status = TRY(run(words.status));
  const bool follows = !status.empty() && status.text(words.host) == source.host &&
                       status.text(words.port) == std::to_string(source.port);
  if (!follows || source.renew) {
    if (!status.empty()) TRY(run(words.stop));
    if (source.demote && status.empty() && engine == Engine::mariadb)
      TRY(run("SET GLOBAL gtid_slave_pos=@@GLOBAL.gtid_current_pos"));
    const bool mysql = engine == Engine::mysql;
    const char* word = mysql ? "SOURCE" : "MASTER";
    Secret change(fmt::format("CHANGE {1} TO {0}_HOST={2}, {0}_PORT={3}, {0}_USER={4}, {0}_PASSWORD=", word,
                              mysql ? "REPLICATION SOURCE" : "MASTER", sql::quote_mysql(source.host), source.port,
                              sql::quote_mysql(source.user)));
    change.append(sql::quote_mysql(source.password))
        .append(mysql ? ", SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=1000000, "
                        "GET_SOURCE_PUBLIC_KEY=1"
                      : ", MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1");
    TRY(connection.query(change.reveal(), deadline, stop));
  }
  TRY(run(words.start));
  return {};
}

Status resume_replication(Engine engine, const sql::Target& replica, Deadline deadline, std::stop_token stop) {
  if (engine == Engine::postgres) {
    auto connection = TRY(PostgresConnection::connect(replica, deadline, stop));
    TRY(connection.query("SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery()", deadline, stop));
    return {};
  }
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  TRY(connection.query(dialect(engine).start, deadline, stop));
  return {};
}

Status reconnect_receiver(Engine engine, const sql::Target& replica, Deadline deadline, std::stop_token stop) {
  const Dialect& words = dialect(engine);
  const bool mysql = engine == Engine::mysql;
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  const auto status = TRY(connection.query(words.status, deadline, stop));
  // MariaDB throws its relay log away when the receiver starts while the applier does not run.
  if (status.rows.size() != 1 || status.text(words.applying) != "Yes")
    return fail(ErrorClass::refused, "replication.not_applying", "it does not follow one source, or does not apply");
  const std::string name = status.text(mysql ? "Channel_Name" : "Connection_name");
  if (!mysql)
    TRY(connection.query("SET @@SESSION.default_master_connection=" + sql::quote_mysql(name), deadline, stop));
  for (const char* verb : {"STOP", "START"})
    TRY(connection.query(mysql ? fmt::format("{} REPLICA IO_THREAD FOR CHANNEL {}", verb, sql::quote_mysql(name))
                               : fmt::format("{} SLAVE IO_THREAD", verb),
                         deadline, stop));
  return {};
}

bool relay_logs_missing(const Error& error) {
  return error.message.find("[1872]") != std::string::npos || error.message.find("[13124]") != std::string::npos;
}

Status fetch_logs_anew(const sql::Target& replica, const sql::Target& source, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  auto upstream = TRY(MariadbConnection::connect(source, deadline, stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, deadline, stop); };
  auto refuse = [](const std::string& why) {
    return fail(ErrorClass::refused, "replication.not_refetchable", "its relay logs cannot be thrown away: " + why,
                "rebuild the member");
  };
  // Two looks: first whether it may be stopped, then, with nothing moving, whether its logs may go.
  for (const bool stopped : {false, true}) {
    const auto status = TRY(run(kMysql.status));
    if (status.rows.size() != 1 || status.text("Auto_Position") != "1")
      return refuse("it does not follow one source by GTID");
    auto own = TRY(run("SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.server_uuid AS uuid"));
    const std::string executed = sql::quote_mysql(own.text("executed")),
                      received = sql::quote_mysql(status.text("Retrieved_Gtid_Set"));
    auto theirs = TRY(upstream.query(
        fmt::format("SELECT GTID_SUBSET({0}, @@GLOBAL.gtid_executed) AS applied, GTID_SUBSET({1}, "
                    "@@GLOBAL.gtid_executed) AS received, GTID_SUBSET(@@GLOBAL.gtid_purged, {0}) AS kept, "
                    "@@GLOBAL.server_uuid AS uuid",
                    executed, received),
        deadline, stop));
    if (const auto uuid = status.text("Source_UUID"); !uuid.empty() && uuid != theirs.text("uuid"))
      return refuse("it follows another server");
    if (theirs.text("applied") != "1" || theirs.text("received") != "1")
      return refuse("it has transactions that its source lacks");
    if (theirs.text("kept") != "1") return refuse("its source has purged what would have to be fetched");
    if (!stopped) TRY(run(kMysql.stop));
  }
  TRY(run("RESET REPLICA"));
  TRY(run(kMysql.start));
  return {};
}

Result<StreamState> stream_state(Engine engine, const sql::Target& replica, Deadline deadline, std::stop_token stop) {
  StreamState state;
  if (engine == Engine::postgres) {
    auto connection = TRY(PostgresConnection::connect(replica, deadline, stop));
    auto rows =
        TRY(connection.query("SELECT pg_is_in_recovery() AS standby, CASE WHEN pg_is_in_recovery() THEN "
                             "pg_is_wal_replay_paused() END AS paused, "
                             "EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS receiving",
                             deadline, stop));
    state.follows = rows.text("standby") == "t";
    state.receiving = rows.text("receiving") == "t";
    state.applying = rows.text("paused") == "f";
    return state;
  }
  const Dialect& words = dialect(engine);
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  auto rows = TRY(connection.query(words.status, deadline, stop));
  if (rows.empty()) return state;
  state.follows = true;
  state.host = rows.text(words.host);
  state.port = std::atoi(rows.text(words.port).c_str());
  state.receiving = rows.text(words.receiving) != "No";
  state.applying = rows.text(words.applying) != "No";
  return state;
}

Status restore_stream(Engine engine, const sql::Target& replica, const StreamState& before, const Source& as_whom,
                      Deadline deadline) {
  if (engine == Engine::postgres) {
    if (!before.follows || before.applying) return {};
    auto connection = TRY(PostgresConnection::connect(replica, deadline));
    TRY(connection.query("SELECT pg_wal_replay_pause() WHERE pg_is_in_recovery()", deadline));
    return {};
  }
  const Dialect& words = dialect(engine);
  const bool mysql = engine == Engine::mysql;
  auto connection = TRY(MariadbConnection::connect(replica, deadline));
  const auto now = TRY(stream_state(engine, replica, deadline));
  if (!before.follows) {
    if (!now.follows) return {};
    TRY(connection.query(words.stop, deadline));
    TRY(connection.query(mysql ? "RESET REPLICA ALL" : "RESET SLAVE ALL", deadline));
    return {};
  }
  if (now.host != before.host || now.port != before.port) {
    Source source = as_whom;
    source.host = before.host;
    source.port = before.port;
    TRY_VOID(follow(engine, replica, source, deadline));
  }
  if (!before.applying) TRY(connection.query(mysql ? "STOP REPLICA SQL_THREAD" : "STOP SLAVE SQL_THREAD", deadline));
  if (!before.receiving) TRY(connection.query(mysql ? "STOP REPLICA IO_THREAD" : "STOP SLAVE IO_THREAD", deadline));
  return {};
}

namespace {

/// The variable that switches semi-sync on: releases differ in the words, and MySQL without its plug-in has none.
Result<std::string> semi_sync_switch(MariadbConnection& connection, bool source, Deadline deadline,
                                     const std::stop_token& stop) {
  const auto rows = TRY(connection.query(
      fmt::format(
          "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('rpl_semi_sync_{}_enabled','rpl_semi_sync_{}_enabled')",
          source ? "source" : "replica", source ? "master" : "slave"),
      deadline, stop));
  if (!rows.empty()) return rows.text("Variable_name");
  return fail(ErrorClass::refused, "replication.no_semi_sync", "the server has no plug-in for semi-sync",
              "install it, and switch it on in the configuration");
}

/// Fallen back it waits for a commit that a replica acknowledges; switched off and on it waits from the next one on.
Status come_back(MariadbConnection& connection, const std::string& name, Deadline deadline,
                 const std::stop_token& stop) {
  const std::string prefix = name.substr(0, name.rfind('_'));
  const auto status = [&](const char* what) -> Result<std::string> {
    return TRY(connection.query(fmt::format("SHOW GLOBAL STATUS LIKE '{}_{}'", prefix, what), deadline, stop))
        .text("Value");
  };
  std::optional<Error> broken;
  (void)TRY(sys::wait_until(
      [&] {
        auto clients = status("clients");
        if (!clients) broken = clients.error();
        return broken || *clients != "0";
      },
      deadline.at_most(std::chrono::seconds(20)), stop));
  if (broken) return fail(std::move(*broken));
  if (TRY(status("clients")) == "0" || TRY(status("status")) != "OFF") return {};
  for (const char* value : {"OFF", "ON"})
    TRY(connection.query(fmt::format("SET GLOBAL {}={}", name, value), deadline, stop));
  return {};
}

}  // namespace

Result<bool> semi_sync_on(const sql::Target& server, bool source, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  const std::string name = TRY(semi_sync_switch(connection, source, deadline, stop));
  return TRY(connection.query(fmt::format("SELECT @@GLOBAL.{} AS x", name), deadline, stop)).text("x") == "1";
}

Status set_semi_sync(Engine engine, const sql::Target& server, bool source, bool on, Deadline deadline,
                     std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  const std::string name = TRY(semi_sync_switch(connection, source, deadline, stop));
  TRY(connection.query(fmt::format("SET GLOBAL {}={}", name, on ? "ON" : "OFF"), deadline, stop));
  if (source) return on ? come_back(connection, name, deadline, stop) : Status();
  // Stopped only when nothing it has got is still to be applied: then its relay log holds nothing that could be lost.
  const Dialect& words = dialect(engine);
  const bool drained = TRY(sys::wait_until(
      [&] {
        auto rows = connection.query(words.status, deadline, stop);
        return rows && rows->text(words.applying) == "Yes" && rows->value(words.lag) == "0";
      },
      deadline, stop));
  if (!drained) return fail(ErrorClass::unavailable, "replication.waiting", "it does not catch up in time");
  return reconnect_receiver(engine, server, deadline, std::move(stop));
}

Status wait_for_replication(Engine engine, const sql::Target& replica, bool level, Deadline deadline,
                            std::stop_token stop) {
  std::string state = "nothing was told";
  std::optional<std::chrono::steady_clock::time_point> refused_since;
  std::optional<Error> broken;
  auto look_postgres = [&](PostgresConnection& connection) -> bool {
    auto rows = connection.query(
        "SELECT pg_is_wal_replay_paused() AS paused, (SELECT status FROM pg_stat_wal_receiver) AS receiver, "
        "pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() AS level",
        deadline, stop);
    if (!rows) return false;
    state =
        fmt::format("receiver {}, replay {}", rows->text("receiver"), rows->text("paused") == "t" ? "paused" : "on");
    return rows->text("paused") == "f" && rows->text("receiver") == "streaming" &&
           (!level || rows->text("level") == "t");
  };
  const Dialect& words = dialect(engine);
  auto look_mysql = [&](MariadbConnection& connection) -> bool {
    auto rows = connection.query(words.status, deadline, stop);
    if (!rows || rows->empty()) {
      state = rows ? "it follows nobody" : rows.error().message;
      return false;
    }
    bool all = true;
    for (size_t i = 0; i < rows->rows.size(); ++i) {
      const std::string receiving = rows->text(words.receiving, i), applying = rows->text(words.applying, i);
      const int io = std::atoi(rows->text("Last_IO_Errno", i).c_str()),
                sql = std::atoi(rows->text("Last_SQL_Errno", i).c_str());
      const std::string error = rows->text(sql ? "Last_SQL_Error" : "Last_IO_Error", i);
      state = fmt::format("receiver {}, applier {}{}", receiving, applying, error.empty() ? "" : ": " + error);
      if ((applying != "Yes" && sql != 0) || (receiving == "No" && !transient(io)))
        broken =
            Error{ErrorClass::failed, "replication.stopped", fmt::format("[{}] {}", sql ? sql : io, error), {}, {}};
      // It tries again for ever. What an account lacks does not come by waiting; but what it says may be an old error.
      const auto now = std::chrono::steady_clock::now();
      if (receiving == "Yes" || !turned_away(io))
        refused_since.reset();
      else if (!refused_since)
        refused_since = now;
      else if (now - *refused_since > std::chrono::seconds(5))
        broken = Error{ErrorClass::failed, "replication.stopped", fmt::format("[{}] {}", io, error), {}, {}};
      all = all && receiving == "Yes" && applying == "Yes" && (!level || rows->value(words.lag, i) == "0");
    }
    return all;
  };
  bool done = false;
  if (engine == Engine::postgres) {
    auto connection = TRY(PostgresConnection::connect(replica, deadline, stop));
    done = TRY(sys::wait_until([&] { return look_postgres(connection); }, deadline, stop));
  } else {
    auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
    done = TRY(sys::wait_until([&] { return look_mysql(connection) || broken; }, deadline, stop));
  }
  if (broken) return fail(std::move(*broken));
  if (!done) return fail(ErrorClass::unavailable, "replication.waiting", "it does not follow in time: " + state);
  return {};
}

Status set_read_only(Engine engine, const sql::Target& server, bool on, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  const char* value = on ? "ON" : "OFF";
  TRY(connection.query(
      fmt::format("SET GLOBAL {}={}", engine == Engine::mysql ? "super_read_only" : "read_only", value), deadline,
      stop));
  return {};
}

Status set_writable(const sql::Target& server, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  TRY(connection.query("SET GLOBAL read_only=OFF", deadline, stop));  // and with it super_read_only
  return {};
}

}  // namespace holdfast::engine
