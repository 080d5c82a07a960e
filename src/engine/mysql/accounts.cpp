#include "engine/mysql/accounts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "engine/mysql_family/statements.h"

namespace holdfast::engine {
namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(60));
}

/// Offset of `word` outside of quotes and parentheses, or npos.
size_t find_word(std::string_view text, std::string_view word, size_t from = 0) {
  char quote = 0;
  int depth = 0;
  for (size_t i = from; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == '\\' && quote != '`') {
        ++i;
      } else if (c == quote) {
        quote = 0;  // a doubled one opens again at once
      }
      continue;
    }
    if (depth == 0 && text.substr(i).starts_with(word)) return i;
    if (c == '`' || c == '\'' || c == '"') quote = c;
    if (c == '(') ++depth;
    if (c == ')') --depth;
  }
  return std::string_view::npos;
}

/// The name in backticks at the start of `text`, and what is behind it.
std::string take_name(std::string_view& text) {
  std::string name;
  if (!text.starts_with('`')) return name;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] != '`') {
      name += text[i];
    } else if (i + 1 < text.size() && text[i + 1] == '`') {
      name += text[++i];
    } else {
      text.remove_prefix(i + 1);
      return name;
    }
  }
  text = {};
  return name;
}

/// Of "`a`, `b`" those that are there; the others are added to `gone`.
std::string columns_there(std::string_view list, const std::set<std::string>& there, std::set<std::string>& gone) {
  std::string kept;
  while (list.starts_with('`')) {
    const std::string name = take_name(list);
    if (there.contains(name))
      kept += (kept.empty() ? "" : ", ") + sql::quote_mysql_name(name);
    else
      gone.insert(name);
    if (list.starts_with(", ")) list.remove_prefix(2);
  }
  return kept;
}

struct Account {
  std::string user, host, name;           ///< name: `user`@`host`
  std::string changed;                    ///< when its password was
  std::string lifetime;                   ///< days; SHOW CREATE USER of an expired account leaves it out
  std::optional<std::string> attributes;  ///< where they hold a second password
  std::string subject, issuer;            ///< of its certificate
};

std::string where(const Account& account) {
  return fmt::format("User = {} AND Host = {}", sql::quote_mysql(account.user), sql::quote_mysql(account.host));
}

std::string create(const Account& account, const std::string& rest) {
  // ALTER USER has no words for a second factor: such an account that is there stays as it is.
  const bool alterable = find_word(rest, " AND IDENTIFIED ") == std::string_view::npos;
  const std::string there = fmt::format("(SELECT COUNT(*) FROM mysql.user WHERE {})", where(account));
  return executed(fmt::format("IF({}, {}, {})", there, sql::quote_mysql(alterable ? "ALTER USER " + rest : "DO 0"),
                              sql::quote_mysql("CREATE USER " + rest)));
}

// The server also keeps what was granted on a column that was dropped. "" where that was all.
Result<std::string> on_columns_that_are_there(sql::MariadbConnection& connection, const Account& account,
                                              const std::string& statement, const GrantObject& object,
                                              std::vector<DumpNote>& notes, std::stop_token stop) {
  if (statement.find(" (`") == std::string::npos) return statement;
  const auto rows = TRY(connection.query(
      fmt::format("SELECT COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
                  sql::quote_mysql(object.database), sql::quote_mysql(object.name)),
      soon(), stop));
  std::set<std::string> there;
  for (size_t i = 0; i < rows.rows.size(); ++i) there.insert(rows.text("c", i));
  std::set<std::string> gone;
  std::string rest = without_columns(statement, there, gone);
  for (const auto& column : gone)
    notes.push_back({"grant.without_object", account.name,
                     fmt::format("{} has a grant on the column {} of {}.{}, which does not exist: the grant is not in "
                                 "the backup",
                                 account.name, column, object.database, object.name)});
  return rest;
}

