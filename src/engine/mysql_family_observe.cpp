#include "engine/mysql_family_observe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "engine/channels.h"
#include "engine/missing_rights.h"
#include "engine/mysql_family/lock_waits.h"
#include "engine/mysql_family/lost_logs.h"
#include "engine/mysql_family/transactions.h"
#include "engine/role_accounts.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

using cluster::Engine;
using cluster::Following;
using cluster::MemberFacts;
using cluster::MemberRole;

namespace {

using Ask = Asker<sql::MariadbConnection>;

/// In this order: what was noted first is in the log by the time that is read, and what was purged has been executed.
const char* positions_of(Engine engine) {
  return engine == Engine::mysql
             ? "SELECT @@GLOBAL.gtid_purged AS gtid_purged, @@GLOBAL.gtid_executed AS gtid_executed"
             : "SELECT @@GLOBAL.gtid_slave_pos AS gtid_slave_pos, @@GLOBAL.gtid_binlog_state AS gtid_binlog_state, "
               "@@GLOBAL.gtid_current_pos AS gtid_current_pos, @@GLOBAL.gtid_binlog_pos AS gtid_binlog_pos";
}

std::string without_newlines(std::string text) {
  std::erase(text, '\n');
  return text;
}

void take_position(Engine engine, MemberFacts& facts, const sql::Rows& settings) {
  if (engine == Engine::mysql) {
    facts.executed = without_newlines(settings.text("gtid_executed"));
    facts.purged = without_newlines(settings.text("gtid_purged"));
    facts.position = facts.offered = facts.executed;
    note(facts, "gtid_executed", facts.executed, "SQL variables");
  } else {
    facts.executed = settings.text("gtid_binlog_state");
    facts.slave_pos = settings.text("gtid_slave_pos");
    facts.position = settings.text("gtid_current_pos");
    facts.offered = settings.text("gtid_binlog_pos");
    note(facts, "gtid_binlog_state", facts.executed, "SQL variables");
    note(facts, "gtid_slave_pos", facts.slave_pos, "SQL variables");
  }
}

/// Under which names and addresses it says it can be reached.
void take_addresses(MemberFacts& facts, const Settings& v) {
  auto& own = facts.own;
  own.hostname = v.text("hostname");
  own.port = static_cast<int>(v.number("port").value_or(0));
  const int64_t reported = v.number("report_port").value_or(0);
  if (const std::string host = v.text("report_host"); !host.empty())
    own.names.push_back(reported > 0 ? fmt::format("{}:{}", host, reported) : host);
  std::istringstream bound(v.text("bind_address"));
  for (std::string address; std::getline(bound, address, ',');)
    if (const size_t first = address.find_first_not_of(' '); first != std::string::npos)
      own.names.push_back(address.substr(first));
  if (const std::string incoming = v.text("wsrep_node_incoming_address"); !incoming.empty() && incoming != "AUTO")
    own.names.push_back(incoming);
}

void take_settings(Engine engine, MemberFacts& facts, const Settings& v) {
  take_addresses(facts, v);
  facts.read_only = v.flag("read_only");
  facts.mysql.super_read_only = v.flag("super_read_only");
  if (engine == Engine::mysql) facts.lineage = facts.server_uuid = v.text("server_uuid");
  if (!v.text("datadir").empty())
    facts.instance = fmt::format("{}:{} {} {}", v.text("hostname"), v.text("port"), v.text("datadir"),
                                 v.text("server_uuid") + v.text("server_uid"));
  facts.mysql.offline_mode = v.flag("offline_mode");
  if (auto id = v.number("server_id")) facts.server_id = static_cast<uint64_t>(*id);
  facts.mysql.log_bin = v.flag("log_bin");
  facts.mysql.log_replica_updates =
      v.find("log_replica_updates") ? v.flag("log_replica_updates") : v.flag("log_slave_updates");
  if (auto mode = v.find("gtid_mode")) facts.mysql.gtid_mode = *mode == "ON";
  facts.mysql.gtid_strict = v.flag("gtid_strict_mode");
  facts.mysql.event_scheduler = v.flag("event_scheduler");
  facts.max_connections = static_cast<int>(v.number("max_connections").value_or(0));
  auto gap = [&](const char* name, std::string_view safe) {
    if (auto value = v.find(name); value && *value != safe)
      facts.durability_gaps.push_back(fmt::format("{}={} (safe: {})", name, *value, safe));
  };
  // Galera keeps a copy of every commit on the other nodes.
  if (engine != Engine::galera) {
    if (facts.mysql.log_bin != false) gap("sync_binlog", "1");
    gap("innodb_flush_log_at_trx_commit", "1");
  }
  auto& semi = facts.semi_sync;
  auto either = [&](const char* now, const char* before) { return v.find(now) ? v.flag(now) : v.flag(before); };
  semi.source_enabled = either("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled");
  semi.replica_enabled = either("rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled");
  semi.wait_point = v.text("rpl_semi_sync_source_wait_point") + v.text("rpl_semi_sync_master_wait_point");
  semi.timeout_ms = v.find("rpl_semi_sync_source_timeout") ? v.number("rpl_semi_sync_source_timeout")
                                                           : v.number("rpl_semi_sync_master_timeout");
  auto wait = v.find("rpl_semi_sync_source_wait_for_replica_count")
                  ? v.number("rpl_semi_sync_source_wait_for_replica_count")
                  : v.number("rpl_semi_sync_master_wait_for_slave_count");
  if (wait) semi.wait_count = static_cast<int>(*wait);
  semi.waits_for_none = either("rpl_semi_sync_source_wait_no_replica", "rpl_semi_sync_master_wait_no_slave");
  note(facts, "read_only", facts.read_only ? (*facts.read_only ? "on" : "off") : "", "SQL variables");
}

/// What makes an applier pass over errors, or leave changes out.
void take_silent_loss(Engine engine, MemberFacts& facts, const Settings& v) {
  auto unless = [&](const char* name, std::string_view safe) {
    if (auto value = v.find(name); value && !value->empty() && *value != safe)
      facts.silent_loss.push_back(fmt::format("{}={} (safe: {})", name, *value, safe));
  };
  if (engine == Engine::galera) {
    unless("wsrep_osu_method", "TOI");
    return;
  }
  const bool now = v.find("replica_exec_mode").has_value();  // both names are there for a while
  unless(now ? "replica_exec_mode" : "slave_exec_mode", "STRICT");
  unless(now ? "replica_skip_errors" : "slave_skip_errors", "OFF");
  unless(v.find("sql_replica_skip_counter") ? "sql_replica_skip_counter" : "sql_slave_skip_counter", "0");
  unless("replicate_events_marked_for_skip", "REPLICATE");
  for (const char* name : {"replica_type_conversions", "slave_type_conversions"})
    if (v.text(name).find("ALL_LOSSY") != std::string::npos &&
        facts.silent_loss.end() ==
            std::ranges::find_if(facts.silent_loss, [](const auto& one) { return one.find("ALL_LOSSY") != one.npos; }))
      unless(name, "ALL_NON_LOSSY");
  facts.mysql.commit_order = v.find("replica_preserve_commit_order") ? v.flag("replica_preserve_commit_order")
                                                                     : v.flag("slave_preserve_commit_order");
}

/// A primary that leaves databases out of its binary log.
void take_log_filters(Engine engine, MemberFacts& facts, Ask& ask) {
  auto rows = engine == Engine::mysql ? ask.if_allowed("binary log filters", "SHOW BINARY LOG STATUS") : std::nullopt;
  if (!rows) rows = ask.if_allowed("binary log filters", "SHOW MASTER STATUS");
  if (!rows) return;
  for (const char* name : {"Binlog_Do_DB", "Binlog_Ignore_DB"})
    if (const std::string value = rows->empty() ? "" : rows->text(name); !value.empty())
      facts.silent_loss.push_back(fmt::format("{}={} (safe: not set)", name, value));
}

void take_status(MemberFacts& facts, const Settings& s) {
  auto& semi = facts.semi_sync;
  auto either = [&](const char* now, const char* before) { return s.find(now) ? s.flag(now) : s.flag(before); };
  semi.source_active = either("rpl_semi_sync_source_status", "rpl_semi_sync_master_status");
  semi.replica_active = either("rpl_semi_sync_replica_status", "rpl_semi_sync_slave_status");
  auto clients = s.find("rpl_semi_sync_source_clients") ? s.number("rpl_semi_sync_source_clients")
                                                        : s.number("rpl_semi_sync_master_clients");
  if (clients) semi.clients = static_cast<int>(*clients);
  facts.connections = static_cast<int>(s.number("threads_connected").value_or(0));
  if (auto up = s.number("uptime"))
    facts.started_at = static_cast<double>(std::time(nullptr)) - static_cast<double>(*up);
  if (const std::string end = s.text("ssl_server_not_after"); !end.empty()) {
    std::tm parts{};  // "Nov 21 20:00:00 2026 GMT"
    if (::strptime(end.c_str(), "%b %d %H:%M:%S %Y", &parts)) {
      facts.certificate_seconds_left = std::difftime(::timegm(&parts), std::time(nullptr));
      note(facts, "certificate_not_after", end, "SQL status");
    }
  }
}

/// "pc.weight = 1; pc.ignore_sb = false; "
std::map<std::string, std::string> options_of(const std::string& text) {
  std::map<std::string, std::string> options;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(';', at), text.size());
    const std::string item = text.substr(at, end - at);
    at = end + 1;
    const size_t sign = item.find(" = "), begin = item.find_first_not_of(' ');
    if (sign == std::string::npos || begin == std::string::npos) continue;
    options[item.substr(begin, sign - begin)] = item.substr(sign + 3);
  }
  return options;
}

