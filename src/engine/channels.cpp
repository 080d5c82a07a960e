#include "engine/channels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <span>
#include <sstream>

#include "position/gtid_set.h"
#include "position/gtid_vector.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

using cluster::Engine;
using codec::Value;
using sql::MariadbConnection;

namespace {

/// A setting of a connection: the option that sets it, and where the server shows it.
struct Shown {
  const char* option;
  const char* column;
  enum Kind { text, number, flag, plain } kind;  ///< plain: a word of the server's own, without quotes
};

/// In SHOW ALL SLAVES STATUS.
constexpr Shown kMariadbOptions[] = {
    {"MASTER_CONNECT_RETRY", "Connect_Retry", Shown::number},
    {"MASTER_SSL", "Master_SSL_Allowed", Shown::flag},
    {"MASTER_SSL_CA", "Master_SSL_CA_File", Shown::text},
    {"MASTER_SSL_CAPATH", "Master_SSL_CA_Path", Shown::text},
    {"MASTER_SSL_CERT", "Master_SSL_Cert", Shown::text},
    {"MASTER_SSL_CIPHER", "Master_SSL_Cipher", Shown::text},
    {"MASTER_SSL_KEY", "Master_SSL_Key", Shown::text},
    {"MASTER_SSL_VERIFY_SERVER_CERT", "Master_SSL_Verify_Server_Cert", Shown::flag},
    {"MASTER_SSL_CRL", "Master_SSL_Crl", Shown::text},
    {"MASTER_SSL_CRLPATH", "Master_SSL_Crlpath", Shown::text},
    {"MASTER_HEARTBEAT_PERIOD", "Slave_heartbeat_period", Shown::number},
    {"MASTER_USE_GTID", "Using_Gtid", Shown::plain},
};

/// In mysql.slave_master_info and mysql.slave_relay_log_info, the same from 8.0 on.
constexpr Shown kMysqlOptions[] = {
    {"SOURCE_CONNECT_RETRY", "Connect_retry", Shown::number},
    {"SOURCE_RETRY_COUNT", "Retry_count", Shown::number},
    {"SOURCE_HEARTBEAT_PERIOD", "Heartbeat", Shown::number},
    {"SOURCE_BIND", "Bind", Shown::text},
    {"SOURCE_SSL", "Enabled_ssl", Shown::flag},
    {"SOURCE_SSL_CA", "Ssl_ca", Shown::text},
    {"SOURCE_SSL_CAPATH", "Ssl_capath", Shown::text},
    {"SOURCE_SSL_CERT", "Ssl_cert", Shown::text},
    {"SOURCE_SSL_CIPHER", "Ssl_cipher", Shown::text},
    {"SOURCE_SSL_KEY", "Ssl_key", Shown::text},
    {"SOURCE_SSL_VERIFY_SERVER_CERT", "Ssl_verify_server_cert", Shown::flag},
    {"SOURCE_SSL_CRL", "Ssl_crl", Shown::text},
    {"SOURCE_SSL_CRLPATH", "Ssl_crlpath", Shown::text},
    {"SOURCE_AUTO_POSITION", "Enabled_auto_position", Shown::flag},
    {"SOURCE_TLS_VERSION", "Tls_version", Shown::text},
    {"SOURCE_TLS_CIPHERSUITES", "Tls_ciphersuites", Shown::text},
    {"SOURCE_PUBLIC_KEY_PATH", "Public_key_path", Shown::text},
    {"GET_SOURCE_PUBLIC_KEY", "Get_public_key", Shown::flag},
    {"NETWORK_NAMESPACE", "Network_namespace", Shown::text},
    {"SOURCE_COMPRESSION_ALGORITHMS", "Master_compression_algorithm", Shown::text},
    {"SOURCE_ZSTD_COMPRESSION_LEVEL", "Master_zstd_compression_level", Shown::number},
    {"SOURCE_CONNECTION_AUTO_FAILOVER", "Source_connection_auto_failover", Shown::flag},
    {"GTID_ONLY", "Gtid_only", Shown::flag},
    {"REQUIRE_ROW_FORMAT", "Require_row_format", Shown::flag},
    {"REQUIRE_TABLE_PRIMARY_KEY_CHECK", "Require_table_primary_key_check", Shown::plain},
};

constexpr const char* kFilters[] = {"Replicate_Do_DB",        "Replicate_Ignore_DB",     "Replicate_Do_Table",
                                    "Replicate_Ignore_Table", "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table",
                                    "Replicate_Rewrite_DB"};

/// Options that say nothing where they have this value: it is what they are without being set.
bool is_default(const Shown& shown, const std::string& value) {
  return value.empty() ||
         (shown.kind == Shown::flag && (value == "0" || value == "No") &&
          std::string_view(shown.option) != "MASTER_SSL" && std::string_view(shown.option) != "SOURCE_SSL" &&
          std::string_view(shown.option) != "MASTER_SSL_VERIFY_SERVER_CERT" &&
          std::string_view(shown.option) != "SOURCE_AUTO_POSITION");
}

std::string literal(const Shown& shown, const std::string& value) {
  switch (shown.kind) {
    case Shown::text:
      return sql::quote_mysql(value);
    case Shown::flag:
      return value == "1" || value == "Yes" ? "1" : "0";
    case Shown::number:
    case Shown::plain:
      break;
  }
  return value;
}

void take_options(Channel& channel, std::span<const Shown> all, const sql::Rows& rows, size_t row) {
  for (const Shown& shown : all)
    if (const std::string value = rows.text(shown.column, row); !is_default(shown, value))
      channel.options[shown.option] = literal(shown, value);
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, by);)
    if (const size_t first = part.find_first_not_of(' '); first != std::string::npos)
      parts.push_back(part.substr(first));
  return parts;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