Result<std::string> grant(sql::MariadbConnection& connection, const Account& account, const std::string& statement,
                          std::vector<DumpNote>& notes, std::stop_token stop) {
  const auto object = grant_object(statement);
  if (object.type.empty()) return statement + ";\n";
  const bool table = object.type == "TABLE";
  const std::string there =
      fmt::format("(SELECT COUNT(*) FROM information_schema.{0}s WHERE {0}_schema = {1} AND {0}_name = {2}{3})",
                  table ? "table" : "routine", sql::quote_mysql(object.database), sql::quote_mysql(object.name),
                  table ? "" : " AND routine_type = " + sql::quote_mysql(object.type));
  // The server keeps grants on what was dropped, but grants nothing on it.
  const auto now = TRY(connection.query("SELECT " + there + " AS n", soon(), stop));
  if (now.text("n") == "0") {
    notes.push_back({"grant.without_object", account.name,
                     fmt::format("{} has a grant on {}.{}, which does not exist: the grant is not in the backup",
                                 account.name, object.database, object.name)});
    return "";
  }
  const std::string now_granted =
      table ? TRY(on_columns_that_are_there(connection, account, statement, object, notes, stop)) : statement;
  if (now_granted.empty()) return "";
  return executed(fmt::format("IF({}, {}, 'DO 0')", there, sql::quote_mysql(now_granted)));
}

Result<std::vector<Account>> list_accounts(sql::MariadbConnection& connection, std::vector<DumpNote>& notes,
                                           std::stop_token stop) {
  const auto rows = TRY(connection.query(
      R"sql(
      SELECT u.User AS u, u.Host AS h, u.plugin AS p, u.password_last_changed AS c, u.password_lifetime AS l,
        u.x509_subject AS xs, u.x509_issuer AS xi, IF(JSON_CONTAINS_PATH(u.User_attributes, 'one',
        '$.additional_password'), u.User_attributes, NULL) AS a, (SELECT COUNT(*) FROM information_schema.plugins p
          WHERE p.plugin_name = u.plugin AND p.plugin_status = 'ACTIVE') AS k
      FROM mysql.user u
      WHERE u.User NOT IN ('mysql.sys', 'mysql.session', 'mysql.infoschema')
      ORDER BY 1, 2)sql",
      soon(), stop));
  std::vector<Account> accounts;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    Account account{rows.text("u", i),  rows.text("h", i), "", rows.text("c", i), rows.text("l", i), rows.value("a", i),
                    rows.text("xs", i), rows.text("xi", i)};
    account.name = sql::quote_mysql_name(account.user) + "@" + sql::quote_mysql_name(account.host);
    if (rows.text("k", i) == "0") {
      notes.push_back(
          {"account.plugin", account.name,
           fmt::format("account {} uses the plug-in {}, which its server has not loaded: the account is not in "
                       "the backup",
                       account.name, rows.text("p", i))});
    } else {
      accounts.push_back(std::move(account));
    }
  }
  return accounts;
}

// Authentication plug-ins that were installed, not built in.
Result<std::string> plugins(sql::MariadbConnection& connection, std::stop_token stop) {
  const auto rows = TRY(connection.query(
      "SELECT plugin_name AS n, plugin_library AS l FROM information_schema.plugins WHERE plugin_type = "
      "'AUTHENTICATION' "
      "AND plugin_status = 'ACTIVE' AND plugin_library IS NOT NULL AND plugin_name IN (SELECT plugin FROM mysql.user)",
      soon(), stop));
  std::string out;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    const std::string name = rows.text("n", i);
    // Its row is there already, for the server's next start: INSTALL wants to write it itself.
    out += fmt::format(
        "DELETE FROM mysql.plugin WHERE name = {0} AND NOT EXISTS (SELECT 1 FROM information_schema.plugins WHERE "
        "plugin_name = {0});\n",
        sql::quote_mysql(name));
    out += executed(fmt::format(
        "IF((SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_name = {}), 'DO 0', {})",
        sql::quote_mysql(name),
        sql::quote_mysql(fmt::format("INSTALL PLUGIN {} SONAME {}", name, sql::quote_mysql(rows.text("l", i))))));
  }
  return out;
}