void take_galera(MemberFacts& facts, const Settings& v, const Settings& s) {
  cluster::GaleraFacts g;
  g.status = s.text("wsrep_cluster_status");
  g.state = s.text("wsrep_local_state_comment");
  g.uuid = s.text("wsrep_cluster_state_uuid");
  g.local_uuid = s.text("wsrep_local_state_uuid");
  if (auto n = s.number("wsrep_cluster_size")) g.size = static_cast<int>(*n);
  g.last_committed = s.number("wsrep_last_committed");
  g.conf_id = s.number("wsrep_cluster_conf_id");
  g.ready = s.flag("wsrep_ready");
  g.connected = s.flag("wsrep_connected");
  g.wsrep_on = v.flag("wsrep_on");
  g.desynced = v.flag("wsrep_desync");
  g.provider = v.text("wsrep_provider");
  g.reject_queries = v.text("wsrep_reject_queries");
  if (auto n = s.number("wsrep_local_recv_queue")) g.receive_queue = static_cast<int>(*n);
  g.cached_downto = s.number("wsrep_local_cached_downto");
  if (const std::string paused = s.text("wsrep_flow_control_paused"); !paused.empty())
    g.flow_control_paused = std::strtod(paused.c_str(), nullptr);
  // One for each node of the view, in their order; an arbitrator's is empty.
  std::string addresses = s.text("wsrep_incoming_addresses");
  const auto own = s.number("wsrep_local_index");
  int64_t index = 0;
  for (size_t at = 0; at <= addresses.size() && !addresses.empty(); ++index) {
    const size_t end = std::min(addresses.find(',', at), addresses.size());
    std::string address = addresses.substr(at, end - at);
    at = end + 1;
    if (own == index) g.node_address = address;
    if (address.empty())
      ++g.arbitrators;
    else
      g.view.push_back(std::move(address));
  }
  g.node_uuid = s.text("wsrep_gcomm_uuid");
  g.node_name = v.text("wsrep_node_name");
  g.provider_options = options_of(v.text("wsrep_provider_options"));
  g.options_are_variables = v.find("wsrep_provider_pc_weight").has_value();
  facts.role = MemberRole::node;
  facts.lineage = g.local_uuid;
  if (!g.local_uuid.empty() && g.last_committed)
    facts.position = facts.executed = fmt::format("{}:{}", g.local_uuid, *g.last_committed);
  if (const std::string now = s.text("wsrep_flow_control_active"); !now.empty())
    note(facts, "flow control", now == "true" ? "writes wait for a slow member" : "off", "SQL status");
  note(facts, "wsrep_cluster_status", g.status, "SQL status");
  note(facts, "wsrep_local_state_comment", g.state, "SQL status");
  note(facts, "wsrep_last_committed", facts.executed, "SQL status");
  facts.galera = std::move(g);
}

