#include "engine/make_account.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <vector>

#include "crypto/random.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::engine {

using cluster::Engine;

namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(30));
}

/// Attributes, memberships, and what was granted by name on functions, relations, parameters and databases. That it may
/// connect is no right of interest.
std::string postgres_rights(const std::string& name) {
  return fmt::format(
      R"sql(
      WITH r AS (SELECT * FROM pg_roles WHERE rolname = {0})
      SELECT a.n AS n
      FROM r CROSS JOIN LATERAL (VALUES (rolsuper, 'SUPERUSER'), (rolcreaterole, 'CREATEROLE'), (rolcreatedb,
            'CREATEDB'), (rolreplication, 'REPLICATION'), (rolbypassrls, 'BYPASSRLS'), (NOT rolcanlogin, 'NOLOGIN'))
          a(is_so, n)
      WHERE a.is_so
      UNION ALL SELECT 'ROLE ' || g.rolname
      FROM pg_auth_members m JOIN r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
      UNION ALL SELECT format('%s ON FUNCTION %s', x.privilege_type, p.oid::regprocedure)
      FROM pg_proc p CROSS JOIN aclexplode(p.proacl) x JOIN r ON r.oid = x.grantee
      UNION ALL SELECT format('%s ON TABLE %s', x.privilege_type, c.oid::regclass)
      FROM pg_class c CROSS JOIN aclexplode(c.relacl) x JOIN r ON r.oid = x.grantee
      UNION ALL SELECT format('%s ON DATABASE %I', x.privilege_type, d.datname)
      FROM pg_database d CROSS JOIN aclexplode(d.datacl) x JOIN r ON r.oid = x.grantee
      WHERE x.privilege_type <> 'CONNECT'
      UNION ALL SELECT format('OWNER OF DATABASE %I', d.datname)
      FROM pg_database d JOIN r ON r.oid = d.datdba
      UNION ALL SELECT format('OWNER OF %s', c.oid::regclass)
      FROM pg_class c JOIN r ON r.oid = c.relowner)sql",
      sql::quote_postgres(name));
}

std::set<std::string> column_of(const sql::Rows& rows) {
  std::set<std::string> found;
  for (const auto& row : rows.rows) found.insert(row[0].value_or(""));
  return found;
}

Result<sql::PostgresConnection> postgres_session(const sql::Target& administrator, const std::string& database,
                                                 const std::stop_token& stop) {
  sql::Target target = administrator;
  target.database = database;
  return sql::PostgresConnection::connect(target, soon(), stop);
}

Status run_postgres(sql::PostgresConnection& session, const AccountStatement& statement, const std::stop_token& stop) {
  const auto rows = TRY(session.query(statement.sql, soon(), stop));
  if (!statement.generates) return {};
  for (const auto& row : rows.rows) TRY(session.query(row[0].value_or(""), soon(), stop));
  return {};
}

Status make_postgres(const sql::Target& administrator, const RoleAccount& account,
                     const std::optional<Secret>& password, const std::stop_token& stop) {
  auto home = TRY(postgres_session(administrator, "", stop));
  // The statement with the password is to be in no log. Who may not set this has a log of others' making.
  for (const char* quiet :
       {"SET log_statement = 'none'", "SET log_min_duration_statement = -1", "SET log_min_error_statement = 'panic'"})
    (void)home.query(quiet, soon(), stop);
  for (const auto& statement : account.statements) {
    if (statement.takes_password) {
      if (password) TRY(home.query(with_password(Engine::postgres, statement, *password).reveal(), soon(), stop));
      continue;
    }
    if (!statement.each_database) {
      TRY_VOID(run_postgres(home, statement, stop));
      continue;
    }
    const auto databases =
        TRY(home.query("SELECT datname FROM pg_database WHERE datallowconn AND datconnlimit <> -2 AND datname <> "
                       "'template0' ORDER BY 1",
                       soon(), stop));
    for (const auto& row : databases.rows) {
      const std::string name = row[0].value_or("");
      auto session = TRY(postgres_session(administrator, name, stop).context("database " + name));
      TRY_VOID(run_postgres(session, statement, stop).context("database " + name));
    }
  }
  return {};
}

}  // namespace

Result<std::optional<std::set<std::string>>> read_rights(Engine engine, const sql::Target& administrator,
                                                         const RoleAccount& account, std::stop_token stop) {
  using Rights = std::optional<std::set<std::string>>;
  if (engine == Engine::postgres) {
    auto session = TRY(postgres_session(administrator, "", stop));
    const auto there =
        TRY(session.query("SELECT FROM pg_roles WHERE rolname = " + sql::quote_postgres(account.name), soon(), stop));
    if (there.empty()) return Rights();
    return Rights(column_of(TRY(session.query(postgres_rights(account.name), soon(), stop))));
  }
  auto session = TRY(sql::MariadbConnection::connect(administrator, soon(), stop));
  const std::string name = sql::quote_mysql(account.name), host = sql::quote_mysql(account.host);
  const auto there = TRY(
      session.query(fmt::format("SELECT 1 FROM mysql.user WHERE User = {} AND Host = {}", name, host), soon(), stop));
  if (there.empty()) return Rights();
  const auto lines = column_of(TRY(session.query(fmt::format("SHOW GRANTS FOR {}@{}", name, host), soon(), stop)));
  return Rights(rights_of_grants({lines.begin(), lines.end()}));
}

Status make_account(Engine engine, const sql::Target& administrator, const RoleAccount& account,
                    const std::optional<Secret>& password, std::stop_token stop) {
  if (engine == Engine::postgres) return make_postgres(administrator, account, password, stop);
  auto session = TRY(sql::MariadbConnection::connect(administrator, soon(), stop));
  for (const auto& statement : account.statements) {
    if (!statement.takes_password)
      TRY(session.query(statement.sql, soon(), stop));
    else if (password)
      TRY(session.query(with_password(engine, statement, *password).reveal(), soon(), stop));
  }
  return {};
}

Secret new_password() {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<uint8_t, 32> random{};
  crypto::fill_random(random);
  Secret password;
  for (auto& byte : random) password.append(kLetters.substr(byte % kLetters.size(), 1));
  ::explicit_bzero(random.data(), random.size());
  return password;
}

}  // namespace holdfast::engine