// What no statement sets, or not at once: default roles, proxies (only a proxy may grant them), old passwords, when a
// password was set, a second one.
Result<std::string> remembered(sql::MariadbConnection& connection, const std::vector<Account>& accounts,
                               std::stop_token stop) {
  std::string out;
  const auto proxies =
      TRY(connection.query("SELECT QUOTE(Host) AS h, QUOTE(User) AS u, QUOTE(Proxied_host) AS ph, QUOTE(Proxied_user) "
                           "AS pu, With_grant AS w, "
                           "QUOTE(Grantor) AS g FROM mysql.proxies_priv",
                           soon(), stop));
  for (size_t i = 0; i < proxies.rows.size(); ++i) {
    out += fmt::format(
        "REPLACE INTO mysql.proxies_priv (Host, User, Proxied_host, Proxied_user, With_grant, Grantor) VALUES ({}, {}, "
        "{}, {}, {}, {});\n",
        proxies.text("h", i), proxies.text("u", i), proxies.text("ph", i), proxies.text("pu", i), proxies.text("w", i),
        proxies.text("g", i));
  }
  // As rows, too: a role may be an account's because it is mandatory, which the server's settings say.
  const auto roles =
      TRY(connection.query("SELECT QUOTE(HOST) AS h, QUOTE(USER) AS u, QUOTE(DEFAULT_ROLE_HOST) AS rh, "
                           "QUOTE(DEFAULT_ROLE_USER) AS r FROM mysql.default_roles",
                           soon(), stop));
  for (size_t i = 0; i < roles.rows.size(); ++i) {
    out += fmt::format(
        "REPLACE INTO mysql.default_roles (HOST, USER, DEFAULT_ROLE_HOST, DEFAULT_ROLE_USER) VALUES ({}, {}, {}, "
        "{});\n",
        roles.text("h", i), roles.text("u", i), roles.text("rh", i), roles.text("r", i));
  }
  // As rows: a component that is loaded with the next start only makes some of them known.
  const auto rights = TRY(connection.query(
      "SELECT QUOTE(g.USER) AS u, QUOTE(g.HOST) AS h, QUOTE(g.PRIV) AS p, QUOTE(g.WITH_GRANT_OPTION) AS w, g.USER AS "
      "un, g.HOST AS hn FROM mysql.global_grants g ORDER BY 1, 2, 3",
      soon(), stop));
  for (size_t i = 0; i < rights.rows.size(); ++i) {
    const auto is_its = [&](const Account& a) {
      return a.user == rights.text("un", i) && a.host == rights.text("hn", i);
    };
    if (std::ranges::none_of(accounts, is_its)) continue;
    out +=
        fmt::format("REPLACE INTO mysql.global_grants (USER, HOST, PRIV, WITH_GRANT_OPTION) VALUES ({}, {}, {}, {});\n",
                    rights.text("u", i), rights.text("h", i), rights.text("p", i), rights.text("w", i));
  }
  // Each account has just been given its password, which is no second use of it.
  for (const auto& account : accounts)
    out += fmt::format("DELETE FROM mysql.password_history WHERE {};\n", where(account));
  const auto history =
      TRY(connection.query("SELECT QUOTE(Host) AS h, QUOTE(User) AS u, Password_timestamp AS t, HEX(Password) AS p "
                           "FROM mysql.password_history "
                           "WHERE Password IS NOT NULL",
                           soon(), stop));
  for (size_t i = 0; i < history.rows.size(); ++i) {
    out += fmt::format(
        "INSERT IGNORE INTO mysql.password_history (Host, User, Password_timestamp, Password) VALUES ({}, {}, '{}', "
        "0x{});\n",
        history.text("h", i), history.text("u", i), history.text("t", i), history.text("p", i));
  }
  for (const auto& account : accounts) {
    if (!account.changed.empty())
      out += fmt::format("UPDATE mysql.user SET password_last_changed = '{}' WHERE {};\n", account.changed,
                         where(account));
    if (!account.lifetime.empty())
      out += fmt::format("UPDATE mysql.user SET password_lifetime = {} WHERE {};\n", account.lifetime, where(account));
    if (account.attributes)
      out += fmt::format("UPDATE mysql.user SET User_attributes = {} WHERE {};\n",
                         sql::quote_mysql(*account.attributes), where(account));
  }
  return out;
}

