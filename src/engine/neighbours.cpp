#include "engine/neighbours.h"

#include <fmt/format.h>

#include <cstdlib>

#include "engine/observe.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::engine {
namespace {

using cluster::Engine;
using cluster::Named;
using cluster::ServerWords;

/// One question after another; what is refused is a remark.
template <class Connection>
class Questions {
 public:
  Questions(Connection& connection, ServerWords& words, Deadline deadline, std::stop_token stop)
      : connection_(connection), words_(words), deadline_(deadline), stop_(std::move(stop)) {}

  Result<sql::Rows> must(const std::string& statement) { return connection_.query(statement, deadline_, stop_); }
  /// No rows where the server says no; `what`: "its replicas".
  Result<sql::Rows> may(const char* what, const std::string& statement) {
    auto rows = must(statement);
    if (rows || rows.error().id != "sql.error") return rows;
    words_.remarks.push_back(fmt::format("{} are not known: {}", what, rows.error().message));
    return sql::Rows();
  }

 private:
  Connection& connection_;
  ServerWords& words_;
  const Deadline deadline_;
  const std::stop_token stop_;
};

using MysqlQuestions = Questions<sql::MariadbConnection>;
using PostgresQuestions = Questions<sql::PostgresConnection>;

int number(const std::string& text) {
  return std::atoi(text.c_str());
}

/// "10.0.0.5:3306", "[::1]:3306"; without a port it is 0.
Named named_by(const std::string& address, std::string name = {}) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) return {.host = address == "AUTO" ? "" : address, .name = std::move(name)};
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = std::move(host), .port = number(address.substr(colon + 1)), .name = std::move(name)};
}

/// Its connections as a replica. The default one is this cluster's, or the only one; what is left of before its
/// promotion is none.
Status read_sources(Engine engine, bool writable, ServerWords& words, MysqlQuestions& ask) {
  const bool mysql = engine == Engine::mysql;
  auto rows = TRY(ask.may("its sources", mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS"));
  const auto text = [&](const char* now, const char* before, size_t i) {
    return rows.column(now) ? rows.text(now, i) : rows.text(before, i);
  };
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string channel = text("Channel_Name", "Connection_name", i);
    const Named source{.host = text("Source_Host", "Master_Host", i),
                       .port = number(text("Source_Port", "Master_Port", i))};
    const bool stopped = text("Replica_IO_Running", "Slave_IO_Running", i) == "No" &&
                         text("Replica_SQL_Running", "Slave_SQL_Running", i) == "No";
    const bool aside = rows.rows.size() > 1 && !channel.empty();
    if (!aside && !(stopped && writable)) {
      words.follows = true;
      words.sources.push_back(source);
    } else {
      words.remarks.push_back(
          fmt::format("its source {}:{}{} is not followed: {}", source.host, source.port,
                      channel.empty() ? "" : fmt::format(" (connection {})", channel),
                      aside ? "it has another one" : "it is stopped, and this server accepts writes"));
    }
  }
  return {};
}

Status read_followers(Engine engine, ServerWords& words, MysqlQuestions& ask) {
  auto rows = TRY(ask.may("its replicas", engine == Engine::mysql ? "SHOW REPLICAS" : "SHOW SLAVE HOSTS"));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    words.followers.push_back({.host = rows.text("Host", i),
                               .port = number(rows.text("Port", i)),
                               .server_id = std::strtoull(rows.text("Server_Id", i).c_str(), nullptr, 10)});
  rows = TRY(ask.may("its sessions", "SHOW PROCESSLIST"));
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    if (!rows.text("Command", i).starts_with("Binlog Dump")) continue;
    const std::string client = rows.text("Host", i);
    words.readers.push_back(client.substr(0, client.rfind(':')));
  }
  return {};
}

Status read_component(const Settings& variables, ServerWords& words, MysqlQuestions& ask) {
  Settings status;
  status.add(
      TRY(ask.must("SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_incoming_addresses',"
                   "'wsrep_local_index','wsrep_cluster_state_uuid')")));
  words.lineage = status.text("wsrep_cluster_state_uuid");
  words.cluster_name = variables.text("wsrep_cluster_name");
  const auto own = status.number("wsrep_local_index");
  const std::string list = status.text("wsrep_incoming_addresses");
  int64_t index = 0;
  for (size_t at = 0; at <= list.size() && !list.empty(); ++index) {
    const size_t end = std::min(list.find(',', at), list.size());
    const std::string address = list.substr(at, end - at);
    at = end + 1;
    if (address.empty()) continue;  // an arbitrator
    if (own == index)
      words.self = named_by(address);
    else
      words.nodes.push_back(named_by(address));
  }
  return {};
}

