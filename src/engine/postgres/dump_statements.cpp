#include "engine/postgres/dump_statements.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "engine/postgres/dump_parts.h"
#include "engine/postgres/loadable.h"

namespace holdfast::engine {
namespace {

using detail::privileges;
using detail::setting_statement;
using detail::soon;

constexpr std::string_view kEndMarker = "-- PostgreSQL database dump complete";
constexpr std::string_view kCreateExtension = "CREATE EXTENSION IF NOT EXISTS ";

// Stored as a list of quoted names, which is the form SET reads (guc.c, GUC_LIST_QUOTE); all others are one literal.
bool is_list_setting(std::string_view name) {
  constexpr std::array<std::string_view, 6> kLists = {"local_preload_libraries",   "search_path",
                                                      "session_preload_libraries", "shared_preload_libraries",
                                                      "temp_tablespaces",          "unix_socket_directories"};
  return std::ranges::count(kLists, name) > 0;
}

}  // namespace

namespace detail {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(30));
}

std::string setting_statement(const std::string& of, const std::string& setting) {
  const size_t equals = setting.find('=');
  return "ALTER " + of + set_clause(setting.substr(0, equals), setting.substr(equals + 1));
}

Result<std::string> privileges(sql::PostgresConnection& session, const std::string& object, const std::string& owner,
                               const std::string& of, const std::stop_token& stop) {
  std::string out = fmt::format("REVOKE ALL ON {0} FROM PUBLIC;\nREVOKE ALL ON {0} FROM {1};\n", object, owner);
  auto rights = TRY(session.query(
      "SELECT a.privilege_type AS p, a.is_grantable AS g, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE "
      "quote_ident(e.rolname) END AS who, quote_ident(o.rolname) AS by, a.grantor = x.owner AS own FROM (" +
          of +
          ") x, aclexplode(x.acl) a LEFT JOIN pg_roles e ON e.oid = a.grantee LEFT JOIN pg_roles o ON o.oid = "
          "a.grantor ORDER BY a.grantor <> x.owner, NOT a.is_grantable",
      soon(), stop));
  for (size_t i = 0; i < rights.rows.size(); ++i) {
    const std::string grant =
        fmt::format("GRANT {} ON {} TO {}{};\n", rights.text("p", i), object, rights.text("who", i),
                    rights.text("g", i) == "t" ? " WITH GRANT OPTION" : "");
    out += rights.text("own", i) == "t" ? grant
                                        : fmt::format("SET SESSION AUTHORIZATION {};\n{}RESET SESSION AUTHORIZATION;\n",
                                                      rights.text("by", i), grant);
  }
  return out;
}

}  // namespace detail

std::string set_clause(const std::string& name, const std::string& value) {
  return fmt::format(" SET {} TO {};\n", sql::quote_postgres_name(name),
                     is_list_setting(name) && !value.empty() ? value : sql::quote_postgres(value));
}

Result<sql::PostgresConnection> open_dump_session(const sql::Target& target, std::stop_token stop) {
  auto connection = TRY(sql::PostgresConnection::connect(target, soon(), stop));
  // What users have made under the name of a function or operator of the server's own is not meant.
  TRY(connection.query("SET search_path = ''", soon(), stop));
  TRY(
      connection.query("SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', "
                       "'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', "
                       "'transaction_timeout')",
                       soon(), stop));
  TRY(connection.query("SET role = none", soon(), stop));
  return connection;
}

Result<std::string> speak_own_encoding(sql::PostgresConnection& session, std::stop_token stop) {
  auto set = TRY(session.query(
      "SELECT pg_catalog.set_config('client_encoding', pg_catalog.getdatabaseencoding(), false) AS e", soon(), stop));
  return set.text("e");
}

std::string after_connect() {
  return "SET default_transaction_read_only = off;\nSET role = none;\nSET lc_monetary = 'C';\n"
         "SET transform_null_equals = off;\nSET array_nulls = on;\n";
}