/// "shop.t" -> "`shop`.`t`"
std::string quoted_table(const std::string& name) {
  const size_t dot = name.find('.');
  if (dot == std::string::npos) return sql::quote_mysql_name(name);
  return sql::quote_mysql_name(name.substr(0, dot)) + "." + sql::quote_mysql_name(name.substr(dot + 1));
}

/// What CHANGE REPLICATION FILTER is told between its brackets.
std::string mysql_filter(std::string_view column, const std::string& value) {
  if (column == "Replicate_Rewrite_DB") return value;  // "(a,b),(c,d)"
  const bool wild = column.find("Wild") != std::string_view::npos;
  std::vector<std::string> parts;
  for (const auto& part : split(value, ','))
    parts.push_back(wild ? sql::quote_mysql(part)
                         : (column.ends_with("_DB") ? sql::quote_mysql_name(part) : quoted_table(part)));
  return fmt::format("{}", fmt::join(parts, ","));
}

void take_filters(Engine engine, Channel& channel, const sql::Rows& status, size_t row) {
  for (const char* column : kFilters) {
    const std::string value = status.text(column, row);
    if (value.empty()) continue;
    if (engine == Engine::mysql)
      channel.filters[upper(column)] = mysql_filter(column, value);
    else
      channel.filters[lower(column)] = value;
  }
}

Channel from_mariadb(const sql::Rows& status, size_t i) {
  Channel c;
  c.name = status.text("Connection_name", i);
  c.host = status.text("Master_Host", i);
  c.user = status.text("Master_User", i);
  c.port = std::atoi(status.text("Master_Port", i).c_str());
  c.by_gtid = status.text("Using_Gtid", i) != "No";
  c.receiving = status.text("Slave_IO_Running", i) != "No";
  c.applying = status.text("Slave_SQL_Running", i) != "No";
  c.delay_seconds = std::atoi(status.text("SQL_Delay", i).c_str());
  c.connected = status.text("Slave_IO_Running", i) == "Yes";
  c.source_server_id = source_numbers(status, i).server_id;
  take_options(c, kMariadbOptions, status, i);
  const std::pair<const char*, const char*> lists[] = {{"IGNORE_SERVER_IDS", "Replicate_Ignore_Server_Ids"},
                                                       {"DO_DOMAIN_IDS", "Replicate_Do_Domain_Ids"},
                                                       {"IGNORE_DOMAIN_IDS", "Replicate_Ignore_Domain_Ids"}};
  for (const auto& [option, column] : lists)
    if (const auto ids = split(status.text(column, i), ','); !ids.empty())
      c.options[option] = fmt::format("({})", fmt::join(ids, ","));
  take_filters(Engine::mariadb, c, status, i);
  c.origins = origins_of(Engine::mariadb, status, i);
  return c;
}