// Accounts that views run as, without those of the server.
Result<std::vector<Account>> list_definers(sql::MariadbConnection& connection, std::stop_token stop) {
  const auto views = TRY(connection.query(
      "SELECT DISTINCT DEFINER AS d FROM information_schema.VIEWS WHERE TABLE_SCHEMA NOT IN ('mysql', 'sys')", soon(),
      stop));
  std::set<std::string> names;
  for (size_t i = 0; i < views.rows.size(); ++i) names.insert(views.text("d", i));
  std::vector<Account> definers;
  if (names.empty()) return definers;
  const auto users = TRY(connection.query("SELECT User AS u, Host AS h FROM mysql.user ORDER BY 1, 2", soon(), stop));
  for (size_t i = 0; i < users.rows.size(); ++i) {
    const std::string user = users.text("u", i), host = users.text("h", i);
    if (user.starts_with("mysql.") || !names.contains(user + "@" + host)) continue;
    definers.push_back(
        {.user = user, .host = host, .name = sql::quote_mysql_name(user) + "@" + sql::quote_mysql_name(host)});
  }
  return definers;
}

// Once for the account that was not there before the load. Not known (the variable is lost with a connection): nothing.
std::string for_new_definer(size_t i, const std::string& statement) {
  return executed(fmt::format("IF(@holdfast_definer_{} = 0, {}, 'DO 0')", i, sql::quote_mysql(statement)));
}

}  // namespace

Result<std::string> definers_of_views(sql::MariadbConnection& connection, std::stop_token stop) {
  const auto definers = TRY(list_definers(connection, stop));
  std::string out;
  for (size_t i = 0; i < definers.size(); ++i) {
    out +=
        fmt::format("SET @holdfast_definer_{} = (SELECT COUNT(*) FROM mysql.user WHERE {});\n", i, where(definers[i]));
    out += for_new_definer(i, fmt::format("CREATE USER {} ACCOUNT LOCK", definers[i].name));
    out += for_new_definer(
        i, fmt::format("GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE, SHOW VIEW ON *.* TO {}", definers[i].name));
  }
  return out.empty() ? out : "--\n-- Accounts that views run as, until the accounts follow\n--\n\n" + out + "\n";
}

const std::vector<std::string>& account_tables() {
  static const std::vector<std::string> names = {
      "user",          "db",         "tables_priv",   "columns_priv",    "procs_priv", "proxies_priv",
      "global_grants", "role_edges", "default_roles", "password_history"};
  return names;
}

CreateUser split_create_user(std::string_view statement) {
  constexpr std::string_view kStart = "CREATE USER ", kRole = " DEFAULT ROLE ";
  CreateUser made;
  if (!statement.starts_with(kStart)) return made;
  statement.remove_prefix(kStart.size());
  made.account = statement.substr(0, find_word(statement, " "));
  const size_t role = find_word(statement, kRole);
  if (role == std::string_view::npos) {
    made.rest = statement;
    return made;
  }
  const size_t from = role + kRole.size(), end = std::min(find_word(statement, " ", from), statement.size());
  made.rest = std::string(statement.substr(0, role)) + std::string(statement.substr(end));
  return made;
}

std::string quote_certificate(std::string text, const std::string& subject, const std::string& issuer) {
  const auto quote = [&](std::string_view word, const std::string& value) {
    const std::string shown = fmt::format(" {} '{}'", word, value);
    const size_t at = text.find(shown);
    if (!value.empty() && at != std::string::npos)
      text.replace(at, shown.size(), fmt::format(" {} {}", word, sql::quote_mysql(value)));
  };
  quote("SUBJECT", subject);
  quote("ISSUER", issuer);
  return text;
}