Result<ServerWords> ask_mysql_family(Engine engine, const sql::Target& target, Deadline deadline,
                                     const std::stop_token& stop) {
  auto connection = TRY(sql::MariadbConnection::connect(target, deadline, stop));
  if (connection.is_mariadb() == (engine == Engine::mysql))
    return fail(
        ErrorClass::usage, "discover.engine",
        fmt::format("the server is {}: {}", connection.is_mariadb() ? "MariaDB" : "MySQL", connection.server_version()),
        fmt::format("--engine {}", connection.is_mariadb() ? "mariadb" : "mysql"));
  ServerWords words;
  MysqlQuestions ask(connection, words, deadline, stop);
  Settings v;
  v.add(TRY(ask.must(
      "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('hostname','port','datadir','server_id','server_uuid',"
      "'server_uid','read_only','wsrep_on','wsrep_provider','wsrep_cluster_name','rpl_semi_sync_source_enabled',"
      "'rpl_semi_sync_master_enabled')")));
  words.port = number(v.text("port"));
  words.server_id = std::strtoull(v.text("server_id").c_str(), nullptr, 10);
  words.identity = fmt::format("{}:{} {} {} {}", v.text("hostname"), words.port, v.text("datadir"), words.server_id,
                               v.text("server_uuid") + v.text("server_uid"));
  words.galera = v.flag("wsrep_on") == true && v.text("wsrep_provider") != "none";
  if (engine == Engine::galera && !words.galera)
    return fail(ErrorClass::usage, "discover.engine", "the server is not a Galera node: wsrep_on is off",
                "--engine mariadb");
  words.semi_sync = v.find("rpl_semi_sync_source_enabled") ? v.flag("rpl_semi_sync_source_enabled") == true
                                                           : v.flag("rpl_semi_sync_master_enabled") == true;
  if (words.galera) {
    TRY_VOID(read_component(v, words, ask));
  } else {
    TRY_VOID(read_sources(engine, v.flag("read_only") == false, words, ask));
    TRY_VOID(read_followers(engine, words, ask));
  }
  return words;
}

Result<ServerWords> ask_postgres(const sql::Target& target, Deadline deadline, const std::stop_token& stop) {
  auto connection = TRY(sql::PostgresConnection::connect(target, deadline, stop));
  ServerWords words;
  PostgresQuestions ask(connection, words, deadline, stop);
  auto rows = TRY(
      ask.must("SELECT pg_is_in_recovery() AS follows, (SELECT system_identifier FROM pg_control_system()) AS system, "
               "current_setting('port') AS port, extract(epoch FROM pg_postmaster_start_time()) AS started"));
  words.follows = rows.text("follows") == "t";
  words.lineage = rows.text("system");
  words.port = number(rows.text("port"));
  // Copies share the identifier; two of them on one port, begun in the same microsecond, are one.
  words.identity = fmt::format("{} {} {}", words.lineage, words.port, rows.text("started"));
  if (words.follows) {
    rows =
        TRY(ask.may("its sources",
                    "SELECT sender_host AS host, sender_port AS port FROM pg_stat_wal_receiver WHERE sender_host <> '' "
                    "UNION ALL SELECT substring(c from 'host=''?([^'', ]+)'), "
                    "coalesce(substring(c from 'port=''?([0-9]+)'), '5432')::int "
                    "FROM current_setting('primary_conninfo', true) AS c WHERE c LIKE '%host=%' LIMIT 1"));
    if (!rows.empty()) words.sources.push_back({.host = rows.text("host"), .port = number(rows.text("port"))});
  }
  // A subscriber of a publication reads from a logical slot: it is not a standby.
  rows = TRY(ask.may("its standbys",
                     "SELECT coalesce(host(r.client_addr), '') AS host, r.application_name AS name FROM "
                     "pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid WHERE "
                     "coalesce(s.slot_type, 'physical') = 'physical' AND r.application_name NOT IN ('pg_basebackup', "
                     "'pg_receivewal')"));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    words.followers.push_back({.host = rows.text("host", i), .name = rows.text("name", i)});
  return words;
}

}  // namespace

Result<ServerWords> ask_neighbours(Engine engine, const sql::Target& target, Deadline deadline, std::stop_token stop) {
  return engine == Engine::postgres ? ask_postgres(target, deadline, stop)
                                    : ask_mysql_family(engine, target, deadline, stop);
}

}  // namespace holdfast::engine
