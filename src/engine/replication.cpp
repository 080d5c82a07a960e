#include "engine/replication.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/server_words.h"
#include "engine/channels.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"
#include "sys/process.h"

namespace holdfast::engine {

using cluster::Engine;
using sql::MariadbConnection;
using sql::PostgresConnection;

namespace {

/// How long a replica is waited for that does not reach its source: at least, and some of its own attempts.
constexpr std::chrono::seconds kReachesItsSource{120};
constexpr int kAttempts = 3;

/// The words that differ between the two families.
struct Dialect {
  const char *status, *name, *receiving, *applying, *host, *port, *user, *lag;
};
constexpr Dialect kMariadb{"SHOW ALL SLAVES STATUS",
                           "Connection_name",
                           "Slave_IO_Running",
                           "Slave_SQL_Running",
                           "Master_Host",
                           "Master_Port",
                           "Master_User",
                           "Seconds_Behind_Master"};
constexpr Dialect kMysql{"SHOW REPLICA STATUS", "Channel_Name", "Replica_IO_Running", "Replica_SQL_Running",
                         "Source_Host",         "Source_Port",  "Source_User",        "Seconds_Behind_Source"};

const Dialect& dialect(Engine engine) {
  return engine == Engine::mysql ? kMysql : kMariadb;
}

std::optional<size_t> row_of(const Dialect& words, const sql::Rows& status, const std::string& channel) {
  for (size_t i = 0; i < status.rows.size(); ++i)
    if (status.text(words.name, i) == channel) return i;
  return std::nullopt;
}

StreamState state_of(const Dialect& words, const sql::Rows& status, size_t row) {
  auto numbers = source_numbers(status, row);
  return {true,
          status.text(words.receiving, row) != "No",
          status.text(words.applying, row) != "No",
          status.text(words.host, row),
          std::atoi(status.text(words.port, row).c_str()),
          status.text(words.name, row),
          status.text(words.user, row),
          status.text(words.receiving, row) == "Yes",
          std::move(numbers.uuid),
          numbers.server_id};
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

namespace {

/// What a connection is told of its source. Of one that is there (`row`), all else stays.
Secret source_settings(Engine engine, const Source& source, const sql::Rows& status, std::optional<size_t> row) {
  const bool mysql = engine == Engine::mysql;
  const Dialect& words = dialect(engine);
  const std::string prefix = mysql ? "SOURCE" : "MASTER";
  Secret settings(fmt::format("{0}_HOST={1}, {0}_PORT={2}", prefix, sql::quote_mysql(source.host), source.port));
  if (!row || source.renew || status.text(words.user, *row) == source.user)
    settings.append(fmt::format(", {0}_USER={1}, {0}_PASSWORD=", prefix, sql::quote_mysql(source.user)))
        .append(sql::quote_mysql(source.password));
  if (mysql) {
    if (!row || status.text("Auto_Position", *row) != "1") settings.append(", SOURCE_AUTO_POSITION=1");
    if (!row) settings.append(", SOURCE_CONNECT_RETRY=1, SOURCE_RETRY_COUNT=1000000, GET_SOURCE_PUBLIC_KEY=1");
    return settings;
  }
  const std::string gtid = row ? status.text("Using_Gtid", *row) : "No";
  settings.append(", MASTER_USE_GTID=" + (gtid == "No" ? "slave_pos" : gtid));
  if (!row) settings.append(", MASTER_CONNECT_RETRY=1");
  return settings;
}

}  // namespace

Status follow(Engine engine, const sql::Target& replica, const Source& source, Deadline deadline,
              std::stop_token stop) {
  const Dialect& words = dialect(engine);
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, deadline, stop); };
  const auto status = TRY(run(words.status));
  const auto row = row_of(words, status, source.channel);
  const bool follows = row && status.text(words.host, *row) == source.host &&
                       status.text(words.port, *row) == std::to_string(source.port);
  if (!follows || source.renew) {
    if (row) TRY(run(channel_statement(engine, "STOP", source.channel)));
    if (source.demote) TRY_VOID(count_own_as_position(engine, replica, deadline, stop));
    const Secret settings = source_settings(engine, source, status, row);
    TRY(connection.query(change_statement(engine, source.channel, settings).reveal(), deadline, stop));
  }
  TRY(run(channel_statement(engine, "START", source.channel)));
  return {};
}

Status count_own_as_position(Engine engine, const sql::Target& server, Deadline deadline, std::stop_token stop) {
  if (engine != Engine::mariadb) return {};
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  const auto status = TRY(connection.query(kMariadb.status, deadline, stop));
  if (status.empty())
    TRY(connection.query("SET GLOBAL gtid_slave_pos=@@GLOBAL.gtid_current_pos", deadline, std::move(stop)));
  return {};
}

Status resume_replication(Engine engine, const sql::Target& replica, const Which& which, Deadline deadline,
                          std::stop_token stop) {
  if (engine == Engine::postgres) {
    auto connection = TRY(PostgresConnection::connect(replica, deadline, stop));
    TRY(connection.query("SELECT pg_wal_replay_resume() WHERE pg_is_in_recovery()", deadline, stop));
    return {};
  }
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  TRY(connection.query(which                     ? channel_statement(engine, "START", *which)
                       : engine == Engine::mysql ? "START REPLICA"
                                                 : "START ALL SLAVES",
                       deadline, stop));
  return {};
}

Status reconnect_receiver(Engine engine, const sql::Target& replica, const std::string& channel, Deadline deadline,
                          std::stop_token stop) {
  const Dialect& words = dialect(engine);
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  const auto status = TRY(connection.query(words.status, deadline, stop));
  const auto row = row_of(words, status, channel);
  // MariaDB throws its relay log away when the receiver starts while the applier does not run.
  if (!row || status.text(words.applying, *row) != "Yes")
    return fail(ErrorClass::refused, "replication.not_applying",
                row ? "it does not apply" : "it has no such replication connection");
  for (const char* verb : {"STOP", "START"})
    TRY(connection.query(channel_statement(engine, verb, channel, "IO_THREAD"), deadline, stop));
  return {};
}

bool relay_logs_missing(const Error& error) {
  return error.message.find("[1872]") != std::string::npos || error.message.find("[13124]") != std::string::npos;
}

Status fetch_logs_anew(const sql::Target& replica, const std::string& channel, const sql::Target& source,
                       Deadline deadline, std::stop_token stop) {
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
    const auto row = row_of(kMysql, status, channel);
    if (!row || status.text("Auto_Position", *row) != "1") return refuse("it does not follow its source by GTID");
    auto own = TRY(run("SELECT @@GLOBAL.gtid_executed AS executed, @@GLOBAL.server_uuid AS uuid"));
    const std::string executed = sql::quote_mysql(own.text("executed")),
                      received = sql::quote_mysql(status.text("Retrieved_Gtid_Set", *row));
    auto theirs = TRY(upstream.query(
        fmt::format("SELECT GTID_SUBSET({0}, @@GLOBAL.gtid_executed) AS applied, GTID_SUBSET({1}, "
                    "@@GLOBAL.gtid_executed) AS received, GTID_SUBSET(@@GLOBAL.gtid_purged, {0}) AS kept, "
                    "@@GLOBAL.server_uuid AS uuid",
                    executed, received),
        deadline, stop));
    if (const auto uuid = status.text("Source_UUID", *row); !uuid.empty() && uuid != theirs.text("uuid"))
      return refuse("it follows another server");
    if (theirs.text("applied") != "1" || theirs.text("received") != "1")
      return refuse("it has transactions that its source lacks");
    if (theirs.text("kept") != "1") return refuse("its source has purged what would have to be fetched");
    if (!stopped) TRY(run(channel_statement(Engine::mysql, "STOP", channel)));
  }
  TRY(run("RESET REPLICA FOR CHANNEL " + sql::quote_mysql(channel)));
  TRY(run(channel_statement(Engine::mysql, "START", channel)));
  return {};
}

