#include <fmt/format.h>

#include "engine/postgres/dump_parts.h"
#include "engine/postgres/dump_statements.h"
#include "engine/postgres/loadable.h"

namespace holdfast::engine {
namespace {

using detail::privileges;
using detail::setting_statement;
using detail::soon;

/// Another version of an extension may lack a member.
constexpr std::string_view kNotThere =
    "undefined_function OR undefined_table OR undefined_column OR undefined_object OR invalid_schema_name";

/// The statement as one that passes over this condition.
std::string tolerant(const std::string& statement, std::string_view condition) {
  return "DO " + sql::quote_postgres(fmt::format("BEGIN {}EXCEPTION WHEN {} THEN NULL; END", statement, condition)) +
         ";\n";
}

/// The statements in column s, each by itself.
std::string each_tolerant(const sql::Rows& statements, std::string_view condition) {
  std::string text;
  for (size_t i = 0; i < statements.rows.size(); ++i)
    text += "\n" + tolerant(statements.text("s", i) + ";\n", condition);
  return text;
}

std::string comment_on(const sql::Rows& comments, size_t row) {
  return fmt::format("COMMENT ON {} IS {};\n", comments.text("object", row),
                     sql::quote_postgres(comments.text("c", row)));
}

Result<std::string> catalog_functions(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto rows = TRY(session.query(
      "SELECT pg_get_functiondef(p.oid) AS def, p.prokind = 'p' AS procedure, p.oid::regprocedure AS name, "
      "quote_ident(r.rolname) AS owner FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE p.oid >= 16384 AND "
      "p.prokind IN ('f', 'p', 'w') AND p.pronamespace = 'pg_catalog'::regnamespace AND NOT EXISTS (SELECT FROM "
      "pg_depend e WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e') ORDER BY p.oid",
      soon(), stop));
  std::string text = rows.empty() ? "" : "SET check_function_bodies = false;\n";
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += fmt::format("{};\nALTER {} {} OWNER TO {};\n", loadable(rows.text("def", i)),
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
      R"sql(
      WITH o AS (SELECT oid, quote_ident(nspname) AS name, 'SCHEMA' AS kind, nspacl AS acl, nspowner AS owner,
          acldefault('n', nspowner) AS usual, acldefault('n', nspowner) || makeaclitem(0, nspowner, 'USAGE', false) AS
          first
        FROM pg_namespace
        WHERE nspname = 'information_schema'
        UNION ALL SELECT oid, oid::regclass::text, 'TABLE', relacl, relowner, acldefault('r', relowner), CASE
          WHEN relname LIKE '\_%' OR relname IN ('transforms', 'sql_parts') THEN acldefault('r', relowner)
          ELSE acldefault('r', relowner) || makeaclitem(0, relowner, 'SELECT', false) END
        FROM pg_class
        WHERE relnamespace = to_regnamespace('information_schema') AND relkind IN ('r', 'v')
          AND oid < 16384
        UNION ALL SELECT oid, oid::regprocedure::text, 'FUNCTION', proacl, proowner, acldefault('f', proowner),
          acldefault('f', proowner)
        FROM pg_proc
        WHERE pronamespace = to_regnamespace('information_schema') AND oid < 16384
        UNION ALL SELECT oid, oid::regtype::text, 'TYPE', typacl, typowner, acldefault('T', typowner), acldefault('T',
            typowner)
        FROM pg_type
        WHERE typnamespace = to_regnamespace('information_schema') AND typtype = 'd' AND oid < 16384
        UNION ALL SELECT oid, lanname, 'LANGUAGE', lanacl, lanowner, acldefault('l', lanowner), acldefault('l',
            lanowner)
        FROM pg_language
        WHERE lanname = 'sql')
      SELECT o.name AS n, o.kind AS k, quote_ident(r.rolname) AS owner, o.owner <> 10 AS given,
        format('SELECT %L::aclitem[] AS acl, %s::oid AS owner', coalesce(o.acl, o.usual), o.owner) AS of
      FROM o
      JOIN pg_roles r ON r.oid = o.owner
      WHERE o.owner <> 10 OR (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(coalesce(o.acl, o.usual)) a) IS
        DISTINCT FROM (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(o.first) a)
      ORDER BY 2, 1)sql",
      soon(), stop));
  for (size_t i = 0; i < changed.rows.size(); ++i) {
    const std::string object = changed.text("k", i) + " " + changed.text("n", i), owner = changed.text("owner", i);
    if (changed.text("given", i) == "t") text += fmt::format("ALTER {} OWNER TO {};\n", object, owner);
    text += TRY(privileges(session, object, owner, changed.text("of", i), stop));
  }
  auto columns = TRY(session.query(
      R"sql(
      SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, a.attname, a.attrelid::regclass, CASE
          WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, CASE
          WHEN x.is_grantable THEN ' WITH GRANT OPTION' END) AS s
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid AND c.relnamespace = to_regnamespace('information_schema')
        AND c.oid < 16384, aclexplode(a.attacl) x
      LEFT JOIN pg_roles r ON r.oid = x.grantee
      ORDER BY 1)sql",
      soon(), stop));
  for (size_t i = 0; i < columns.rows.size(); ++i) text += columns.text("s", i) + ";\n";
  return text;
}