std::string connect_command(const std::string& database) {
  std::string value, argument;
  for (const char c : database) value += c == '\\' || c == '\'' ? std::string("\\") + c : std::string(1, c);
  for (const char c : "dbname='" + value + "'") {
    if (c == '\n') {
      argument += "\\n";
    } else if (c == '\r') {
      argument += "\\r";
    } else {
      if (c == '\\' || c == '\'') argument += '\\';
      argument += c;
    }
  }
  return "\\connect -reuse-previous=on '" + argument + "'\n";
}

Result<std::string> database_properties(sql::PostgresConnection& session, const std::string& database,
                                        std::stop_token stop) {
  const std::string name = sql::quote_postgres_name(database), literal = sql::quote_postgres(database);
  auto facts = TRY(session.query(R"sql(
      SELECT d.oid, r.rolname AS owner, d.datdba = 10 AS bootstrap, d.datconnlimit AS lim, d.datistemplate AS template,
        d.datacl IS NOT NULL AS acl, shobj_description(d.oid, 'pg_database') AS comment
      FROM pg_database d
      JOIN pg_roles r ON r.oid = d.datdba
      WHERE d.datname = )sql" + literal,
                                 soon(), stop));
  if (facts.empty()) return std::string();
  const std::string oid = facts.text("oid"), owner = sql::quote_postgres_name(facts.text("owner"));
  std::string out;
  if (facts.text("bootstrap") != "t") out += fmt::format("ALTER DATABASE {} OWNER TO {};\n", name, owner);
  if (facts.text("lim") != "-1")
    out += fmt::format("ALTER DATABASE {} CONNECTION LIMIT {};\n", name, facts.text("lim"));
  const bool is_template = facts.text("template") == "t";
  if (is_template != (database == "template1"))
    out += fmt::format("ALTER DATABASE {} IS_TEMPLATE {};\n", name, is_template ? "true" : "false");
  const auto comment = facts.value("comment");
  out += fmt::format("COMMENT ON DATABASE {} IS {};\n", name, comment ? sql::quote_postgres(*comment) : "NULL");
  auto labels =
      TRY(session.query("SELECT provider, label FROM pg_shseclabel WHERE classoid = 'pg_database'::regclass "
                        "AND objoid = " +
                            oid,
                        soon(), stop));
  for (size_t i = 0; i < labels.rows.size(); ++i)
    out += fmt::format("SECURITY LABEL FOR {} ON DATABASE {} IS {};\n",
                       sql::quote_postgres_name(labels.text("provider", i)), name,
                       sql::quote_postgres(labels.text("label", i)));
  if (facts.text("acl") == "t")
    out += TRY(privileges(session, "DATABASE " + name, owner,
                          "SELECT datacl AS acl, datdba AS owner FROM pg_database WHERE oid = " + oid, stop));
  auto settings =
      TRY(session.query("SELECT quote_ident(r.rolname) AS role, unnest(s.setconfig) AS c FROM "
                        "pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE s.setdatabase = " +
                            oid,
                        soon(), stop));
  for (size_t i = 0; i < settings.rows.size(); ++i) {
    const auto role = settings.value("role", i);
    out += setting_statement(role ? fmt::format("ROLE {} IN DATABASE {}", *role, name) : "DATABASE " + name,
                             settings.text("c", i));
  }
  return out;
}