/// "2 5 7": so many, and which.
std::string id_list(const std::string& text) {
  auto ids = split(text, ' ');
  if (ids.size() < 2) return {};
  ids.erase(ids.begin());
  return fmt::format("({})", fmt::join(ids, ","));
}

Channel from_mysql(const sql::Rows& rows, size_t i, const sql::Rows& status) {
  Channel c;
  c.name = rows.text("Channel_name", i);
  c.host = rows.text("Host", i);
  c.user = rows.text("User_name", i);
  c.password = Secret(rows.text("User_password", i));
  c.port = std::atoi(rows.text("Port", i).c_str());
  c.by_gtid = rows.text("Enabled_auto_position", i) == "1";
  c.delay_seconds = std::atoi(rows.text("Sql_delay", i).c_str());
  take_options(c, kMysqlOptions, rows, i);
  if (const auto ids = id_list(rows.text("Ignored_server_ids", i)); !ids.empty()) c.options["IGNORE_SERVER_IDS"] = ids;
  if (const auto user = rows.text("Privilege_checks_username", i); !user.empty())
    c.options["PRIVILEGE_CHECKS_USER"] =
        sql::quote_mysql(user) + "@" + sql::quote_mysql(rows.text("Privilege_checks_hostname", i));
  const std::string type = rows.text("Assign_gtids_to_anonymous_transactions_type", i);
  if (type == "LOCAL") c.options["ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS"] = "LOCAL";
  if (type == "UUID")
    c.options["ASSIGN_GTIDS_TO_ANONYMOUS_TRANSACTIONS"] =
        sql::quote_mysql(rows.text("Assign_gtids_to_anonymous_transactions_value", i));
  for (size_t s = 0; s < status.rows.size(); ++s) {
    if (status.text("Channel_Name", s) != c.name) continue;
    c.receiving = status.text("Replica_IO_Running", s) != "No";
    c.applying = status.text("Replica_SQL_Running", s) != "No";
    c.connected = status.text("Replica_IO_Running", s) == "Yes";
    c.source_uuid = source_numbers(status, s).uuid;
    take_filters(Engine::mysql, c, status, s);
    c.origins = origins_of(Engine::mysql, status, s);
  }
  return c;
}

