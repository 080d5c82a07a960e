#include "engine/role_accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>

#include "sql/rows.h"

namespace holdfast::engine {

using cluster::Engine;

namespace {

constexpr unsigned kObserve = 1, kOperate = 2, kReplicate = 4, kBackup = 8;
constexpr unsigned kLooks = kObserve | kOperate;

constexpr unsigned mask(AccountRole role) {
  return 1U << static_cast<unsigned>(role);
}

struct Right {
  unsigned roles;
  const char* privilege;
  const char* object;
  const char* what_for;
  const char* questions = "";  ///< names of what triage asks and is refused without it, with commas
};

// As SHOW GRANTS names them, so that what is there can be compared. EVENT and TRIGGER allow to create and drop what
// they are named after, too: the servers have nothing narrower that shows their definitions.
constexpr std::array kMariadb = {
    Right{kLooks | kBackup, "PROCESS", "*.*", "sessions and transactions of others, sizes of tablespaces",
          "transactions,size,missing files"},
    Right{kLooks, "BINLOG MONITOR", "*.*", "binary log: its files, position and filters",
          "binary logs,binary log filters"},
    Right{kLooks | kBackup, "SLAVE MONITOR", "*.*", "state of replication", "replication"},
    Right{kLooks | kBackup, "SHOW VIEW", "*.*", "names of tables and views, definitions of views"},
    Right{kOperate, "READ_ONLY ADMIN", "*.*", "read_only"},
    Right{kOperate, "REPLICATION SLAVE ADMIN", "*.*", "start, stop and change replication, gtid_slave_pos"},
    Right{kOperate, "REPLICATION MASTER ADMIN", "*.*", "semi-synchronous source, list of replicas"},
    Right{kReplicate, "REPLICATION SLAVE", "*.*", "a replica reads the binary log"},
    Right{kBackup, "SELECT", "*.*", "rows, accounts, routines"},
    Right{kBackup, "TRIGGER", "*.*", "definitions of triggers"},
    Right{kBackup, "EVENT", "*.*", "definitions of events"},
    Right{kBackup, "RELOAD", "*.*", "the global read lock while the snapshot is taken"},
    Right{kBackup, "EXECUTE", "`sys`.*", "views of the schema sys call its functions"},
};
constexpr std::array kGalera = {
    Right{kLooks, "SELECT", "`mysql`.`wsrep_cluster_members`", "nodes of the component by name", "nodes of the view"},
    Right{kBackup, "BINLOG MONITOR", "*.*", "the seqno of the snapshot, from the binary log"},
};

constexpr std::array kMysql = {
    Right{kLooks | kBackup, "PROCESS", "*.*", "sessions and transactions of others, tablespaces", "transactions,size"},
    Right{kLooks | kBackup, "REPLICATION CLIENT", "*.*", "state of replication, binary log: files and position",
          "replication,binary logs,binary log filters"},
    Right{kLooks | kBackup, "SHOW VIEW", "*.*", "names of tables and views, definitions of views"},
    Right{kLooks, "SELECT", "`performance_schema`.*", "who waits for which lock, members of a replication group",
          "replication group,holders of locks,holders of rows,waiting times"},
    Right{kOperate, "SYSTEM_VARIABLES_ADMIN", "*.*", "read_only, super_read_only, semi-synchronous replication"},
    Right{kOperate, "CONNECTION_ADMIN", "*.*", "super_read_only; logins while offline_mode is on"},
    Right{kOperate, "REPLICATION_SLAVE_ADMIN", "*.*", "start, stop and change replication"},
    Right{kOperate, "SELECT", "`mysql`.`slave_master_info`", "settings of a channel, its password among them"},
    Right{kOperate, "SELECT", "`mysql`.`slave_relay_log_info`", "settings of a channel"},
    Right{kReplicate, "REPLICATION SLAVE", "*.*", "a replica reads the binary log"},
    Right{kBackup, "SELECT", "*.*", "rows, accounts, routines"},
    Right{kBackup, "TRIGGER", "*.*", "definitions of triggers"},
    Right{kBackup, "EVENT", "*.*", "definitions of events"},
    Right{kBackup, "FLUSH_TABLES", "*.*", "the global read lock while the snapshot is taken"},
    Right{kBackup, "RESOURCE_GROUP_USER", "*.*", "definitions of resource groups"},
};

// "ATTRIBUTE": part of CREATE ROLE. "ROLE": membership.
constexpr std::array kPostgres = {
    Right{kOperate | kReplicate, "REPLICATION", "ATTRIBUTE", "a standby streams; slots; timeline histories"},
    Right{kBackup, "BYPASSRLS", "ATTRIBUTE", "tables with row level security, whole"},
    Right{kLooks | kBackup, "pg_monitor", "ROLE", "settings, sessions, WAL and archive of the server",
          "state,oldest WAL,WAL that is needed,archive"},
    Right{kBackup, "pg_read_all_data", "ROLE", "rows, and passwords of roles as they are stored"},
    Right{kLooks, "EXECUTE", "FUNCTION pg_stat_file(text,boolean)", "whether the folder of a database is there",
          "folders of databases,missing pages"},
    Right{kLooks, "EXECUTE", "FUNCTION pg_ls_dir(text)", "which files of tables are there", "missing pages"},
    Right{kLooks, "EXECUTE", "FUNCTION pg_ls_dir(text,boolean,boolean)", "the same in other tablespaces",
          "folders of databases,missing pages"},
    Right{kOperate | kBackup, "EXECUTE", "FUNCTION pg_wal_replay_pause()", "a standby pauses its replay for a moment"},
    Right{kOperate | kBackup, "EXECUTE", "FUNCTION pg_wal_replay_resume()", "and continues"},
    Right{kOperate | kBackup, "EXECUTE", "FUNCTION pg_show_all_file_settings()", "settings of ALTER SYSTEM"},
    Right{kOperate | kBackup, "SELECT", "TABLE pg_file_settings", "the same"},
    Right{kOperate, "EXECUTE", "FUNCTION pg_reload_conf()", "changed settings count"},
};

/// major * 100 + minor of the family; PostgreSQL: the major version alone. 0 = cannot be read.
int version_number(Engine engine, std::string_view text) {
  int major = 0, minor = 0;
  const char *const begin = text.data(), *const end = begin + text.size();
  const auto [dot, error] = std::from_chars(begin, end, major);
  if (error != std::errc()) return 0;
  if (engine == Engine::postgres) return major;
  if (dot != end && *dot == '.') std::from_chars(dot + 1, end, minor);
  return major * 100 + minor;
}

Status check_version(Engine engine, std::string_view version) {
  if (version.empty()) return {};
  const bool postgres = engine == Engine::postgres, mysql = engine == Engine::mysql;
  const int least = postgres ? 14 : mysql ? 800 : 1005;
  if (version_number(engine, version) >= least) return {};
  return fail(ErrorClass::refused, "accounts.version",
              fmt::format("rights are not known for {} {}", cluster::engine_name(engine), version),
              fmt::format("--server-version {} or later", postgres ? "14"
                                                          : mysql  ? "8.0"
                                                                   : "10.5"));
}

std::vector<Right> rights_of(Engine engine, AccountRole role) {
  std::vector<Right> found;
  const auto add = [&](const auto& table) {
    for (const Right& right : table)
      if ((right.roles & mask(role)) != 0) found.push_back(right);
  };
  if (engine == Engine::postgres) {
    add(kPostgres);
  } else if (engine == Engine::mysql) {
    add(kMysql);
  } else {
    add(kMariadb);
    if (engine == Engine::galera) add(kGalera);
  }
  return found;
}

std::vector<std::string> limits_of(Engine engine, AccountRole role) {
  std::vector<std::string> limits;
  const bool looks = role == AccountRole::observe || role == AccountRole::operate;
  if (engine == Engine::postgres) {
    if (looks) limits.emplace_back("the end of the server's certificate is not read: that takes pg_read_server_files");
    if (role == AccountRole::observe)
      limits.emplace_back(
          "timeline histories are not read: they take REPLICATION, with which all data could be copied");
    if (role == AccountRole::operate)
      limits.emplace_back("settings are not changed: ALTER SYSTEM is the administrator's, or its member's agent's");
    if (role == AccountRole::backup) {
      limits.emplace_back(
          "subscriptions and options of user mappings are a superuser's: such dumps note them as left out");
      limits.emplace_back(
          "large objects that are created later are not readable, and a dump fails and says so: run this again");
    }
  } else {
    if (engine != Engine::mysql && looks)
      limits.emplace_back(
          "which accounts bypass read_only is not read: that takes SELECT on mysql.*, passwords included");
    if (role == AccountRole::observe)
      limits.emplace_back(
          engine == Engine::mysql
              ? "SHOW REPLICAS is not asked: it takes REPLICATION SLAVE, with which all data can be read"
              : "SHOW SLAVE HOSTS is not asked: it takes REPLICATION MASTER ADMIN");
    if (role == AccountRole::backup && engine != Engine::mysql)
      limits.emplace_back(
          "views that call functions of yours are noted as invalid: GRANT EXECUTE on those functions, where they only "
          "read");
  }
  if (role == AccountRole::operate)
    limits.emplace_back(
        "no rows are written: a restore into the cluster and an adoption of transactions are the "
        "administrator's");
  return limits;
}

std::string right_name(const Right& right) {
  const std::string_view object = right.object;
  if (object == "ATTRIBUTE") return right.privilege;
  if (object == "ROLE") return fmt::format("ROLE {}", right.privilege);
  return fmt::format("{} ON {}", right.privilege, object);
}

/// Of all but attributes. `who`: quoted.
std::string grant_of(const Right& right, const std::string& who) {
  return std::string_view(right.object) == "ROLE"
             ? fmt::format("GRANT {} TO {}", right.privilege, who)
             : fmt::format("GRANT {} ON {} TO {}", right.privilege, right.object, who);
}

void add_mysql(RoleAccount& account, const std::vector<Right>& rights) {
  const std::string who = sql::quote_mysql(account.name) + "@" + sql::quote_mysql(account.host);
  account.statements.push_back({.sql = fmt::format("CREATE USER {} IDENTIFIED BY {}", who, kPasswordPlace),
                                .what_for = fmt::format("the account to {}", account_role_name(account.role)),
                                .takes_password = true});
  for (const auto& right : rights)
    account.statements.push_back({.sql = grant_of(right, who), .what_for = right.what_for});
}

void add_postgres(RoleAccount& account, const std::vector<Right>& rights) {
  const std::string who = sql::quote_postgres_name(account.name), text = sql::quote_postgres(account.name);
  std::string attributes, why = fmt::format("the account to {}", account_role_name(account.role));
  for (const auto& right : rights) {
    if (std::string_view(right.object) != "ATTRIBUTE") continue;
    attributes += fmt::format(" {}", right.privilege);
    why += fmt::format("; {}: {}", right.privilege, right.what_for);
  }
  account.statements.push_back(
      {.sql = fmt::format("CREATE ROLE {} LOGIN{} PASSWORD {}", who, attributes, kPasswordPlace),
       .what_for = why,
       .takes_password = true});
  for (const auto& right : rights) {
    if (std::string_view(right.object) == "ATTRIBUTE") continue;
    account.statements.push_back({.sql = grant_of(right, who), .what_for = right.what_for});
  }
  if (account.role == AccountRole::replicate) return;
  account.statements.push_back(
      {.sql = fmt::format("SELECT format('GRANT CONNECT ON DATABASE %I TO %I', datname, {0}) FROM pg_database WHERE "
                          "datallowconn AND NOT has_database_privilege({0}, oid, 'CONNECT'){1}",
                          text, account.role == AccountRole::backup ? "" : " AND datname = current_database()"),
       .what_for = "databases that not everybody may connect to",
       .generates = true});
  if (account.role != AccountRole::backup) return;
  account.statements.push_back(
      {.sql = fmt::format(
           "SELECT format('GRANT SELECT ON LARGE OBJECT %s TO %I', oid, {}) FROM pg_largeobject_metadata", text),
       .what_for = "large objects, which pg_read_all_data leaves out",
       .generates = true,
       .each_database = true});
}

/// "SELECT, SHOW VIEW (`a`, `b`), EVENT" at the commas outside of parentheses.
std::vector<std::string> privileges_in(std::string_view list) {
  std::vector<std::string> found;
  std::string word;
  int depth = 0;
  for (const char c : list) {
    if (c == ',' && depth == 0) {
      found.push_back(std::exchange(word, ""));
      continue;
    }
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c != ' ' || !word.empty()) word += c;
  }
  if (!word.empty()) found.push_back(word);
  return found;
}

}  // namespace