cluster::Following following_of(const StreamState& stream) {
  cluster::Following f;
  f.channel = stream.channel;
  f.upstream = fmt::format("{}:{}", stream.host, stream.port);
  f.source_uuid = stream.source_uuid;
  f.source_server_id = stream.source_server_id;
  f.receiving = stream.connected;
  f.receive_state = stream.connected ? "Yes" : stream.receiving ? "Connecting" : "No";
  f.applying = stream.applying;
  return f;
}

Result<StreamState> stream_state(Engine engine, const sql::Target& replica, const std::string& channel,
                                 Deadline deadline, std::stop_token stop) {
  StreamState state;
  state.channel = channel;
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
  for (auto& one : TRY(stream_states(engine, replica, deadline, std::move(stop))))
    if (one.channel == channel) return std::move(one);
  return state;
}

Result<std::vector<StreamState>> stream_states(Engine engine, const sql::Target& replica, Deadline deadline,
                                               std::stop_token stop) {
  const Dialect& words = dialect(engine);
  auto connection = TRY(MariadbConnection::connect(replica, deadline, stop));
  const auto rows = TRY(connection.query(words.status, deadline, stop));
  std::vector<StreamState> all;
  for (size_t i = 0; i < rows.rows.size(); ++i) all.push_back(state_of(words, rows, i));
  return all;
}