// Functions of extensions that were altered since, by the extension's name, and what was dropped from the extension.
// What scripts made has the transactions of its members.
Result<std::map<std::string, std::string>> altered_members(sql::PostgresConnection& session,
                                                           const std::stop_token& stop) {
  auto rows = TRY(session.query(std::string(kExtensionMembers) + R"(
    SELECT e.extname AS e, format('ALTER FUNCTION %s %s %s %sLEAKPROOF SECURITY %s PARALLEL %s COST %s%s;%s',
        p.oid::regprocedure,
        CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
        CASE WHEN p.proisstrict THEN 'STRICT' ELSE 'CALLED ON NULL INPUT' END,
        CASE WHEN NOT p.proleakproof THEN 'NOT ' END,
        CASE WHEN p.prosecdef THEN 'DEFINER' ELSE 'INVOKER' END,
        CASE p.proparallel WHEN 's' THEN 'SAFE' WHEN 'r' THEN 'RESTRICTED' ELSE 'UNSAFE' END,
        p.procost, CASE WHEN p.proretset THEN ' ROWS ' || p.prorows::text END,
        CASE WHEN p.proowner NOT IN (10, e.extowner) THEN
          format(' ALTER FUNCTION %s OWNER TO %s;', p.oid::regprocedure, p.proowner::regrole) END) AS s, p.oid AS o
      FROM pg_proc p JOIN m ON m.classid = p.tableoid AND m.objid = p.oid JOIN pg_extension e ON e.oid = m.e
      WHERE p.prokind IN ('f', 'w') AND NOT EXISTS (SELECT FROM m s WHERE s.e = m.e AND s.x = p.xmin)
    UNION ALL
    SELECT e.extname, format('ALTER EXTENSION %1$I DROP %2$s %3$s; DROP %2$s %3$s;', e.extname, i.type, i.identity), r.o
      FROM (SELECT tableoid, oid, xmin FROM pg_proc UNION ALL SELECT tableoid, oid, xmin FROM pg_class
        UNION ALL SELECT tableoid, oid, xmin FROM pg_type UNION ALL SELECT tableoid, oid, xmin FROM pg_operator
        UNION ALL SELECT tableoid, oid, xmin FROM pg_opclass UNION ALL SELECT tableoid, oid, xmin FROM pg_opfamily
        UNION ALL SELECT tableoid, oid, xmin FROM pg_cast UNION ALL SELECT tableoid, oid, xmin FROM pg_collation
        UNION ALL SELECT tableoid, oid, xmin FROM pg_conversion UNION ALL SELECT tableoid, oid, xmin FROM pg_language
        UNION ALL SELECT tableoid, oid, xmin FROM pg_ts_config UNION ALL SELECT tableoid, oid, xmin FROM pg_ts_dict
        UNION ALL SELECT tableoid, oid, xmin FROM pg_ts_parser UNION ALL SELECT tableoid, oid, xmin FROM pg_ts_template
        UNION ALL SELECT tableoid, oid, xmin FROM pg_foreign_data_wrapper) r(c, o, x)
      JOIN spans s ON s.x = r.x AND r.o BETWEEN s.low AND s.high JOIN pg_extension e ON e.oid = s.e,
      pg_identify_object(r.c, r.o, 0) i
      WHERE r.o >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = r.c AND d.objid = r.o AND
        (d.deptype IN ('e', 'i') OR d.deptype = 'a' AND d.refclassid = 'pg_class'::regclass))
      ORDER BY 1, o DESC)",
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

// Functions of extensions whose definition is not a script's any more, for the same version of the extension.
Status replaced_functions(sql::PostgresConnection& session, std::map<std::string, std::string>& of,
                          const std::stop_token& stop) {
  auto rows = TRY(session.query(
      std::string(kExtensionMembers) +
          " SELECT e.extname AS e, e.extversion AS v, pg_get_functiondef(p.oid) AS def FROM "
          "pg_proc p JOIN m ON m.classid = p.tableoid AND m.objid = p.oid JOIN known k ON k.e = m.e AND k.is JOIN "
          "pg_extension e ON e.oid = m.e WHERE e.oid >= 16384 AND p.prokind IN ('f', 'p', 'w') AND p.xmin::text <> "
          "e.xmin::text AND NOT EXISTS (SELECT FROM m s WHERE s.e = m.e AND s.x = p.xmin) ORDER BY p.oid",
      soon(), stop));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    of[rows.text("e", i)] +=
        tolerant(fmt::format("IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = {} AND extversion = {}) "
                             "THEN EXECUTE {}; END IF; ",
                             sql::quote_postgres(rows.text("e", i)), sql::quote_postgres(rows.text("v", i)),
                             sql::quote_postgres(loadable(rows.text("def", i)))),
                 "invalid_function_definition OR undefined_file OR " + std::string(kNotThere));
  return {};
}

// Event triggers of extensions act on what comes behind them, too, and the rows that a script filled its tables with
// stand where the dump has rows of its own.
Status quiet_extensions(sql::PostgresConnection& session, DataFrame& frame, const std::stop_token& stop) {
  auto triggers = TRY(session.query(
      "SELECT e.extname AS e, quote_ident(t.evtname) AS n, t.evtenabled AS s FROM pg_event_trigger t JOIN pg_depend d "
      "ON d.classid = t.tableoid AND d.objid = t.oid AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid "
      "ORDER BY 2",
      soon(), stop));
  for (size_t i = 0; i < triggers.rows.size(); ++i) {
    const std::string trigger = "ALTER EVENT TRIGGER " + triggers.text("n", i), state = triggers.text("s", i);
    frame.behind_extensions[triggers.text("e", i)] += tolerant(trigger + " DISABLE; ", kNotThere);
    if (state != "D")
      frame.after += "\n" + tolerant(trigger + (state == "A"   ? " ENABLE ALWAYS; "
                                                : state == "R" ? " ENABLE REPLICA; "
                                                               : " ENABLE; "),
                                     kNotThere);
  }
  frame.event_triggers = frame.event_triggers || !triggers.empty();
  auto tables = TRY(session.query(
      "SELECT format('DELETE FROM ONLY %s %s', c.oid::regclass, x.condition) AS s FROM pg_extension e, "
      "unnest(e.extconfig, e.extcondition) x(config, condition) JOIN pg_class c ON c.oid = x.config AND c.relkind = "
      "'r' ORDER BY c.oid",
      soon(), stop));
  if (tables.empty()) return {};
  // Whatever triggers and foreign keys such a table has.
  frame.before += "\nSET session_replication_role = replica;\n" + each_tolerant(tables, kNotThere) +
                  "RESET session_replication_role;\n";
  return {};
}

// Privileges that members of extensions had from the start: pg_dump leaves them to CREATE EXTENSION, which gives them
// other ones where default privileges of the source had a part in them. Those on types of rows and of multiranges,
// which pg_dump passes over.
Result<std::string> privileges_passed_over(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto members = TRY(session.query(
      R"sql(
      SELECT x.k, x.n, x.of, quote_ident(r.rolname) AS owner
      FROM (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS k, c.oid::regclass::text AS n, relacl AS
          acl, relowner AS owner, c.tableoid, c.oid,
          format('SELECT relacl AS acl, relowner AS owner FROM pg_class WHERE oid = %s', c.oid) AS of FROM pg_class c
          UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text, proacl, proowner, p.tableoid, p.oid,
          format('SELECT proacl AS acl, proowner AS owner FROM pg_proc WHERE oid = %s', p.oid) FROM pg_proc p UNION ALL
          SELECT 'TYPE', t.oid::regtype::text, typacl, typowner, t.tableoid, t.oid,
          format('SELECT typacl AS acl, typowner AS owner FROM pg_type WHERE oid = %s', t.oid) FROM pg_type t UNION ALL
          SELECT 'SCHEMA', quote_ident(nspname), nspacl, nspowner, n.tableoid, n.oid,
          format('SELECT nspacl AS acl, nspowner AS owner FROM pg_namespace WHERE oid = %s', n.oid) FROM pg_namespace n)
        x
      JOIN pg_roles r ON r.oid = x.owner
      WHERE x.acl IS NOT NULL AND (EXISTS (SELECT FROM pg_init_privs i WHERE i.classoid = x.tableoid AND i.objoid =
            x.oid AND i.objsubid = 0 AND i.privtype = 'e') OR (x.k = 'TYPE' AND EXISTS (SELECT FROM pg_type t LEFT JOIN
              pg_class c ON c.oid = t.typrelid WHERE t.oid = x.oid AND (t.typtype = 'm' OR c.relkind <> 'c'))))
      ORDER BY x.k, x.n)sql",
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
  auto mappings = TRY(session.query(fmt::format(R"sql(
      SELECT c.oid::regconfig AS n, k.alias AS kind, (SELECT string_agg(m.mapdict::regdictionary::text, ', ' ORDER BY
            m.mapseqno) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid AND m.maptokentype = k.tokid) AS to
      FROM pg_ts_config c, ts_token_type(c.cfgparser) k
      WHERE c.oid < 16384 AND ((SELECT count(DISTINCT maptokentype) FROM pg_ts_config_map m WHERE m.mapcfg = c.oid) <>
          19 OR EXISTS (SELECT FROM pg_ts_config_map m WHERE m.mapcfg = c.oid AND m.xmin::text::bigint > {}))
      ORDER BY 1, k.tokid)sql",
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
      R"sql(
      SELECT format('ALTER OPERATOR FAMILY %I.%I USING %I ADD ', n.nspname, f.opfname, a.amname) || x.what AS s
      FROM (SELECT o.tableoid, o.oid, amopfamily AS family, format('OPERATOR %s %s', amopstrategy, amopopr::regoperator)
          || coalesce((SELECT format(' FOR ORDER BY %I.%I', sn.nspname, sf.opfname) FROM pg_opfamily sf JOIN
              pg_namespace sn ON sn.oid = sf.opfnamespace WHERE sf.oid = amopsortfamily), '') AS what FROM pg_amop o
          UNION ALL SELECT p.tableoid, p.oid, amprocfamily, format('FUNCTION %s (%s, %s) %s', amprocnum,
            amproclefttype::regtype, amprocrighttype::regtype, amproc::regprocedure) FROM pg_amproc p) x
      JOIN pg_opfamily f ON f.oid = x.family
      JOIN pg_am a ON a.oid = f.opfmethod
      JOIN pg_namespace n ON n.oid = f.opfnamespace
      WHERE x.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = x.tableoid AND d.objid = x.oid AND
          d.refclassid = 'pg_opclass'::regclass) AND (f.oid < 16384 OR EXISTS (SELECT FROM pg_depend e WHERE e.classid =
            f.tableoid AND e.objid = f.oid AND e.deptype = 'e' AND NOT EXISTS (SELECT FROM pg_depend s JOIN pg_depend d
              ON d.classid = x.tableoid AND d.objid = x.oid AND d.xmin = s.xmin WHERE s.refclassid = e.refclassid AND
              s.refobjid = e.refobjid AND s.deptype = 'e')))
      ORDER BY 1)sql",
      soon(), stop));
  return each_tolerant(added, "duplicate_object");
}