std::string_view account_role_name(AccountRole role) {
  constexpr std::array names = {"observe", "operate", "replicate", "backup"};
  return names[static_cast<size_t>(role)];
}

const std::vector<AccountRole>& account_roles() {
  static const std::vector<AccountRole> roles = {AccountRole::observe, AccountRole::operate, AccountRole::replicate,
                                                 AccountRole::backup};
  return roles;
}

std::optional<AccountRole> parse_account_role(std::string_view name) {
  for (const auto role : account_roles())
    if (account_role_name(role) == name) return role;
  return std::nullopt;
}

std::string default_account_name(AccountRole role) {
  return fmt::format("holdfast_{}", account_role_name(role));
}

std::vector<ObserveRight> rights_to_observe(Engine engine, const std::string& account) {
  std::vector<ObserveRight> found;
  for (const auto& right : rights_of(engine, AccountRole::observe)) {
    ObserveRight one{.right = right_name(right), .grant = grant_of(right, account), .questions = {}};
    std::istringstream questions(right.questions);
    for (std::string name; std::getline(questions, name, ',');) one.questions.push_back(name);
    if (!one.questions.empty()) found.push_back(std::move(one));
  }
  return found;
}

Result<RoleAccount> role_account(Engine engine, std::string_view version, AccountRole role, const std::string& name,
                                 const std::string& host) {
  TRY_VOID(check_version(engine, version));
  RoleAccount account{.role = role, .name = name, .host = engine == Engine::postgres ? "" : host};
  const auto rights = rights_of(engine, role);
  for (const auto& right : rights) account.rights.insert(right_name(right));
  if (engine == Engine::postgres)
    add_postgres(account, rights);
  else
    add_mysql(account, rights);
  account.limits = limits_of(engine, role);
  return account;
}