std::string without_columns(std::string_view statement, const std::set<std::string>& there,
                            std::set<std::string>& gone) {
  constexpr std::string_view kGrant = "GRANT ";
  const size_t on = find_word(statement, " ON ");
  if (!statement.starts_with(kGrant) || on == std::string_view::npos) return std::string(statement);
  std::string rights;
  std::string_view rest = statement.substr(kGrant.size(), on - kGrant.size());
  while (!rest.empty()) {
    const size_t end = std::min(find_word(rest, ", "), rest.size()), open = rest.substr(0, end).find(" (");
    std::string right(rest.substr(0, std::min(open, end)));
    if (open < end) {
      const std::string kept = columns_there(rest.substr(open + 2, end - open - 3), there, gone);
      right = kept.empty() ? "" : fmt::format("{} ({})", right, kept);
    }
    if (!right.empty()) rights += (rights.empty() ? "" : ", ") + right;
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return rights.empty() ? "" : fmt::format("GRANT {}{}", rights, statement.substr(on));
}

bool is_dynamic_grant(std::string_view statement) {
  const size_t on = find_word(statement, " ON *.* TO ");
  return on != std::string_view::npos && statement.starts_with("GRANT ") &&
         statement.substr(0, on).find('_') != std::string_view::npos;
}

GrantObject grant_object(std::string_view statement) {
  const size_t on = find_word(statement, " ON ");
  if (on == std::string_view::npos) return {};  // roles
  std::string_view rest = statement.substr(on + 4);
  GrantObject object;
  object.type = "TABLE";
  for (const std::string_view type : {"PROCEDURE", "FUNCTION"}) {
    if (rest.starts_with(type) && rest.substr(type.size()).starts_with(" ")) {
      object.type = type;
      rest.remove_prefix(type.size() + 1);
    }
  }
  object.database = take_name(rest);
  if (object.database.empty() || !rest.starts_with(".`")) return {};
  rest.remove_prefix(1);
  object.name = take_name(rest);
  return object;
}

Result<std::string> account_statements(sql::MariadbConnection& connection, std::vector<DumpNote>& notes,
                                       std::stop_token stop) {
  for (const char* setting : {"SET SESSION print_identified_with_as_hex = ON", "SET SESSION time_zone = '+00:00'"})
    TRY(connection.query(setting, soon(), stop));
  const auto accounts = TRY(list_accounts(connection, notes, stop));
  std::string creates, grants;
  bool revokes = false;
  for (const auto& account : accounts) {
    const auto shown = TRY(connection.query("SHOW CREATE USER " + account.name, soon(), stop));
    if (shown.empty() || !shown.rows[0][0]) continue;
    const auto made = split_create_user(*shown.rows[0][0]);
    creates += create(account, quote_certificate(made.rest, account.subject, account.issuer));
    const auto granted = TRY(connection.query("SHOW GRANTS FOR " + account.name, soon(), stop));
    for (const auto& row : granted.rows) {
      const std::string statement = row[0].value_or("");
      revokes = revokes || statement.starts_with("REVOKE ");
      if (!statement.empty() && !statement.starts_with("GRANT PROXY ") && !is_dynamic_grant(statement))
        grants += TRY(grant(connection, account, statement, notes, stop));
    }
  }
  std::string out = "\n--\n-- Accounts\n--\n\n" + own_settings() + "SET SESSION sql_log_bin = 0;\n";
  const auto definers = TRY(list_definers(connection, stop));
  for (size_t i = 0; i < definers.size(); ++i) out += for_new_definer(i, "DROP USER " + definers[i].name);
  out += TRY(plugins(connection, stop)) + creates;
  if (revokes) out += "SET GLOBAL partial_revokes = ON;\n";
  out += grants + TRY(remembered(connection, accounts, stop)) + "FLUSH PRIVILEGES;\n\n";
  return out;
}

}  // namespace holdfast::engine