Following take_stream(Engine engine, const sql::Rows& rows, size_t row) {
  auto text = [&](const char* now, const char* before) {
    return rows.column(now) ? rows.text(now, row) : rows.text(before, row);
  };
  Following f;
  f.channel = text("Channel_Name", "Connection_name");
  f.upstream = text("Source_Host", "Master_Host") + ":" + text("Source_Port", "Master_Port");
  const auto numbers = source_numbers(rows, row);
  f.source_uuid = numbers.uuid;
  f.source_server_id = numbers.server_id;
  f.receive_state = text("Replica_IO_Running", "Slave_IO_Running");
  f.source_log = text("Source_Log_File", "Master_Log_File");
  f.receiving = f.receive_state == "Yes";
  f.applying = text("Replica_SQL_Running", "Slave_SQL_Running") == "Yes";
  f.receive_errno = std::atoi(rows.text("Last_IO_Errno", row).c_str());
  f.receive_error = rows.text("Last_IO_Error", row);
  f.apply_errno = std::atoi(rows.text("Last_SQL_Errno", row).c_str());
  f.apply_error = rows.text("Last_SQL_Error", row);
  const char* lag = rows.column("Seconds_Behind_Source") ? "Seconds_Behind_Source" : "Seconds_Behind_Master";
  if (auto seconds = rows.value(lag, row)) f.lag_seconds = std::strtod(seconds->c_str(), nullptr);
  f.uses_gtid = engine == Engine::mysql ? rows.text("Auto_Position", row) == "1" : rows.text("Using_Gtid", row) != "No";
  if (const std::string tls = text("Source_SSL_Allowed", "Master_SSL_Allowed"); tls == "Yes" || tls == "No")
    f.encrypted = tls == "Yes";
  if (int delay = std::atoi(rows.text("SQL_Delay", row).c_str()); delay > 0) f.delay_seconds = delay;
  for (const char* name : {"Replicate_Do_DB", "Replicate_Ignore_DB", "Replicate_Do_Table", "Replicate_Ignore_Table",
                           "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table", "Replicate_Do_Domain_Ids",
                           "Replicate_Ignore_Domain_Ids"})
    if (const std::string value = rows.text(name, row); !value.empty())
      f.filters.push_back(fmt::format("{}={}", name, value));
  f.origins = origins_of(engine, rows, row);
  return f;
}