Secret with_password(Engine engine, const AccountStatement& statement, const Secret& password) {
  const size_t at = statement.takes_password ? statement.sql.rfind(kPasswordPlace) : std::string::npos;
  if (at == std::string::npos) return Secret(std::string_view(statement.sql));
  Secret text(std::string_view(statement.sql).substr(0, at));
  const Secret quoted = engine == Engine::postgres ? sql::quote_postgres(password) : sql::quote_mysql(password);
  text.append(quoted.reveal()).append(std::string_view(statement.sql).substr(at + kPasswordPlace.size()));
  return text;
}

std::set<std::string> rights_of_grants(const std::vector<std::string>& lines) {
  std::set<std::string> found;
  for (const std::string_view line : lines) {
    if (!line.starts_with("GRANT ")) continue;
    const size_t on = line.find(" ON "), to = line.rfind(" TO ");
    if (on == std::string_view::npos || to == std::string_view::npos || on > to) {
      found.insert(fmt::format("ROLE {}", line.substr(6, to == std::string_view::npos ? to : to - 6)));
      continue;
    }
    const std::string_view object = line.substr(on + 4, to - on - 4);
    for (const auto& privilege : privileges_in(line.substr(6, on - 6)))
      if (privilege != "USAGE") found.insert(fmt::format("{} ON {}", privilege, object));
    if (line.find(" WITH GRANT OPTION", to) != std::string_view::npos)
      found.insert(fmt::format("GRANT OPTION ON {}", object));
  }
  return found;
}

}  // namespace holdfast::engine
