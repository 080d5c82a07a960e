#include "engine/postgres/dump_statements.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace holdfast::engine {
namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(30));
}

constexpr std::string_view kEndMarker = "-- PostgreSQL database dump complete";
constexpr std::string_view kCreateExtension = "CREATE EXTENSION IF NOT EXISTS ";

// Stored as a list of quoted names, which is the form SET reads (guc.c, GUC_LIST_QUOTE); all others are one literal.
bool is_list_setting(std::string_view name) {
  constexpr std::array<std::string_view, 6> kLists = {"local_preload_libraries",   "search_path",
                                                      "session_preload_libraries", "shared_preload_libraries",
                                                      "temp_tablespaces",          "unix_socket_directories"};
  return std::ranges::count(kLists, name) > 0;
}

std::string setting_statement(const std::string& of, const std::string& setting) {
  const size_t equals = setting.find('=');
  return "ALTER " + of + set_clause(setting.substr(0, equals), setting.substr(equals + 1));
}

/// Another version of an extension may lack a member.
constexpr std::string_view kNotThere =
    "undefined_function OR undefined_table OR undefined_column OR undefined_object OR invalid_schema_name";

/// The statement as one that passes over this condition.
std::string tolerant(const std::string& statement, std::string_view condition) {
  return "DO " + sql::quote_postgres(fmt::format("BEGIN {}EXCEPTION WHEN {} THEN NULL; END", statement, condition)) +
         ";\n";
}