/// Does a commit get through? Told by those that wait; never tried.
void note_write_path(MemberFacts& facts) {
  double longest = 0;
  std::string state;
  for (const auto* list : {&facts.stuck_commits, &facts.locked_writes})
    for (const auto& one : *list)
      if (one.seconds >= longest) longest = one.seconds, state = one.state;
  const size_t waiting = facts.stuck_commits.size() + facts.locked_writes.size();
  note(facts, "write path",
       waiting ? fmt::format("{} waiting, the longest for {:.0f} s: {}", waiting, longest, state)
               : "no write waits for a receipt, for space or for a global lock",
       "SQL SHOW PROCESSLIST");
}

void take_processes(MemberFacts& facts, const sql::Rows& rows) {
  int followers = 0;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string command = rows.text("Command", i), state = rows.text("State", i);
    if (command.starts_with("Binlog Dump")) {
      ++followers;
      facts.follower_list.push_back({rows.text("Host", i), command, "", ""});
    }
    // A commit that waits for a replica's receipt, or a write that waits for room on the disk.
    if (state.starts_with("Waiting for semi-sync ACK") || state == "Waiting for someone to free space" ||
        state == "Waiting for disk space")
      facts.stuck_commits.push_back({std::strtoull(rows.text("Id", i).c_str(), nullptr, 10),
                                     std::strtod(rows.text("Time", i).c_str(), nullptr), state});
  }
  facts.followers = followers;
}