/// Sets the filters it is to have, and takes those away that it is not to have.
Status write_filters(Engine engine, MariadbConnection& connection, const Channel& channel, Deadline deadline,
                     const std::stop_token& stop) {
  const bool mysql = engine == Engine::mysql;
  const auto status = TRY(connection.query(mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS", deadline, stop));
  Channel now;
  for (size_t i = 0; i < status.rows.size(); ++i)
    if (status.text(mysql ? "Channel_Name" : "Connection_name", i) == channel.name)
      take_filters(engine, now, status, i);
  std::set<std::string> names;
  for (const auto& [name, value] : now.filters) names.insert(name);
  for (const auto& [name, value] : channel.filters) names.insert(name);
  for (const auto& name : names) {
    const std::string wanted = channel.filters.contains(name) ? channel.filters.at(name) : "";
    if (now.filters.contains(name) && now.filters.at(name) == wanted) continue;
    TRY(connection.query(mysql ? fmt::format("CHANGE REPLICATION FILTER {} = ({}) FOR CHANNEL {}", name, wanted,
                                             sql::quote_mysql(channel.name))
                               : fmt::format("SET GLOBAL {} = {}", name, sql::quote_mysql(wanted)),
                         deadline, stop));
  }
  return {};
}

bool has_channel(const sql::Rows& status, Engine engine, const std::string& name) {
  for (size_t i = 0; i < status.rows.size(); ++i)
    if (status.text(engine == Engine::mysql ? "Channel_Name" : "Connection_name", i) == name) return true;
  return false;
}

}  // namespace

cluster::Following following_of(const Channel& channel) {
  cluster::Following f;
  f.channel = channel.name;
  f.upstream = fmt::format("{}:{}", channel.host, channel.port);
  f.source_uuid = channel.source_uuid;
  f.source_server_id = channel.source_server_id;
  f.receiving = channel.connected;
  f.receive_state = channel.connected ? "Yes" : channel.receiving ? "Connecting" : "No";
  f.applying = channel.applying;
  f.origins = channel.origins;
  return f;
}

SourceNumbers source_numbers(const sql::Rows& status, size_t row) {
  SourceNumbers numbers{.uuid = status.text("Source_UUID", row), .server_id = {}};
  const char* column = status.column("Source_Server_Id") ? "Source_Server_Id" : "Master_Server_Id";
  if (const auto id = std::strtoull(status.text(column, row).c_str(), nullptr, 10); id > 0) numbers.server_id = id;
  return numbers;
}

std::vector<std::string> origins_of(Engine engine, const sql::Rows& status, size_t row) {
  std::set<std::string> origins;
  if (engine == Engine::mysql) {
    if (const auto uuid = status.text("Source_UUID", row); !uuid.empty()) origins.insert(uuid);
    if (const auto set = position::GtidSet::parse(status.text("Retrieved_Gtid_Set", row)))
      for (const auto& source : set->sources()) origins.insert(source.uuid.to_string());
  } else if (const auto gtids = position::GtidVector::parse(status.text("Gtid_IO_Pos", row))) {
    for (const auto& gtid : gtids->entries()) origins.insert(std::to_string(gtid.domain));
  }
  return {origins.begin(), origins.end()};
}

std::string channel_statement(Engine engine, std::string_view verb, std::string_view channel, std::string_view thread) {
  const std::string what = thread.empty() ? "" : " " + std::string(thread);
  // Without a channel it would be all of them.
  if (engine == Engine::mysql) return fmt::format("{} REPLICA{} FOR CHANNEL {}", verb, what, sql::quote_mysql(channel));
  return fmt::format("{} SLAVE {}{}", verb, sql::quote_mysql(channel), what);
}

std::string forget_statement(Engine engine, std::string_view channel) {
  return engine == Engine::mysql ? fmt::format("RESET REPLICA ALL FOR CHANNEL {}", sql::quote_mysql(channel))
                                 : fmt::format("RESET SLAVE {} ALL", sql::quote_mysql(channel));
}

Secret change_statement(Engine engine, std::string_view channel, const Secret& settings) {
  const std::string name = sql::quote_mysql(channel);
  const bool mysql = engine == Engine::mysql;
  Secret statement(mysql ? "CHANGE REPLICATION SOURCE TO " : "CHANGE MASTER " + name + " TO ");
  statement.append(settings);
  if (mysql) statement.append(" FOR CHANNEL ").append(name);
  return statement;
}

Result<std::vector<Channel>> read_channels(Engine engine, const sql::Target& server, Deadline deadline,
                                           std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  std::vector<Channel> channels;
  if (engine != Engine::mysql) {
    const auto status = TRY(connection.query("SHOW ALL SLAVES STATUS", deadline, stop));
    for (size_t i = 0; i < status.rows.size(); ++i) channels.push_back(from_mariadb(status, i));
    return channels;
  }
  const auto status = TRY(connection.query("SHOW REPLICA STATUS", deadline, stop));
  if (status.empty()) return channels;
  const auto rows = TRY(connection.query(
      "SELECT m.*, r.Sql_delay, r.Privilege_checks_username, r.Privilege_checks_hostname, r.Require_row_format, "
      "r.Require_table_primary_key_check, r.Assign_gtids_to_anonymous_transactions_type, "
      "r.Assign_gtids_to_anonymous_transactions_value FROM mysql.slave_master_info m JOIN "
      "mysql.slave_relay_log_info r USING (Channel_name) WHERE m.Host <> ''",
      deadline, stop));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    if (has_channel(status, engine, rows.text("Channel_name", i))) channels.push_back(from_mysql(rows, i, status));
  return channels;
}

Status write_channel(Engine engine, const sql::Target& server, const Channel& channel, ChannelRequest how,
                     Deadline deadline, std::stop_token stop) {
  const bool mysql = engine == Engine::mysql;
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, deadline, stop); };
  const auto status = TRY(run(mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS"));
  if (has_channel(status, engine, channel.name)) TRY(run(channel_statement(engine, "STOP", channel.name)));
  if (!mysql) TRY(run("SET @@SESSION.default_master_connection=" + sql::quote_mysql(channel.name)));
  const std::string prefix = mysql ? "SOURCE" : "MASTER";
  Secret settings(fmt::format("{0}_HOST={1}, {0}_PORT={2}, {0}_USER={3}, {0}_DELAY={4}, {0}_PASSWORD=", prefix,
                              sql::quote_mysql(channel.host), channel.port, sql::quote_mysql(channel.user),
                              how.with_delay ? channel.delay_seconds : 0));
  settings.append(sql::quote_mysql(channel.password));
  for (const auto& [option, value] : channel.options) settings.append(fmt::format(", {}={}", option, value));
  TRY(connection.query(change_statement(engine, channel.name, settings).reveal(), deadline, stop));
  TRY_VOID(write_filters(engine, connection, channel, deadline, stop));
  if (how.start && channel.by_gtid) TRY(run(channel_statement(engine, "START", channel.name)));
  return {};
}

Status set_delay(Engine engine, const sql::Target& server, const Channel& channel, Deadline deadline,
                 std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, deadline, stop); };
  TRY(run(channel_statement(engine, "STOP", channel.name)));
  const Secret delay(fmt::format("{}_DELAY={}", engine == Engine::mysql ? "SOURCE" : "MASTER", channel.delay_seconds));
  TRY(connection.query(change_statement(engine, channel.name, delay).reveal(), deadline, stop));
  TRY(run(channel_statement(engine, "START", channel.name)));
  return {};
}