// A foreign key of a partition may have another name than the one that all have of the first table, which is in a dump.
Result<std::string> names_of_inherited_keys(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto keys = TRY(session.query(
      "WITH RECURSIVE k AS (SELECT oid, conrelid, conname, conname AS first, conrelid AS of FROM pg_constraint WHERE "
      "contype = 'f' AND conparentid = 0 UNION ALL SELECT c.oid, c.conrelid, c.conname, k.first, k.of FROM k JOIN "
      "pg_constraint c ON c.conparentid = k.oid) SELECT format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', "
      "conrelid::regclass, first, conname) AS s FROM k WHERE conrelid <> of AND conname <> first ORDER BY 1",
      soon(), stop));
  return each_tolerant(keys, "undefined_object OR duplicate_object");
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
  auto rows =
      TRY(session.query(fmt::format("SELECT {} AS object, d.description AS c FROM pg_description d, ", kCommented) +
                            R"sql(
          LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
          WHERE d.objoid >= 16384 AND d.classoid <> 'pg_largeobject'::regclass AND (EXISTS (SELECT FROM pg_depend e
                WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e' AND NOT EXISTS (SELECT FROM
                  pg_depend s WHERE s.refclassid = e.refclassid AND s.refobjid = e.refobjid AND s.deptype = 'e' AND
                  s.xmin = d.xmin)) OR (d.classoid = 'pg_proc'::regclass AND EXISTS (SELECT FROM pg_proc p WHERE p.oid =
                  d.objoid AND p.pronamespace = 'pg_catalog'::regnamespace)) OR (d.classoid = 'pg_type'::regclass AND
                EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE t.oid = d.objoid AND
                  (t.typtype = 'm' OR c.relkind <> 'c'))) OR (d.classoid = 'pg_constraint'::regclass AND EXISTS (SELECT
                  FROM pg_constraint k WHERE k.oid = d.objoid AND (k.contype = 'c' AND k.conrelid <> 0 AND NOT
                    k.conislocal OR k.contype = 'f' AND k.conparentid <> 0))) OR (d.classoid = 'pg_rewrite'::regclass
                AND EXISTS (SELECT FROM pg_rewrite r WHERE r.oid = d.objoid AND r.ev_type = '1')) OR (d.classoid =
                'pg_trigger'::regclass AND EXISTS (SELECT FROM pg_trigger g WHERE g.oid = d.objoid AND g.tgparentid <>
                  0)))
          ORDER BY d.classoid, d.objoid, d.objsubid)sql",
                        soon(), stop));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) text += "\n" + tolerant(comment_on(rows, i), kNotThere);
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
  for (size_t i = 0; i < rows.rows.size(); ++i) text += comment_on(rows, i);
  return text;
}