/// Its replicas with their numbers, as they registered.
void take_registered(Engine engine, MemberFacts& facts, Ask& ask) {
  auto rows = ask.if_allowed("replicas", engine == Engine::mysql ? "SHOW REPLICAS" : "SHOW SLAVE HOSTS");
  if (!rows) return;
  facts.follower_list.clear();
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    cluster::Follower one{.name = rows->text("Host", i) + ":" + rows->text("Port", i), .state = "Binlog Dump"};
    one.server_id = std::strtoull(rows->text("Server_Id", i).c_str(), nullptr, 10);
    one.uuid = rows->text("Replica_UUID", i);
    facts.follower_list.push_back(std::move(one));
  }
  facts.followers_listed = true;
}

/// MySQL: its part in a replication group. Configured is enough: what left its group is still of it.
void look_at_group(MemberFacts& facts, const Settings& variables, Ask& ask) {
  cluster::GroupMembership membership{.group = variables.text("group_replication_group_name")};
  if (membership.group.empty()) return;
  if (auto rows = ask.if_allowed("replication group",
                                 "SELECT MEMBER_ID AS id, MEMBER_STATE AS state, MEMBER_ROLE AS role, MEMBER_ID = "
                                 "@@server_uuid AS own FROM performance_schema.replication_group_members"))
    for (size_t i = 0; i < rows->rows.size(); ++i) {
      if (rows->text("state", i) == "ONLINE") membership.online.insert(rows->text("id", i));
      if (rows->text("own", i) != "1") continue;
      membership.state = rows->text("state", i);
      membership.role = rows->text("role", i);
    }
  facts.role = membership.role == "PRIMARY" ? MemberRole::primary : MemberRole::replica;
  facts.mysql.replication_group = std::move(membership);
}

/// What waits and who is in its way, and what nobody works on. False where the account lacks PROCESS: then it was shown
/// its own sessions only.
bool look_at_transactions(MemberFacts& facts, const sql::Rows& processes, Ask& ask, const mysql_family::Ask& quietly) {
  const auto transactions = mysql_family::read_transactions(
      quietly, [&](const std::string& name, const std::string& statement) { return ask.if_allowed(name, statement); });
  mysql_family::look_at_lock_waits(facts, processes, transactions.value_or(std::vector<mysql_family::Transaction>()),
                                   quietly);
  if (transactions) mysql_family::take_open_transactions(facts, *transactions, processes);
  return transactions.has_value();
}

/// MySQL: how large they are, and which are gone: it finds no file of such, and so again a moment later, for one that
/// is being made, renamed or dropped.
void look_at_tablespaces(MemberFacts& facts, Ask& ask) {
  std::set<std::string> missing;
  for (int look = 0; look < 2 && (look == 0 || !missing.empty()); ++look) {
    if (look > 0) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    // Names are as files have them, so that no comma is in them.
    const auto rows =
        ask("size",
            "SELECT SUM(FILE_SIZE) AS bytes, GROUP_CONCAT(CASE WHEN SPACE_TYPE = 'Single' AND FILE_SIZE = 0 "
            "AND STATE <> 'discarded' THEN NAME END) AS missing FROM "
            "information_schema.INNODB_TABLESPACES");
    if (!rows || !rows->value("bytes")) return;
    facts.data_bytes = std::strtoull(rows->text("bytes").c_str(), nullptr, 10);
    std::set<std::string> now;
    std::istringstream names(rows->text("missing"));
    for (std::string name; std::getline(names, name, ',');)
      if (look == 0 || missing.contains(name)) now.insert(name);
    missing = std::move(now);
  }
  for (const auto& name : missing) facts.missing_files.push_back(name + ".ibd");
}

/// The nodes of its view by their uuids, which no address says: Galera 4 keeps them in a table. Believed where it lists
/// this node and as many as the view has; else it is of another view.
void look_at_nodes(MemberFacts& facts, Ask& ask) {
  auto rows = ask.if_allowed("nodes of the view",
                             "SELECT node_uuid AS uuid, node_name AS name, node_incoming_address AS address FROM "
                             "mysql.wsrep_cluster_members");
  if (!rows || !facts.galera) return;
  auto& g = *facts.galera;
  for (size_t i = 0; i < rows->rows.size(); ++i)
    g.nodes.push_back({rows->text("uuid", i), rows->text("name", i), rows->text("address", i)});
  const bool listed = std::ranges::any_of(g.nodes, [&](const auto& node) { return node.uuid == g.node_uuid; });
  if (!listed || g.size != static_cast<int>(g.nodes.size())) g.nodes.clear();
}