Result<std::string> server_properties(sql::PostgresConnection& session, std::stop_token stop) {
  auto settings = TRY(session.query(
      "SELECT unnest(setconfig) AS c FROM pg_db_role_setting WHERE setdatabase = 0 AND setrole = 0", soon(), stop));
  std::string out;
  for (size_t i = 0; i < settings.rows.size(); ++i) out += setting_statement("ROLE ALL", settings.text("c", i));
  auto spaces = TRY(session.query(
      "SELECT t.oid, t.spcname AS n, quote_ident(r.rolname) AS owner, t.spcowner = 10 AS bootstrap, t.spcacl IS NOT "
      "NULL AS acl, array_to_string(t.spcoptions, ', ') AS options, shobj_description(t.oid, 'pg_tablespace') AS c "
      "FROM pg_tablespace t JOIN pg_roles r ON r.oid = t.spcowner WHERE t.spcname IN ('pg_default', 'pg_global') "
      "ORDER BY 2",
      soon(), stop));
  for (size_t i = 0; i < spaces.rows.size(); ++i) {
    const std::string object = "TABLESPACE " + spaces.text("n", i);
    if (spaces.text("bootstrap", i) != "t")
      out += fmt::format("ALTER {} OWNER TO {};\n", object, spaces.text("owner", i));
    if (!spaces.text("options", i).empty())
      out += fmt::format("ALTER {} SET ({});\n", object, spaces.text("options", i));
    if (const auto comment = spaces.value("c", i))
      out += fmt::format("COMMENT ON {} IS {};\n", object, sql::quote_postgres(*comment));
    if (spaces.text("acl", i) == "t")
      out += TRY(privileges(
          session, object, spaces.text("owner", i),
          "SELECT spcacl AS acl, spcowner AS owner FROM pg_tablespace WHERE oid = " + spaces.text("oid", i), stop));
  }
  auto roles = TRY(session.query(
      "SELECT quote_ident(rolname) AS n, shobj_description(oid, 'pg_authid') AS c FROM pg_roles WHERE rolname LIKE "
      "'pg\\_%' AND shobj_description(oid, 'pg_authid') IS NOT NULL ORDER BY 1",
      soon(), stop));
  for (size_t i = 0; i < roles.rows.size(); ++i)
    out += fmt::format("COMMENT ON ROLE {} IS {};\n", roles.text("n", i), sql::quote_postgres(roles.text("c", i)));
  out += TRY(database_properties(session, "template0", stop));
  return out.empty() ? out
                     : "--\n-- Settings of all roles, roles and tablespaces of the server, what new databases are "
                       "copied from\n--\n\n" +
                           out + "\n";
}

Result<std::string> create_database(sql::PostgresConnection& session, const std::string& database,
                                    std::stop_token stop) {
  auto facts = TRY(session.query(
      "SELECT pg_encoding_to_char(d.encoding) AS encoding, d.datcollate AS c, d.datctype AS t, to_jsonb(d)->>"
      "'datlocprovider' AS provider, coalesce(to_jsonb(d)->>'daticulocale', to_jsonb(d)->>'datlocale') AS locale, "
      "quote_ident(s.spcname) AS space FROM pg_database d JOIN pg_tablespace s ON s.oid = d.dattablespace WHERE "
      "d.datname = " +
          sql::quote_postgres(database),
      soon(), stop));
  std::string out =
      fmt::format("CREATE DATABASE {} WITH TEMPLATE = template0 ENCODING = {} LC_COLLATE = {} LC_CTYPE = {}",
                  sql::quote_postgres_name(database), sql::quote_postgres(facts.text("encoding")),
                  sql::quote_postgres(facts.text("c")), sql::quote_postgres(facts.text("t")));
  if (facts.text("provider") == "i")
    out += " LOCALE_PROVIDER = icu ICU_LOCALE = " + sql::quote_postgres(facts.text("locale"));
  if (facts.text("space") != "pg_default") out += " TABLESPACE = " + facts.text("space");
  return out + ";\n";
}