/// The privileges on `object`, whatever it had before: those of the row with acl and owner that `of` selects.
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

}  // namespace

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
  auto facts =
      TRY(session.query("SELECT d.oid, r.rolname AS owner, d.datdba = 10 AS bootstrap, d.datconnlimit AS lim, "
                        "d.datistemplate AS template, "
                        "d.datacl IS NOT NULL AS acl, shobj_description(d.oid, 'pg_database') AS comment FROM "
                        "pg_database d JOIN pg_roles "
                        "r ON r.oid = d.datdba WHERE d.datname = " +
                            literal,
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

namespace {

Result<std::string> catalog_functions(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto rows = TRY(session.query(
      "SELECT pg_get_functiondef(p.oid) AS def, p.prokind = 'p' AS procedure, p.oid::regprocedure AS name, "
      "quote_ident(r.rolname) AS owner FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE p.oid >= 16384 AND "
      "p.prokind IN ('f', 'p', 'w') AND p.pronamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (SELECT FROM "
      "pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e') ORDER BY p.oid",
      soon(), stop));
  std::string text = rows.empty() ? "" : "SET check_function_bodies = false;\n";
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += fmt::format("{};\nALTER {} {} OWNER TO {};\n", rows.text("def", i),
                        rows.text("procedure", i) == "t" ? "PROCEDURE" : "FUNCTION", rows.text("name", i),
                        rows.text("owner", i));
  return text;
}

// What a new database has and this one has no more; privileges on what the server itself made outside of pg_catalog.
Result<std::string> removed_objects(sql::PostgresConnection& session, DataFrame& frame, const std::stop_token& stop) {
  auto there = TRY(session.query(
      "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'public') AS public, EXISTS (SELECT FROM pg_namespace "
      "WHERE nspname = 'information_schema') AS information, EXISTS (SELECT FROM pg_language WHERE lanname = "
      "'plpgsql') AS plpgsql",
      soon(), stop));
  std::string text;
  if (there.text("public") != "t") text += "DROP SCHEMA IF EXISTS public;\n";
  if (there.text("information") != "t") text += "DROP SCHEMA IF EXISTS information_schema CASCADE;\n";
  // At the end: the checks are validated in it.
  if (there.text("plpgsql") != "t")
    (frame.before.empty() && frame.after.empty() ? text : frame.after) += "DROP EXTENSION IF EXISTS plpgsql;\n";
  auto changed = TRY(session.query(
      "WITH o AS (SELECT oid, quote_ident(nspname) AS name, 'SCHEMA' AS kind, nspacl AS acl, nspowner AS owner, "
      "acldefault('n', nspowner) AS usual, acldefault('n', nspowner) || makeaclitem(0, nspowner, 'USAGE', false) AS "
      "first FROM pg_namespace WHERE nspname = 'information_schema' UNION ALL SELECT oid, oid::regclass::text, "
      "'TABLE', relacl, relowner, acldefault('r', relowner), CASE WHEN relname LIKE '\\_%' OR relname IN "
      "('transforms', "
      "'sql_parts') THEN acldefault('r', relowner) ELSE acldefault('r', relowner) || makeaclitem(0, relowner, "
      "'SELECT', false) END FROM pg_class WHERE relnamespace = to_regnamespace('information_schema') AND relkind IN "
      "('r', 'v') "
      "AND oid < 16384 UNION ALL SELECT oid, oid::regprocedure::text, 'FUNCTION', proacl, proowner, acldefault('f', "
      "proowner), acldefault('f', proowner) FROM pg_proc WHERE pronamespace = to_regnamespace('information_schema') "
      "AND oid < 16384 UNION ALL SELECT oid, oid::regtype::text, 'TYPE', typacl, typowner, acldefault('T', typowner), "
      "acldefault('T', typowner) FROM pg_type WHERE typnamespace = to_regnamespace('information_schema') AND typtype = "
      "'d' AND oid < 16384 UNION ALL SELECT oid, lanname, 'LANGUAGE', lanacl, lanowner, acldefault('l', lanowner), "
      "acldefault('l', lanowner) FROM pg_language WHERE lanname = 'sql') SELECT o.name AS n, o.kind AS k, "
      "quote_ident(r.rolname) AS owner, o.owner <> 10 AS given, format('SELECT %L::aclitem[] AS acl, %s::oid AS "
      "owner', coalesce(o.acl, o.usual), o.owner) AS of FROM o JOIN pg_roles r ON r.oid = o.owner WHERE o.owner <> 10 "
      "OR "
      "(SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(o.acl, o.usual)) a) IS DISTINCT FROM (SELECT "
      "array_agg(a::text ORDER BY a::text) FROM unnest(o.first) a) ORDER BY 2, 1",
      soon(), stop));
  for (size_t i = 0; i < changed.rows.size(); ++i) {
    const std::string object = changed.text("k", i) + " " + changed.text("n", i), owner = changed.text("owner", i);
    if (changed.text("given", i) == "t") text += fmt::format("ALTER {} OWNER TO {};\n", object, owner);
    text += TRY(privileges(session, object, owner, changed.text("of", i), stop));
  }
  auto columns = TRY(session.query(
      "SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, a.attname, a.attrelid::regclass, CASE WHEN "
      "x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' "
      "END) AS s FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relnamespace = "
      "to_regnamespace('information_schema') AND c.oid < 16384, aclexplode(a.attacl) x LEFT JOIN pg_roles r ON r.oid = "
      "x.grantee ORDER BY 1",
      soon(), stop));
  for (size_t i = 0; i < columns.rows.size(); ++i) text += columns.text("s", i) + ";\n";
  return text;
}

// Functions of extensions that were altered since, or dropped from the extension, by its name. Those of its scripts
// have the transactions of its members.
Result<std::map<std::string, std::string>> functions_of_extensions(sql::PostgresConnection& session,
                                                                   const std::stop_token& stop) {
  auto rows = TRY(session.query(
      "WITH m AS (SELECT refobjid AS e, classid, objid, xmin AS x FROM pg_depend WHERE refclassid = "
      "'pg_extension'::regclass AND deptype = 'e') SELECT e.extname AS e, format('ALTER FUNCTION %s %s %s %sLEAKPROOF "
      "SECURITY %s PARALLEL %s COST %s%s;%s', p.oid::regprocedure, CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN "
      "'s' THEN 'STABLE' ELSE 'VOLATILE' END, CASE WHEN p.proisstrict THEN 'STRICT' ELSE 'CALLED ON NULL INPUT' END, "
      "CASE "
      "WHEN NOT p.proleakproof THEN 'NOT ' END, CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'INVOKER' END, CASE "
      "p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END, p.procost, CASE WHEN "
      "p.proretset THEN ' ROWS ' || p.prorows::text END, CASE WHEN p.proowner NOT IN (10, e.extowner) THEN format(' "
      "ALTER FUNCTION "
      "%s OWNER TO %s;', p.oid::regprocedure, p.proowner::regrole) END) AS s FROM pg_proc p JOIN m ON m.classid "
      "= p.tableoid AND m.objid = p.oid JOIN pg_extension e ON e.oid = m.e WHERE p.prokind IN ('f', 'w') AND NOT "
      "EXISTS "
      "(SELECT FROM m s WHERE s.e = m.e AND s.x = p.xmin) UNION ALL SELECT e.extname, format('ALTER EXTENSION %I DROP "
      "FUNCTION %s; DROP FUNCTION %s;', e.extname, p.oid::regprocedure, p.oid::regprocedure) FROM pg_proc p, "
      "pg_extension e WHERE p.oid >= 16384 AND p.prokind IN ('f', 'w') AND EXISTS (SELECT FROM m WHERE m.e = e.oid AND "
      "m.x = p.xmin) AND p.oid BETWEEN e.oid AND (SELECT max(objid) FROM m WHERE m.e = e.oid AND m.x = p.xmin) AND NOT "
      "EXISTS (SELECT FROM m WHERE m.classid = p.tableoid AND m.objid = p.oid) ORDER BY 1, 2",
      soon(), stop));
  auto settings = TRY(session.query(
      "SELECT e.extname AS e, p.oid::regprocedure AS f, unnest(p.proconfig) AS c FROM pg_proc p JOIN pg_depend d ON "
      "d.classid = p.tableoid AND d.objid = p.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid WHERE "
      "p.prokind IN ('f', 'w') AND NOT EXISTS (SELECT FROM pg_depend s WHERE s.refclassid = d.refclassid AND "
      "s.refobjid = d.refobjid AND s.deptype = 'e' AND s.xmin = p.xmin)",
      soon(), stop));
  std::map<std::string, std::string> of;
  for (size_t i = 0; i < settings.rows.size(); ++i)
    of[settings.text("e", i)] +=
        tolerant(setting_statement("FUNCTION " + settings.text("f", i), settings.text("c", i)), kNotThere);
  for (size_t i = 0; i < rows.rows.size(); ++i)
    of[rows.text("e", i)] +=
        tolerant(rows.text("s", i) + " ", "dependent_objects_still_exist OR " + std::string(kNotThere));
  return of;
}

// Privileges that members of extensions had from the start: pg_dump leaves them to CREATE EXTENSION, which gives them
// other ones where default privileges of the source had a part in them. Those on types of rows and of multiranges,
// which pg_dump passes over.
Result<std::string> privileges_passed_over(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto members = TRY(session.query(
      "SELECT x.k, x.n, x.of, quote_ident(r.rolname) AS owner FROM (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' "
      "ELSE 'TABLE' END AS k, c.oid::regclass::text AS n, relacl AS acl, relowner "
      "AS owner, c.tableoid, c.oid, format('SELECT relacl AS acl, relowner AS owner FROM pg_class WHERE oid = %s', "
      "c.oid) AS of FROM pg_class c UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text, proacl, proowner, "
      "p.tableoid, p.oid, format('SELECT proacl AS acl, proowner AS owner FROM pg_proc WHERE oid = %s', p.oid) FROM "
      "pg_proc p UNION ALL SELECT 'TYPE', t.oid::regtype::text, typacl, typowner, t.tableoid, t.oid, format('SELECT "
      "typacl AS acl, typowner AS owner FROM pg_type WHERE oid = %s', t.oid) FROM pg_type t UNION ALL SELECT "
      "'SCHEMA', quote_ident(nspname), nspacl, nspowner, n.tableoid, n.oid, format('SELECT nspacl AS acl, nspowner "
      "AS owner FROM pg_namespace WHERE oid = %s', n.oid) FROM pg_namespace n) x JOIN pg_roles r ON r.oid = x.owner "
      "WHERE x.acl IS NOT NULL AND (EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = x.tableoid AND i.objoid = "
      "x.oid AND i.objsubid = 0 AND i.privtype = 'e') OR (x.k = 'TYPE' AND EXISTS (SELECT FROM pg_type t LEFT JOIN "
      "pg_class c ON c.oid = t.typrelid WHERE t.oid = x.oid AND (t.typtype = 'm' OR c.relkind <> 'c')))) ORDER BY x.k, "
      "x.n",
      soon(), stop));
  std::string text;
  for (size_t i = 0; i < members.rows.size(); ++i) {
    const std::string set = TRY(privileges(session, members.text("k", i) + " " + members.text("n", i),
                                           members.text("owner", i), members.text("of", i), stop));
    text += "\n" + tolerant(set, kNotThere);
  }
  return text;
}

// What initdb wrote has older transactions than what came later: the rules of the server's views and the language it
// made last say where they end.
constexpr const char* kInitdbsEnd =
    "(SELECT max(xmin::text::bigint) FROM pg_depend WHERE objid < 16384 AND refobjid < 16384 AND classid IN "
    "('pg_rewrite'::regclass, 'pg_language'::regclass))";

// Text search as the server brings it: dictionaries with other options, configurations with other mappings. Of the
// server's own configurations each maps 19 kinds of words.
Result<std::string> changed_text_search(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto dictionaries = TRY(session.query(
      fmt::format("SELECT oid::regdictionary AS n, dictinitoption AS o FROM pg_ts_dict WHERE oid < 16384 AND "
                  "dictinitoption IS NOT NULL AND xmin::text::bigint > {} ORDER BY 1",
                  kInitdbsEnd),
      soon(), stop));
  std::string text;
  for (size_t i = 0; i < dictionaries.rows.size(); ++i)
    text += fmt::format("ALTER TEXT SEARCH DICTIONARY pg_catalog.{} ({});\n", dictionaries.text("n", i),
                        dictionaries.text("o", i));
  auto mappings = TRY(session.query(
      fmt::format("SELECT c.oid::regconfig AS n, k.alias AS kind, (SELECT string_agg(m.mapdict::regdictionary::text, "
                  "', ' ORDER BY m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid AND m.maptokentype = "
                  "k.tokid) AS to FROM pg_ts_config c, ts_token_type(c.cfgparser) k WHERE c.oid < 16384 AND ((SELECT "
                  "count(DISTINCT maptokentype) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid) <> 19 OR EXISTS "
                  "(SELECT FROM pg_ts_config_map m WHERE m.mapcfg = c.oid AND m.xmin::text::bigint > {})) ORDER BY 1, "
                  "k.tokid",
                  kInitdbsEnd),
      soon(), stop));
  for (size_t i = 0; i < mappings.rows.size(); ++i) {
    const std::string config = "ALTER TEXT SEARCH CONFIGURATION pg_catalog." + mappings.text("n", i),
                      kind = mappings.text("kind", i);
    text += fmt::format("{} DROP MAPPING IF EXISTS FOR {};\n", config, kind);
    if (const auto to = mappings.value("to", i))
      text += fmt::format("{} ADD MAPPING FOR {} WITH {};\n", config, kind, *to);
  }
  return text;
}

// What users added to operator families of the server and of extensions, which pg_dump takes for part of those.
// Extensions may have done so, too, and do it again.
Result<std::string> added_to_families(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto added = TRY(session.query(
      "SELECT format('ALTER OPERATOR FAMILY %I.%I USING %I ADD ', n.nspname, f.opfname, a.amname) || x.what AS s FROM "
      "(SELECT o.tableoid, o.oid, amopfamily AS family, format('OPERATOR %s %s', amopstrategy, "
      "amopopr::regoperator) || coalesce((SELECT format(' FOR ORDER BY %I.%I', sn.nspname, sf.opfname) FROM "
      "pg_opfamily sf JOIN pg_namespace sn ON sn.oid = sf.opfnamespace WHERE sf.oid = amopsortfamily), '') AS what "
      "FROM pg_amop o UNION ALL SELECT p.tableoid, p.oid, amprocfamily, format('FUNCTION %s (%s, %s) %s', amprocnum, "
      "amproclefttype::regtype, amprocrighttype::regtype, amproc::regprocedure) FROM pg_amproc p) x JOIN pg_opfamily f "
      "ON f.oid = x.family JOIN pg_am a ON a.oid = f.opfmethod JOIN pg_namespace n ON n.oid = f.opfnamespace WHERE "
      "x.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = x.tableoid AND d.objid = x.oid AND "
      "d.refclassid = 'pg_opclass'::regclass) AND (f.oid < 16384 OR EXISTS (SELECT FROM pg_depend e WHERE e.classid = "
      "f.tableoid AND e.objid = f.oid AND e.deptype = 'e' AND NOT EXISTS (SELECT FROM pg_depend s JOIN pg_depend d ON "
      "d.classid = x.tableoid AND d.objid = x.oid AND d.xmin = s.xmin WHERE s.refclassid = e.refclassid AND s.refobjid "
      "= e.refobjid AND s.deptype = 'e'))) ORDER BY 1",
      soon(), stop));
  std::string text;
  for (size_t i = 0; i < added.rows.size(); ++i) text += tolerant(added.text("s", i) + ";\n", "duplicate_object");
  return text;
}

// A foreign key of a partition may have another name than the one that all have of the first table, which is in a dump.
Result<std::string> names_of_inherited_keys(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto keys = TRY(session.query(
      "WITH RECURSIVE k AS (SELECT oid, conrelid, conname, conname AS first, conrelid AS of FROM pg_constraint WHERE "
      "contype = 'f' AND conparentid = 0 UNION ALL SELECT c.oid, c.conrelid, c.conname, k.first, k.of FROM k JOIN "
      "pg_constraint c ON c.conparentid = k.oid) SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', "
      "conrelid::regclass, first, conname) AS s FROM k WHERE conrelid <> of AND conname <> first ORDER BY 1",
      soon(), stop));
  std::string text;
  for (size_t i = 0; i < keys.rows.size(); ++i)
    text += "\n" + tolerant(keys.text("s", i) + ";\n", "undefined_object OR duplicate_object");
  return text;
}

// What COMMENT ON calls the object that pg_identify_object() has as i.
constexpr const char* kCommented =
    "CASE WHEN i.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE ' || i.identity WHEN i.type LIKE '% "
    "column' THEN 'COLUMN ' || i.identity WHEN i.type = 'composite type' THEN 'TYPE ' || i.identity WHEN i.type = "
    "'domain constraint' THEN 'CONSTRAINT ' || regexp_replace(i.identity, ' on ', ' ON DOMAIN ') WHEN i.type = 'table "
    "constraint' THEN 'CONSTRAINT ' || i.identity ELSE upper(replace(replace(i.type, '-', ' '), 'statistics object', "
    "'statistics')) || ' ' || i.identity END";

// Comments of users that pg_dump passes over: on members of extensions, on functions in pg_catalog, and on what comes
// with another object: types of rows and of multiranges, inherited checks and foreign keys, the rules that make views,
// triggers of partitions. Those that a script of the extension made have its transaction.
Result<std::string> comments_passed_over(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto rows = TRY(session.query(
      fmt::format("SELECT {} AS object, d.description AS c FROM pg_description d, ", kCommented) +
          "LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i WHERE "
          "d.objoid >= 16384 AND d.classoid <> 'pg_largeobject'::regclass AND (EXISTS (SELECT FROM pg_depend e WHERE "
          "e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e' AND NOT EXISTS (SELECT FROM pg_depend s "
          "WHERE "
          "s.refclassid = e.refclassid AND s.refobjid = e.refobjid AND s.deptype = 'e' AND s.xmin = d.xmin)) OR "
          "(d.classoid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = d.objoid AND "
          "p.pronamespace = "
          "'pg_catalog'::regnamespace)) OR (d.classoid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t LEFT "
          "JOIN "
          "pg_class c ON c.oid = t.typrelid WHERE t.oid = d.objoid AND (t.typtype = 'm' OR c.relkind <> 'c'))) OR "
          "(d.classoid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint k WHERE k.oid = d.objoid AND "
          "(k.contype = 'c' AND k.conrelid <> 0 AND NOT k.conislocal OR k.contype = 'f' AND k.conparentid <> 0))) OR "
          "(d.classoid = 'pg_rewrite'::regclass AND EXISTS "
          "(SELECT FROM pg_rewrite r WHERE r.oid = d.objoid AND r.ev_type = '1')) OR (d.classoid = "
          "'pg_trigger'::regclass "
          "AND EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objoid AND g.tgparentid <> 0))) ORDER BY d.classoid, "
          "d.objoid, d.objsubid",
      soon(), stop));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += "\n" + tolerant(fmt::format("COMMENT ON {} IS {};\n", rows.text("object", i),
                                        sql::quote_postgres(rows.text("c", i))),
                            kNotThere);
  return text;
}

// Comments on what the server itself made, beside those initdb wrote.
Result<std::string> comments_on_the_servers_own(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto rows = TRY(session.query(
      fmt::format("SELECT {} AS object, d.description AS c FROM pg_description d, ", kCommented) +
          "LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i WHERE d.objoid < 16384 AND d.classoid <> "
          "'pg_largeobject'::regclass AND NOT (d.classoid = 'pg_namespace'::regclass AND i.identity = 'public') AND "
          "d.xmin::text::bigint > " +
          std::string(kInitdbsEnd) + " ORDER BY d.classoid, d.objoid, d.objsubid",
      soon(), stop));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += fmt::format("COMMENT ON {} IS {};\n", rows.text("object", i), sql::quote_postgres(rows.text("c", i)));
  return text;
}

Result<std::string> enabled_event_triggers(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto rows =
      TRY(session.query("SELECT quote_ident(evtname) AS n, evtenabled AS e FROM pg_event_trigger t WHERE evtenabled <> "
                        "'D' AND NOT EXISTS "
                        "(SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid "
                        "AND d.deptype = 'e') "
                        "ORDER BY evtname",
                        soon(), stop));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += fmt::format("\nALTER EVENT TRIGGER {} ENABLE{};\n", rows.text("n", i),
                        rows.text("e", i) == "A"   ? " ALWAYS"
                        : rows.text("e", i) == "R" ? " REPLICA"
                                                   : "");
  return text;
}

Status checks_of_functions(sql::PostgresConnection& session, DataFrame& frame, const std::stop_token& stop);

}  // namespace

Result<DataFrame> data_frame(sql::PostgresConnection& session, std::stop_token stop) {
  DataFrame frame;
  frame.objects = TRY(catalog_functions(session, stop));
  frame.behind_extensions = TRY(functions_of_extensions(session, stop));
  TRY_VOID(checks_of_functions(session, frame, stop));
  frame.before += TRY(changed_text_search(session, stop)) + TRY(added_to_families(session, stop));
  frame.after += TRY(names_of_inherited_keys(session, stop)) + TRY(privileges_passed_over(session, stop)) +
                 TRY(comments_passed_over(session, stop));
  const std::string enabled = TRY(enabled_event_triggers(session, stop));
  frame.objects += TRY(comments_on_the_servers_own(session, stop));
  frame.objects += TRY(removed_objects(session, frame, stop));
  frame.event_triggers = !enabled.empty();
  frame.after += enabled;
  return frame;
}

namespace {

Status checks_of_functions(sql::PostgresConnection& session, DataFrame& frame, const std::stop_token& stop) {
  // Functions in SQL or a procedural language, made by users: others read nothing.
  const std::string functions =
      "SELECT p.oid FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid >= 16384 AND l.lanname NOT IN "
      "('c', 'internal')";
  auto used =
      TRY(session.query("SELECT (SELECT reset_val FROM pg_settings WHERE name = 'search_path') AS path, EXISTS (" +
                            functions + ") AS used",
                        soon(), stop));
  if (used.text("used") != "t") return {};
  // Names in the dump's own statements mean the server's objects first, also where sessions look there last.
  const std::string path = used.text("path");
  frame.before = fmt::format("\nSELECT pg_catalog.set_config('search_path', {}, false);\n",
                             sql::quote_postgres(path.find("pg_catalog") == path.npos ? path : "pg_catalog, " + path));
  auto checks = TRY(session.query(
      "SELECT c.conrelid::regclass::text AS t, quote_ident(c.conname) AS n, pg_get_constraintdef(c.oid) AS def, "
      "c.coninhcount > 0 AS inherited, c.conislocal AS local, t.relispartition AS partition, obj_description(c.oid, "
      "'pg_constraint') AS comment FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid WHERE c.contype = 'c' "
      "AND c.convalidated AND (c.conislocal OR t.relispartition) AND NOT EXISTS "
      "(SELECT FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.conrelid AND e.deptype = 'e') "
      "AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND "
      "(d.refclassid = 'pg_proc'::regclass AND d.refobjid IN (" +
          functions +
          ") OR d.refclassid = 'pg_operator'::regclass AND d.refobjid IN (SELECT oid FROM pg_operator WHERE oprcode IN "
          "(" +
          functions + ")))) ORDER BY c.coninhcount, c.oid",
      soon(), stop));
  for (size_t i = 0; i < checks.rows.size(); ++i) {
    const std::string table = checks.text("t", i), name = checks.text("n", i);
    const std::string drop = fmt::format("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {};\n", table, name);
    frame.before_attach = frame.before_attach || checks.text("partition", i) == "t";
    if (checks.text("local", i) != "t") {  // of a partition, which a dump makes as a table by itself first
      frame.before += tolerant(drop, "others");
      continue;
    }
    const std::string add =
        fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {} NOT VALID;\n", table, name, checks.text("def", i));
    if (checks.text("inherited", i) == "t") {
      // The parent's own statements may have taken it off already, or made it again.
      frame.before += tolerant(drop, "others");
      frame.after += "\n" + tolerant(add, "duplicate_object");
    } else {
      frame.before += drop;
      // pg_dump itself adds it late where the function takes the table's own rows.
      frame.after += "\n" + drop + add;
    }
    if (const auto comment = checks.value("comment", i))
      frame.after += fmt::format("COMMENT ON CONSTRAINT {} ON {} IS {};\n", name, table, sql::quote_postgres(*comment));
    // Rows may break a check that other rows have made false since: the source has them all the same.
    std::string body = fmt::format(
        "BEGIN ALTER TABLE {0} VALIDATE CONSTRAINT {1}; EXCEPTION WHEN OTHERS THEN RAISE "
        "WARNING 'a constraint stays NOT VALID: %', SQLERRM; END",
        table, name);
    frame.after += "DO " + sql::quote_postgres(body) + ";\n";
  }
  return {};
}

}  // namespace

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
  if (passing_) return std::string(bytes);
  std::string out;
  lexer_.feed(bytes, [&](const ScriptPiece& piece) { take(piece, out); });
  passing_ = !connects_ && frame_.before.empty() && frame_.after.empty() && frame_.behind_extensions.empty() &&
             unit_.empty() && lexer_.holds_nothing();
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
      if ((in_data_ || event_triggers_) && !frame_.after.empty() && unit_.starts_with(kEndMarker))
        out += frame_.after + "\n";
      out += std::exchange(unit_, {});
      return;
    case ScriptUnit::statement: {
      // Its first bytes say what it is.
      constexpr size_t kHead = 32;
      if (!headed_) {
        unit_ += piece.text;
        if (!piece.last && unit_.size() < kHead) return;
        headed_ = true;
        if (unit_.starts_with("CREATE ") && !unit_.starts_with("CREATE DATABASE ")) connects_ = false;
        if ((unit_.starts_with("COPY ") || unit_.starts_with("REFRESH MATERIALIZED VIEW ")) && !in_data_) {
          in_data_ = true;
          connects_ = false;
          out += frame_.before;
        }
        extension_ = !frame_.behind_extensions.empty() && unit_.starts_with(kCreateExtension);
        event_trigger_ = frame_.event_triggers &&
                         (unit_.starts_with("CREATE EVENT TRIGGER ") || unit_.starts_with("ALTER EVENT TRIGGER "));
        out += event_trigger_ || extension_ ? unit_ : std::exchange(unit_, {});
      } else {
        if (event_trigger_ || extension_) unit_ += piece.text;
        out += piece.text;
      }
      if (!piece.last) break;
      headed_ = false;
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
        event_triggers_ = true;
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