/// Accounts that write though the server is read-only. One with the rights of the role operate has none to any row.
void look_at_write_bypass(MemberFacts& facts, Ask& ask) {
  // Who may not read the tables of accounts is shown its own privileges alone.
  if (!ask.if_allowed("accounts", "SELECT 1 FROM mysql.user LIMIT 0")) return;
  const auto rows = ask("accounts",
                        "SELECT GRANTEE AS who FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE "
                        "IN ('READ ONLY ADMIN','READ_ONLY ADMIN') ORDER BY 1");
  if (!rows || rows->empty()) return;
  const auto operate = role_account(Engine::mariadb, "", AccountRole::operate, "operate", "%");
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    const std::string who = rows->text("who", i);
    const auto grants = ask.if_allowed("accounts", "SHOW GRANTS FOR " + who);
    std::vector<std::string> lines;
    if (grants)
      for (const auto& row : grants->rows) lines.push_back(row[0].value_or(""));
    if (!grants || !operate || rights_of_grants(lines) != operate->rights) facts.write_bypass.push_back(who);
  }
}

void look(Engine engine, MemberFacts& facts, Ask& ask, const mysql_family::Ask& quietly) {
  Settings variables, status;
  if (auto rows =
          ask("variables",
              "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('read_only','super_read_only','server_id',"
              "'hostname','port','report_host','report_port','bind_address','wsrep_node_incoming_address',"
              "'datadir','server_uid','offline_mode','wsrep_provider_options','wsrep_provider_pc_weight',"
              "'server_uuid','log_bin','log_slave_updates','log_replica_updates','gtid_strict_mode',"
              "'event_scheduler','max_connections','sync_binlog','innodb_flush_log_at_trx_commit','wsrep_on',"
              "'wsrep_desync','wsrep_node_name','wsrep_provider','wsrep_reject_queries','wsrep_osu_method','gtid_mode',"
              "'slave_exec_mode','replica_exec_mode','slave_skip_errors','replica_skip_errors',"
              "'sql_slave_skip_counter','sql_replica_skip_counter','slave_type_conversions',"
              "'replica_type_conversions','replicate_events_marked_for_skip','slave_preserve_commit_order',"
              "'replica_preserve_commit_order','group_replication_group_name') OR Variable_name LIKE 'rpl_semi_sync%'"))
    variables.add(*rows);
  if (auto rows = ask("status",
                      "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'wsrep_%' OR Variable_name LIKE 'rpl_semi_sync%' "
                      "OR Variable_name IN ('Threads_connected','Slaves_connected','Uptime','Ssl_server_not_after')"))
    status.add(*rows);
  take_settings(engine, facts, variables);
  take_status(facts, status);
  take_silent_loss(engine, facts, variables);
  if (engine == Engine::galera)
    take_galera(facts, variables, status);
  else if (auto rows = ask("position", positions_of(engine)))
    take_position(engine, facts, *rows);
  if (facts.reach != cluster::Reach::reachable) return;

  const bool unready = facts.galera && facts.galera->ready == false;  // refuses every SELECT (1047)
  if (!unready) {
    const auto before = std::chrono::system_clock::now();
    if (auto rows = ask("clock", "SELECT UNIX_TIMESTAMP(SYSDATE(6)) AS now")) {
      const auto after = std::chrono::system_clock::now();
      const std::chrono::duration<double> middle = (before.time_since_epoch() + after.time_since_epoch()) / 2;
      if (after - before < std::chrono::seconds(1))
        facts.clock_offset_seconds = std::strtod(rows->text("now").c_str(), nullptr) - middle.count();
    }
  }
  if (auto rows = ask("processes", "SHOW FULL PROCESSLIST")) {
    take_processes(facts, *rows);
    const bool sees_all = unready || look_at_transactions(facts, *rows, ask, quietly);
    if (sees_all) {
      note_write_path(facts);
    } else {
      note_unknown(facts, "write path", "SQL SHOW PROCESSLIST", "sessions of others are not shown");
      // MariaDB counts them for everybody.
      facts.followers.reset();
      if (const auto connected = status.number("slaves_connected")) facts.followers = static_cast<int>(*connected);
      if (!facts.followers)
        note_unknown(facts, "followers", "SQL SHOW PROCESSLIST", "sessions of others are not shown");
    }
    if (engine != Engine::galera && facts.followers != 0) take_registered(engine, facts, ask);
  }
  if (engine == Engine::galera) {
    facts.followers.reset();
    if (!unready) look_at_nodes(facts, ask);
    // A node may be fed by a server outside its cluster.
    if (auto rows = ask.if_allowed("replication", "SHOW ALL SLAVES STATUS"))
      for (size_t i = 0; i < rows->rows.size(); ++i) facts.following.push_back(take_stream(engine, *rows, i));
  } else if (auto rows =
                 ask("replication", engine == Engine::mysql ? "SHOW REPLICA STATUS" : "SHOW ALL SLAVES STATUS")) {
    for (size_t i = 0; i < rows->rows.size(); ++i) facts.following.push_back(take_stream(engine, *rows, i));
    facts.role = rows->empty() ? MemberRole::primary : MemberRole::replica;
    const char* received = engine == Engine::mysql ? "Retrieved_Gtid_Set" : "Gtid_IO_Pos";
    for (size_t i = 0; i < rows->rows.size(); ++i)
      if (std::string text = without_newlines(rows->text(received, i)); !text.empty())
        facts.received += (facts.received.empty() ? "" : ",") + text;
    note(facts, "replication", rows->empty() ? "no source configured" : facts.following[0].upstream,
         "SQL replication status");
  }
  if (engine == Engine::mysql) look_at_group(facts, variables, ask);
  if (unready) return;
  if (engine != Engine::galera && facts.mysql.log_bin == true) {
    take_log_filters(engine, facts, ask);
    mysql_family::look_for_lost_logs(
        facts, [&](const std::string& name, const std::string& statement) { return ask.if_allowed(name, statement); });
  }
  if (engine == Engine::mysql)
    look_at_tablespaces(facts, ask);
  else if (auto rows = ask("size", "SELECT SUM(FILE_SIZE) AS bytes FROM information_schema.INNODB_SYS_TABLESPACES");
           rows && rows->value("bytes"))
    facts.data_bytes = std::strtoull(rows->text("bytes").c_str(), nullptr, 10);
  if (engine != Engine::galera && facts.executed.empty() && facts.slave_pos.empty())
    if (auto rows = ask("user tables",
                        "SELECT COUNT(*) AS n FROM information_schema.TABLES WHERE TABLE_SCHEMA NOT IN "
                        "('mysql','sys','information_schema','performance_schema')"))
      facts.mysql.user_tables = std::strtoull(rows->text("n").c_str(), nullptr, 10);
  if (engine == Engine::mariadb) look_at_write_bypass(facts, ask);
}

}  // namespace

void observe_mysql_family(Engine engine, MemberFacts& facts, const sql::Target& target, Deadline deadline,
                          std::stop_token stop) {
  auto connection = sql::MariadbConnection::connect(target, deadline, stop);
  if (!connection) return note_failure(facts, connection.error());
  facts.reach = cluster::Reach::reachable;
  facts.version = connection->server_version();
  Ask ask(facts, *connection, deadline, stop);
  look(engine, facts, ask,
       [&](const std::string& name, const std::string& statement) { return ask.quietly(name, statement); });
  note_missing_rights(engine, facts, ask.refused(),
                      [&](const std::string& statement) { return connection->query(statement, deadline, stop); });
}

void observe_mysql_family_position(Engine engine, MemberFacts& facts, const sql::Target& target, Deadline deadline,
                                   std::stop_token stop) {
  if (engine == Engine::galera) return;  // what a node has committed is compared by its component, not by time
  auto connection = sql::MariadbConnection::connect(target, deadline, stop);
  if (!connection) return note_failure(facts, connection.error());
  Ask ask(facts, *connection, deadline, stop);
  if (auto rows = ask("position", positions_of(engine))) take_position(engine, facts, *rows);
}

}  // namespace holdfast::engine