Result<std::string> enabled_event_triggers(sql::PostgresConnection& session, const std::stop_token& stop) {
  auto rows = TRY(session.query(R"sql(
      SELECT quote_ident(evtname) AS n, evtenabled AS e
      FROM pg_event_trigger t
      WHERE evtenabled <> 'D' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND
          d.objid = t.oid AND d.deptype = 'e')
      ORDER BY evtname)sql",
                                soon(), stop));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i)
    text += fmt::format("\nALTER EVENT TRIGGER {} ENABLE{};\n", rows.text("n", i),
                        rows.text("e", i) == "A"   ? " ALWAYS"
                        : rows.text("e", i) == "R" ? " REPLICA"
                                                   : "");
  return text;
}

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
      R"sql(
      SELECT c.conrelid::regclass::text AS t, quote_ident(c.conname) AS n, pg_get_constraintdef(c.oid) AS def,
        c.coninhcount > 0 AS inherited, c.conislocal AS local, t.relispartition AS partition, obj_description(c.oid,
        'pg_constraint') AS comment
      FROM pg_constraint c
      JOIN pg_class t ON t.oid = c.conrelid
      WHERE c.contype = 'c' AND c.convalidated AND (c.conislocal OR t.relispartition) AND NOT EXISTS (SELECT FROM
          pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = c.conrelid AND e.deptype = 'e')
        AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_constraint'::regclass AND d.objid = c.oid AND
          (d.refclassid = 'pg_proc'::regclass AND d.refobjid IN ()sql" +
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

Result<DataFrame> data_frame(sql::PostgresConnection& session, std::stop_token stop) {
  DataFrame frame;
  frame.objects = TRY(catalog_functions(session, stop));
  frame.behind_extensions = TRY(altered_members(session, stop));
  TRY_VOID(checks_of_functions(session, frame, stop));
  frame.before += TRY(changed_text_search(session, stop)) + TRY(added_to_families(session, stop));
  frame.after += TRY(names_of_inherited_keys(session, stop)) + TRY(privileges_passed_over(session, stop)) +
                 TRY(comments_passed_over(session, stop));
  const std::string enabled = TRY(enabled_event_triggers(session, stop));
  TRY_VOID(replaced_functions(session, frame.behind_extensions, stop));
  frame.objects += TRY(comments_on_the_servers_own(session, stop));
  frame.objects += TRY(removed_objects(session, frame, stop));
  frame.event_triggers = !enabled.empty();
  frame.after += enabled;
  TRY_VOID(quiet_extensions(session, frame, stop));
  return frame;
}

}  // namespace holdfast::engine