Status restore_stream(Engine engine, const sql::Target& replica, const StreamState& before, const Source& as_whom,
                      Deadline deadline) {
  if (engine == Engine::postgres) {
    if (!before.follows || before.applying) return {};
    auto connection = TRY(PostgresConnection::connect(replica, deadline));
    TRY(connection.query("SELECT pg_wal_replay_pause() WHERE pg_is_in_recovery()", deadline));
    return {};
  }
  const std::string& channel = before.channel;
  auto connection = TRY(MariadbConnection::connect(replica, deadline));
  const auto now = TRY(stream_state(engine, replica, channel, deadline));
  if (!before.follows) {
    if (!now.follows) return {};
    TRY(connection.query(channel_statement(engine, "STOP", channel), deadline));
    TRY(connection.query(forget_statement(engine, channel), deadline));
    return {};
  }
  if (now.host != before.host || now.port != before.port) {
    Source source = as_whom;
    source.host = before.host;
    source.port = before.port;
    source.channel = channel;
    TRY_VOID(follow(engine, replica, source, deadline));
  }
  if (!before.applying) TRY(connection.query(channel_statement(engine, "STOP", channel, "SQL_THREAD"), deadline));
  if (!before.receiving) TRY(connection.query(channel_statement(engine, "STOP", channel, "IO_THREAD"), deadline));
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

/// Not behind, or not more than it is on purpose.
bool up_to_date(const Dialect& words, const sql::Rows& status, size_t row) {
  const auto lag = status.value(words.lag, row);
  const int delay = std::atoi(status.text("SQL_Delay", row).c_str());
  return lag && std::atoi(lag->c_str()) <= (delay > 0 ? delay + 2 : 0);
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

/// Looks again and again until it is so. A session that is lost on the way is followed by another one: its server may
/// have been started anew. `state`: why a look failed.
template <class Connection, class Look>
Result<bool> look_until(const Look& look, const sql::Target& server, std::string& state, Deadline deadline,
                        const std::stop_token& stop) {
  std::optional<Connection> connection(TRY(Connection::connect(server, deadline, stop)));
  const auto failed = [&](const Error& error) {
    state = error.message;
    connection.reset();
    return false;
  };
  return sys::wait_until(
      [&] {
        if (!connection) {
          auto again = Connection::connect(server, deadline, stop);
          if (!again) return failed(again.error());
          connection.emplace(std::move(*again));
        }
        const auto so = look(*connection);
        return so ? *so : failed(so.error());
      },
      deadline, stop);
}

}  // namespace

Result<bool> semi_sync_on(const sql::Target& server, bool source, Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  const std::string name = TRY(semi_sync_switch(connection, source, deadline, stop));
  return TRY(connection.query(fmt::format("SELECT @@GLOBAL.{} AS x", name), deadline, stop)).text("x") == "1";
}

Status set_semi_sync(Engine engine, const sql::Target& server, bool source, bool on, const std::string& channel,
                     Deadline deadline, std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  const std::string name = TRY(semi_sync_switch(connection, source, deadline, stop));
  TRY(connection.query(fmt::format("SET GLOBAL {}={}", name, on ? "ON" : "OFF"), deadline, stop));
  if (source) return on ? come_back(connection, name, deadline, stop) : Status();
  // Stopped only when nothing it has got is still to be applied: then its relay log holds nothing that could be lost.
  const Dialect& words = dialect(engine);
  const bool drained = TRY(sys::wait_until(
      [&] {
        const auto rows = connection.query(words.status, deadline, stop);
        const auto row = rows ? row_of(words, *rows, channel) : std::nullopt;
        return row && rows->text(words.applying, *row) == "Yes" && up_to_date(words, *rows, *row);
      },
      deadline, stop));
  if (!drained) return fail(ErrorClass::unavailable, "replication.waiting", "it does not catch up in time");
  return reconnect_receiver(engine, server, channel, deadline, std::move(stop));
}

Status wait_for_replication(Engine engine, const sql::Target& replica, const Which& which, bool level,
                            Deadline deadline, std::stop_token stop) {
  std::string state = "it has not answered";
  std::optional<std::chrono::steady_clock::time_point> refused_since;
  std::optional<Error> broken;
  // The servers try for ever. Catching up may take long; that nobody is there does not change by waiting. Since when it
  // was seen at each look that its source is not reached, and that it waits for nothing else:
  std::optional<std::chrono::steady_clock::time_point> unreached;
  auto last_look = std::chrono::steady_clock::now();
  const auto is_out_of_reach = [&](bool waits_for_source, std::chrono::seconds patience) {
    const auto now = std::chrono::steady_clock::now();
    if (!waits_for_source || now - last_look > std::chrono::seconds(20)) unreached.reset();  // or it was not seen
    last_look = now;
    if (!waits_for_source) return false;
    if (!unreached) unreached = now;
    if (now - *unreached < patience) return false;
    broken = Error{ErrorClass::unavailable,
                   "replication.waiting",
                   fmt::format("it has not reached its source for {} seconds: {}", patience.count(), state),
                   "see that the source runs and that the network between the two works",
                   {}};
    return true;
  };
  auto look_postgres = [&](PostgresConnection& connection) -> Result<bool> {
    auto rows = TRY(connection.query(
        // Of an idle primary nothing new comes: what was received then counts from the segment's start on.
        "SELECT pg_is_wal_replay_paused() AS paused, status AS receiver, CASE WHEN latest_end_lsn IS NULL THEN "
        "pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() ELSE pg_last_wal_replay_lsn() >= latest_end_lsn END AS "
        "level, (SELECT wait_event FROM pg_stat_activity WHERE backend_type = 'startup') AS waits FROM (SELECT) x LEFT "
        "JOIN pg_stat_wal_receiver ON true",
        deadline, stop));
    state = fmt::format("receiver {}, replay {}{}", rows.text("receiver"), rows.text("paused") == "t" ? "paused" : "on",
                        rows.text("level") == "t" ? "" : ", not caught up");
    // Not for a delay, a query or an archive's command.
    const std::string waits = rows.text("waits");
    if (is_out_of_reach(rows.text("receiver") != "streaming" &&
                            (waits == "RecoveryRetrieveRetryInterval" || waits == "RecoveryWalStream"),
                        kReachesItsSource))
      return true;
    return rows.text("paused") == "f" && rows.text("receiver") == "streaming" && (!level || rows.text("level") == "t");
  };
  const Dialect& words = dialect(engine);
  auto look_mysql = [&](MariadbConnection& connection) -> Result<bool> {
    const auto rows = TRY(connection.query(words.status, deadline, stop));
    if (rows.empty() || (which && !row_of(words, rows, *which))) {
      state = "it has no source configured";
      return false;
    }
    bool all = true, receives = true;
    std::chrono::seconds patience = kReachesItsSource;
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      if (which && rows.text(words.name, i) != *which) continue;
      const std::string receiving = rows.text(words.receiving, i), applying = rows.text(words.applying, i);
      const int io = std::atoi(rows.text("Last_IO_Errno", i).c_str()),
                sql = std::atoi(rows.text("Last_SQL_Errno", i).c_str());
      const std::string error = rows.text(sql ? "Last_SQL_Error" : "Last_IO_Error", i);
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
      receives = receives && receiving == "Yes";
      patience = std::max(patience, kAttempts * std::chrono::seconds(std::atoi(rows.text("Connect_Retry", i).c_str())));
      all = all && receiving == "Yes" && applying == "Yes" && (!level || up_to_date(words, rows, i));
    }
    return is_out_of_reach(!receives, patience) || all || broken;
  };
  const bool done = engine == Engine::postgres
                        ? TRY(look_until<PostgresConnection>(look_postgres, replica, state, deadline, stop))
                        : TRY(look_until<MariadbConnection>(look_mysql, replica, state, deadline, stop));
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