std::string with_in_place_tablespaces(std::string_view globals) {
  std::string out, statement;
  bool any = false;
  ScriptLexer lexer;
  lexer.feed(globals, [&](const ScriptPiece& piece) {
    if (piece.unit != ScriptUnit::statement) {
      out += piece.text;
      return;
    }
    statement += piece.text;
    if (!piece.last) return;
    constexpr std::string_view kPlace = " LOCATION 'pg_tblspc/";
    const size_t at = statement.starts_with("CREATE TABLESPACE ") ? statement.rfind(kPlace) : std::string::npos;
    if (at != std::string::npos &&
        statement.find_first_not_of("0123456789", at + kPlace.size()) == statement.size() - 2) {
      statement.replace(at, std::string::npos, " LOCATION '';");
    }
    any = any || (statement.starts_with("CREATE TABLESPACE ") && statement.ends_with(" LOCATION '';"));
    out += std::exchange(statement, {});
  });
  return any ? "SET allow_in_place_tablespaces = on;\n" + out : out;
}

std::string DumpInserter::feed(std::string_view bytes) {
  std::string out;
  lexer_.feed(bytes, [&](const ScriptPiece& piece) { take(piece, out); });
  return out;
}

void DumpInserter::take(const ScriptPiece& piece, std::string& out) {
  switch (piece.unit) {
    case ScriptUnit::meta:
      out += piece.text;
      unit_ += piece.text;
      if (!piece.last) return;
      if (unit_.starts_with("\\connect ")) out += after_connect_ + frame_.objects;
      unit_.clear();
      return;
    case ScriptUnit::comment:
      unit_ += piece.text;
      if (!piece.last) return;
      if (frame_.before_attach && !in_data_ && unit_.find("; Type: TABLE ATTACH; ") != std::string::npos) {
        in_data_ = true;
        out += frame_.before + "\n";
      }
      if (unit_.starts_with(kEndMarker)) {
        if (!in_data_ && !frame_.before.empty()) out += frame_.before + "\n";  // a database without a table
        if (!frame_.after.empty()) out += frame_.after + "\n";
      }
      out += std::exchange(unit_, {});
      return;
    case ScriptUnit::statement: {
      // Its first bytes say what it is.
      constexpr size_t kHead = 32;
      if (!headed_) {
        unit_ += piece.text;
        if (!piece.last && unit_.size() < kHead) return;
        headed_ = true;
        if ((unit_.starts_with("COPY ") || unit_.starts_with("REFRESH MATERIALIZED VIEW ")) && !in_data_) {
          in_data_ = true;
          out += frame_.before;
        }
        extension_ = !frame_.behind_extensions.empty() && unit_.starts_with(kCreateExtension);
        event_trigger_ = frame_.event_triggers &&
                         (unit_.starts_with("CREATE EVENT TRIGGER ") || unit_.starts_with("ALTER EVENT TRIGGER "));
        whole_ = may_need_loadable(unit_);
        if (!whole_) out += event_trigger_ || extension_ ? unit_ : std::exchange(unit_, {});
      } else if (whole_) {
        unit_ += piece.text;
      } else {
        if (event_trigger_ || extension_) unit_ += piece.text;
        out += piece.text;
      }
      if (!piece.last) break;
      headed_ = false;
      if (std::exchange(whole_, false)) out += loadable(std::exchange(unit_, {}));
      if (std::exchange(extension_, false)) {
        size_t end = 0;
        const auto of = frame_.behind_extensions.find(script_name(unit_.substr(kCreateExtension.size()), &end));
        if (of != frame_.behind_extensions.end()) out += "\n" + of->second;
        unit_.clear();
      }
      if (std::exchange(event_trigger_, false)) {
        const std::string_view name = std::string_view(unit_).substr(unit_.find("TRIGGER ") + 8);
        size_t end = 0;
        (void)script_name(name, &end);
        out += fmt::format("\nALTER EVENT TRIGGER {} DISABLE;\n", name.substr(0, end));
        unit_.clear();
      }
      break;
    }
    case ScriptUnit::blank:
    case ScriptUnit::copy:
    case ScriptUnit::copy_end:
      out += piece.text;
      break;
  }
}

}  // namespace holdfast::engine