Status forget_channel(Engine engine, const sql::Target& server, const std::string& channel, Deadline deadline,
                      std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  auto run = [&](const std::string& statement) { return connection.query(statement, deadline, stop); };
  const auto status = TRY(run(engine == Engine::mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS"));
  if (!has_channel(status, engine, channel)) return {};
  TRY(run(channel_statement(engine, "STOP", channel)));
  TRY(run(forget_statement(engine, channel)));
  return {};
}

Status set_filters(Engine engine, const sql::Target& server, const Channel& channel, Deadline deadline,
                   std::stop_token stop) {
  auto connection = TRY(MariadbConnection::connect(server, deadline, stop));
  if (engine != Engine::mysql)
    TRY(connection.query("SET @@SESSION.default_master_connection=" + sql::quote_mysql(channel.name), deadline, stop));
  return write_filters(engine, connection, channel, deadline, stop);
}

Value channel_value(const Channel& channel) {
  const auto map_value = [](const std::map<std::string, std::string>& map) {
    Value value = Value::object();
    for (const auto& [name, text] : map) value.set(name, text);
    return value;
  };
  return Value::object({{"name", channel.name},
                        {"host", channel.host},
                        {"port", channel.port},
                        {"user", channel.user},
                        {"password", channel.password.reveal()},
                        {"byGtid", channel.by_gtid},
                        {"receiving", channel.receiving},
                        {"applying", channel.applying},
                        {"delaySeconds", channel.delay_seconds},
                        {"sourceUuid", channel.source_uuid},
                        {"options", map_value(channel.options)},
                        {"filters", map_value(channel.filters)},
                        {"origins", Value::list_of(channel.origins)}});
}

Channel channel_from(const Value& value) {
  Channel c;
  c.name = value["name"].text();
  c.host = value["host"].text();
  c.port = static_cast<int>(value["port"].integer());
  c.user = value["user"].text();
  c.password = Secret(value["password"].text());
  c.by_gtid = value["byGtid"].boolean();
  c.receiving = value["receiving"].boolean();
  c.applying = value["applying"].boolean();
  c.delay_seconds = static_cast<int>(value["delaySeconds"].integer());
  c.source_uuid = value["sourceUuid"].text();
  for (const auto& [name, text] : value["options"].members()) c.options[name] = text.text();
  for (const auto& [name, text] : value["filters"].members()) c.filters[name] = text.text();
  for (const auto& origin : value["origins"].items()) c.origins.push_back(origin.text());
  return c;
}

}  // namespace holdfast::engine
