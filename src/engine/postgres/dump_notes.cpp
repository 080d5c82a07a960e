#include "engine/postgres/dump_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/postgres/dump_statements.h"

namespace holdfast::engine {
namespace {

Deadline soon() {
  return Deadline::in(std::chrono::seconds(60));
}

/// "a, b, c and 7 more": the column n.
std::string some_of(const sql::Rows& rows) {
  constexpr size_t kMost = 20;
  std::string text;
  for (size_t i = 0; i < std::min(rows.rows.size(), kMost); ++i) text += (i == 0 ? "" : ", ") + rows.text("n", i);
  if (rows.rows.size() > kMost) text += fmt::format(" and {} more", rows.rows.size() - kMost);
  return text;
}

/// `text` with the database and what was found, if anything was.
void note_found(DumpInfo& info, const char* id, const std::string& database, const sql::Rows& rows, const char* text) {
  if (!rows.empty()) info.notes.push_back({id, database, fmt::format(fmt::runtime(text), database, some_of(rows))});
}

/// Tables that inherit and whose columns CREATE TABLE ... INHERITS, which is all a dump has, puts into another order: a
/// column that was added to a parent later stands with the parent's then. What inherits from such a table goes with it.
constexpr const char* kOtherColumnOrder =
    R"sql(
    WITH RECURSIVE c AS (SELECT attrelid, attname, attnum
      FROM pg_attribute
      WHERE attnum > 0 AND NOT attisdropped),
    inherited AS (SELECT i.inhrelid AS child, c.attname, min(ARRAY[i.inhseqno::int, c.attnum::int]) AS place
      FROM pg_inherits i
      JOIN c ON c.attrelid = i.inhparent
      JOIN pg_class t ON t.oid = i.inhrelid
      WHERE NOT t.relispartition AND t.relkind IN ('r', 'f')
      GROUP BY 1, 2),
    moved(t) AS (SELECT c.attrelid
      FROM c
      LEFT JOIN inherited h ON h.child = c.attrelid AND h.attname = c.attname
      WHERE c.attrelid IN (SELECT child FROM inherited)
      GROUP BY 1
      HAVING string_agg(quote_ident(c.attname), ',' ORDER BY c.attnum) <> string_agg(quote_ident(c.attname), ',' ORDER
          BY h.child IS NULL, h.place, c.attnum)
      UNION SELECT i.inhrelid
      FROM moved
      JOIN pg_inherits i ON i.inhparent = moved.t
      JOIN pg_class k ON k.oid = i.inhrelid
      WHERE NOT k.relispartition)
    SELECT n.nspname || '.' || k.relname AS n
    FROM moved
    JOIN pg_class k ON k.oid = moved.t
    JOIN pg_namespace n ON n.oid = k.relnamespace
    ORDER BY 1)sql";

/// Members that came to an extension later than it and by no script of it: CREATE EXTENSION does not make them. The
/// rows of pg_depend say which transaction made each, and where the scripts can be read, they must not name it: an
/// update of the extension, and pg_upgrade, have transactions of their own, too. '%' stands for what reads them.
/// 17 and later make the types that come along with a table or a type members, too.
constexpr const char* kAddedMembers =
    R"sql(
    WITH comes_along AS (SELECT t.oid
      FROM pg_type t
      LEFT JOIN pg_class c ON c.oid = t.typrelid
      WHERE c.relkind <> 'c' OR EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)),
    first AS (SELECT refobjid AS e, min(xmin::text::bigint) AS x
      FROM pg_depend
      WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
      GROUP BY 1),
    later AS (SELECT d.classid, d.objid, e.extname AS e, i.type, i.identity,
        substring(a.object_names[array_upper(a.object_names, 1)] FROM '[^.]+$') AS name
      FROM pg_depend d
      JOIN pg_extension e ON e.oid = d.refobjid
      JOIN first f ON f.e = e.oid,
      LATERAL pg_identify_object(d.classid, d.objid, d.objsubid) i,
      LATERAL pg_identify_object_as_address(d.classid, d.objid, d.objsubid) a
      WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.objid >= 16384
        AND d.xmin::text::bigint <> f.x AND d.xmin::text <> e.xmin::text AND NOT (d.classid = 'pg_class'::regclass AND
          EXISTS (SELECT FROM pg_depend o WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype IN ('a',
            'i')))
        AND NOT (d.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM comes_along t WHERE t.oid = d.objid))),
    scripts AS (%)
    SELECT l.type || ' ' || l.identity || ' (' || l.e || ')' AS n
    FROM later l
    WHERE NOT EXISTS (SELECT FROM scripts s WHERE s.e = l.e AND CASE WHEN l.name !~ '^\w+$' THEN strpos(s.script,
          l.name) > 0 WHEN l.classid = 'pg_class'::regclass THEN s.script ~*
        ('(table|view|sequence|index|exists)\s+(\S+\.)?"?' || l.name || '\M')
        WHEN l.classid = 'pg_proc'::regclass THEN s.script ~* ('(function|procedure|aggregate|exists)\s+(\S+\.)?"?' ||
          l.name || '"?\s*\(') ELSE s.script ~* ('\m' || l.name || '\M') END)
    ORDER BY 1)sql";
constexpr const char* kScripts =
    "SELECT m.e, encode(pg_read_binary_file(m.file, 0, 1 << 28, true), 'escape') AS script FROM (SELECT DISTINCT l.e, "
    "d.path || '/' || f AS file FROM later l, (SELECT setting || '/extension' AS path FROM pg_config WHERE name = "
    "'SHAREDIR') d, pg_ls_dir(d.path, true, false) f WHERE starts_with(f, l.e || '--') AND f LIKE '%.sql') m";
constexpr const char* kNoScripts = "SELECT NULL::text AS e, NULL::text AS script WHERE false";

Result<std::string> with_scripts(sql::PostgresConnection& session, std::string query, const std::stop_token& stop) {
  // Files are read by superusers only, and an error would end the transaction that holds the snapshot.
  auto may = TRY(session.query("SELECT rolsuper AS s FROM pg_roles WHERE rolname = current_user", soon(), stop));
  query.replace(query.find('%'), 1, may.text("s") == "t" ? kScripts : kNoScripts);
  return query;
}

Status note_added_members(sql::PostgresConnection& session, const std::string& database, DumpInfo& info,
                          const std::stop_token& stop) {
  auto added = TRY(session.query(TRY(with_scripts(session, kAddedMembers, stop)), soon(), stop));
  note_found(info, "extension.member", database, added,
             "objects that were added to extensions of {} (ALTER EXTENSION ... ADD) are not in the dump, nor their "
             "rows. Keep them: ALTER EXTENSION ... DROP, then back up again. Or leave out what depends on them "
             "(restore --skip, or --continue-on=object-errors): {}");
  return {};
}

/// What users did to extensions and their members that no dump has. What came later than the extension and by no script
/// of it has another transaction than its members, and a higher number.
constexpr const char* kChangedExtensions =
    R"sql(
    SELECT format('%I (of %s)', e.extname, e.extowner::regrole) AS n
    FROM pg_extension e
    WHERE e.extowner <> 10
    UNION ALL SELECT format('%s (of %s)', pg_describe_object(d.classid, d.objid, 0), o.owner::regrole)
    FROM pg_depend d
    JOIN pg_extension e ON e.oid = d.refobjid,
    LATERAL (SELECT CASE d.classid WHEN 'pg_proc'::regclass THEN (SELECT proowner FROM pg_proc WHERE oid = d.objid AND
          prokind NOT IN ('f', 'w')) WHEN 'pg_class'::regclass THEN (SELECT relowner FROM pg_class WHERE oid = d.objid)
        WHEN 'pg_type'::regclass THEN (SELECT typowner FROM pg_type WHERE oid = d.objid AND typrelid = 0 AND typelem =
          0) WHEN 'pg_language'::regclass THEN (SELECT lanowner FROM pg_language WHERE oid = d.objid)
        WHEN 'pg_namespace'::regclass THEN (SELECT nspowner FROM pg_namespace WHERE oid = d.objid) END AS owner) o
    WHERE d.refclassid = e.tableoid AND d.deptype = 'e' AND o.owner NOT IN (10, e.extowner)
    UNION SELECT pg_describe_object(d.classid, d.objid, 0)
    FROM m
    JOIN pg_depend d ON d.refclassid = m.classid AND d.refobjid = m.objid AND d.deptype <> 'e'
    WHERE m.classid = 'pg_class'::regclass AND d.objid > (SELECT max(objid) FROM m s WHERE s.e = m.e)
      AND NOT EXISTS (SELECT FROM m s WHERE s.e = m.e AND s.x = d.xmin) AND (EXISTS (SELECT FROM pg_class c WHERE
          c.tableoid = d.classid AND c.oid = d.objid AND c.relkind = 'i') OR EXISTS (SELECT FROM pg_trigger t WHERE
          t.tableoid = d.classid AND t.oid = d.objid AND NOT t.tgisinternal AND t.tgrelid = m.objid) OR EXISTS (SELECT
          FROM pg_rewrite r WHERE r.tableoid = d.classid AND r.oid = d.objid AND r.ev_type <> '1' AND r.ev_class =
          m.objid) OR EXISTS (SELECT FROM pg_constraint c WHERE c.tableoid = d.classid AND c.oid = d.objid AND
          c.conrelid = m.objid) OR d.classid IN ('pg_statistic_ext'::regclass, 'pg_policy'::regclass,
        'pg_publication_rel'::regclass))
    UNION SELECT pg_describe_object(m.classid, m.objid, a.attnum)
    FROM m
    JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid AND a.attnum > (SELECT
        max(b.attnum) FROM pg_attribute b JOIN m s ON s.e = m.e AND s.x = b.xmin WHERE b.attrelid = m.objid)
      AND NOT a.attisdropped
    UNION ALL SELECT format('function %s', p.oid::regprocedure)
    FROM m
    JOIN pg_proc p ON m.classid = p.tableoid AND m.objid = p.oid
    JOIN pg_extension e ON e.oid = m.e
    WHERE e.extrelocatable AND p.pronamespace <> e.extnamespace)sql";

/// Members that were altered since by nothing of the above, and objects of the server that were: a row that no script
/// of the extension wrote, nor initdb. Privileges change rows, too, and are in the dump. '%' stands for what reads the
/// scripts.
constexpr const char* kAlteredMembers =
    R"sql(
    , ours AS (SELECT m.*, n.extname
      FROM m
      JOIN pg_extension n ON n.oid = m.e AND n.oid >= 16384
      JOIN known k ON k.e = m.e AND k.is),
    tx AS (SELECT e, x
      FROM ours
      UNION SELECT e, n.xmin
      FROM ours
      JOIN pg_extension n ON n.oid = e),
    rows AS (SELECT t.tableoid AS c, t.oid AS o, t.xmin AS x, typacl IS NOT NULL AS granted, typname AS name
      FROM pg_type t
      LEFT JOIN pg_class r ON r.oid = t.typrelid
      WHERE coalesce(r.relkind, 'c') = 'c' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid)
      UNION ALL SELECT tableoid, oid, xmin, false, NULL
      FROM pg_operator
      UNION ALL SELECT tableoid, oid, xmin, false, opcname
      FROM pg_opclass
      UNION ALL SELECT tableoid, oid, xmin, false, opfname
      FROM pg_opfamily
      UNION ALL SELECT tableoid, oid, xmin, false, dictname
      FROM pg_ts_dict
      UNION ALL SELECT tableoid, oid, xmin, false, cfgname
      FROM pg_ts_config
      UNION ALL SELECT tableoid, oid, xmin, false, prsname
      FROM pg_ts_parser
      UNION ALL SELECT tableoid, oid, xmin, false, tmplname
      FROM pg_ts_template
      UNION ALL SELECT tableoid, oid, xmin, false, collname
      FROM pg_collation
      UNION ALL SELECT tableoid, oid, xmin, false, conname
      FROM pg_conversion
      UNION ALL SELECT tableoid, oid, xmin, lanacl IS NOT NULL, lanname
      FROM pg_language
      UNION ALL SELECT tableoid, oid, xmin, nspacl IS NOT NULL, nspname
      FROM pg_namespace
      UNION ALL SELECT tableoid, oid, xmin, fdwacl IS NOT NULL, fdwname
      FROM pg_foreign_data_wrapper
      UNION ALL SELECT tableoid, oid, xmin, srvacl IS NOT NULL, srvname
      FROM pg_foreign_server
      UNION ALL SELECT tableoid, oid, xmin, prokind NOT IN ('a', 'p') OR proacl IS NOT NULL, proname
      FROM pg_proc),
    found AS (SELECT r.*, o.extname AS e
      FROM ours o
      JOIN rows r ON r.c = o.classid AND r.o = o.objid
      WHERE NOT EXISTS (SELECT FROM tx WHERE tx.e = o.e AND tx.x = r.x)),
    later AS (SELECT *
      FROM found
      WHERE granted),
    scripts AS (%)
    SELECT e, pg_describe_object(c, o, 0) AS n
    FROM found
    WHERE NOT granted
    UNION SELECT l.e, pg_describe_object(l.c, l.o, 0)
    FROM later l
    WHERE EXISTS (SELECT FROM scripts s WHERE s.e = l.e) AND NOT EXISTS (SELECT FROM scripts s WHERE s.e = l.e AND
        strpos(s.script, l.name) > 0)
    UNION SELECT o.extname, pg_describe_object(o.classid, o.objid, 0)
    FROM ours o
    JOIN pg_class c ON o.classid = c.tableoid AND o.objid = c.oid
    WHERE EXISTS (SELECT FROM pg_type t WHERE t.oid = c.reltype AND t.typacl IS NULL AND NOT EXISTS (SELECT FROM tx
          WHERE tx.e = o.e AND tx.x = t.xmin)) OR EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = c.oid AND
        r.ev_type = '1' AND NOT EXISTS (SELECT FROM tx WHERE tx.e = o.e AND tx.x = r.xmin))
      OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attacl IS NULL AND NOT
        EXISTS (SELECT FROM tx WHERE tx.e = o.e AND tx.x = a.xmin)) OR ((c.reloptions IS NOT NULL OR c.relrowsecurity OR
          c.relreplident NOT IN ('d', 'n')) AND NOT EXISTS (SELECT FROM tx WHERE tx.e = o.e AND tx.x = c.xmin))
    ORDER BY 2)sql";

/// Objects of the server itself that were altered or dropped. Those that it makes in one go have successive numbers.
constexpr const char* kAlteredServer =
    R"sql(
    WITH e AS (SELECT max(xmin::text::bigint) AS x
      FROM pg_depend
      WHERE objid < 16384 AND refobjid < 16384 AND classid IN ('pg_rewrite'::regclass, 'pg_language'::regclass)),
    rows AS (SELECT tableoid AS c, oid AS o, xmin AS x, typacl IS NOT NULL AS granted
      FROM pg_type
      UNION ALL SELECT tableoid, oid, xmin, proacl IS NOT NULL
      FROM pg_proc
      UNION ALL SELECT tableoid, oid, xmin, false
      FROM pg_operator
      UNION ALL SELECT tableoid, oid, xmin, false
      FROM pg_opclass
      UNION ALL SELECT tableoid, oid, xmin, false
      FROM pg_opfamily
      UNION ALL SELECT tableoid, oid, xmin, false
      FROM pg_collation
      UNION ALL SELECT tableoid, oid, xmin, false
      FROM pg_conversion
      UNION ALL SELECT tableoid, oid, xmin, false
      FROM pg_ts_config
      UNION ALL SELECT tableoid, oid, xmin, dictinitoption IS NOT NULL
      FROM pg_ts_dict
      UNION ALL SELECT tableoid, oid, xmin, lanacl IS NOT NULL
      FROM pg_language),
    made AS (SELECT 'text search configurations or dictionaries' AS k, oid
      FROM pg_ts_dict
      UNION ALL SELECT 'text search configurations or dictionaries', oid
      FROM pg_ts_config
      UNION ALL SELECT 'collations', oid
      FROM pg_collation)
    SELECT pg_describe_object(c, o, 0) AS n
    FROM rows, e
    WHERE o < 16384 AND NOT granted AND rows.x::text::bigint > e.x
    UNION ALL SELECT format('%s %s that were dropped', max(oid::bigint) - min(oid::bigint) + 1 - count(*), k)
    FROM made
    WHERE oid BETWEEN 12000 AND 16383
    GROUP BY k
    HAVING max(oid::bigint) - min(oid::bigint) + 1 > count(*)
    ORDER BY 1)sql";

/// Tables of extensions, with the condition for rows that the dump has, and the transactions of the scripts.
constexpr const char* kTablesOfExtensions =
    R"sql(
    SELECT c.oid::regclass AS t, n.extcondition[array_position(n.extconfig, c.oid)] AS condition, (SELECT
        string_agg(DISTINCT quote_literal(s.x), ', ') FROM (SELECT x FROM m WHERE m.e = n.oid UNION SELECT n.xmin) s(x))
      AS tx
    FROM m
    JOIN known k ON k.e = m.e AND k.is
    JOIN pg_extension n ON n.oid = m.e
    JOIN pg_class c ON c.tableoid = m.classid AND c.oid = m.objid
    WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND (n.extconfig IS NULL OR c.oid <> ALL (n.extconfig) OR
        n.extcondition[array_position(n.extconfig, c.oid)] <> '') AND pg_relation_size(c.oid) BETWEEN 1
      AND 1 << 28 AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY 1)sql";

Status note_changed_extensions(sql::PostgresConnection& session, const std::string& database, DumpInfo& info,
                               const std::stop_token& stop) {
  auto changed = TRY(session.query(std::string(kExtensionMembers) + kChangedExtensions + " ORDER BY 1", soon(), stop));
  note_found(info, "extension.changed", database, changed,
             "CREATE EXTENSION makes extensions of {} as they were: with its own owner, and without what was done to "
             "their members since. What depends on that may need restore --skip or --continue-on=object-errors: {}");
  return {};
}

Status note_altered(sql::PostgresConnection& session, const std::string& database, DumpInfo& info,
                    const std::stop_token& stop) {
  auto members = TRY(
      session.query(TRY(with_scripts(session, std::string(kExtensionMembers) + kAlteredMembers, stop)), soon(), stop));
  note_found(info, "extension.altered", database, members,
             "members of extensions of {} that were renamed or altered are restored as CREATE EXTENSION makes them. "
             "What depends on the change may need restore --skip or --continue-on=object-errors: {}");
  auto server = TRY(session.query(kAlteredServer, soon(), stop));
  note_found(info, "server.altered", database, server,
             "objects of the server itself that were altered or dropped in {} are restored as a new server has them: "
             "{}");
  auto tables = TRY(session.query(std::string(kExtensionMembers) + kTablesOfExtensions, soon(), stop));
  std::string changed;
  for (size_t i = 0; i < tables.rows.size(); ++i) {
    std::string in_dump = tables.text("condition", i);
    if (!in_dump.empty()) in_dump = " EXCEPT SELECT ctid FROM ONLY " + tables.text("t", i) + " " + in_dump;
    auto found = TRY(session.query(
        fmt::format("SELECT FROM (SELECT ctid FROM ONLY {0}{1}) r(c) JOIN ONLY {0} t ON t.ctid = r.c WHERE t.xmin NOT "
                    "IN ({2}) LIMIT 1",
                    tables.text("t", i), in_dump, tables.text("tx", i)),
        soon(), stop));
    if (!found.empty()) changed += (changed.empty() ? "" : ", ") + tables.text("t", i);
  }
  if (!changed.empty())
    info.notes.push_back({"extension.rows", database,
                          fmt::format("rows that were added or changed in tables of extensions of {}, and that the "
                                      "extension does not mark as its users', are not in the dump: {}",
                                      database, changed)});
  return {};
}

Status note_left_out(sql::PostgresConnection& session, const std::string& database, DumpInfo& info,
                     const std::stop_token& stop);

// A standby does not show them. It allows as many as its primary does, or does not start.
Status note_prepared(sql::PostgresConnection& session, bool standby, const std::optional<sql::Target>& primary,
                     DumpInfo& info, const std::stop_token& stop) {
  constexpr const char* kPrepared = "SELECT gid AS n FROM pg_prepared_xacts ORDER BY prepared";
  Result<sql::Rows> prepared = sql::Rows{};
  if (!standby) {
    prepared = TRY(session.query(kPrepared, soon(), stop));
  } else {
    auto allowed = TRY(session.query("SELECT current_setting('max_prepared_transactions') AS n", soon(), stop));
    if (allowed.text("n") == "0") return {};
    if (!primary) {
      prepared = fail(ErrorClass::unavailable, "sql.unreachable", "it is not known which member that is");
    } else if (auto asked = open_dump_session(*primary, stop)) {
      prepared = asked->query(kPrepared, soon(), stop);
    } else {
      prepared = fail(std::move(asked).error());
    }
  }
  if (!prepared) {
    info.notes.push_back({"transaction.prepared", "",
                          "prepared transactions are not in the dump; whether there are any is not known, because a "
                          "standby does not show them and the primary could not be asked: " +
                              prepared.error().message});
  } else if (!prepared->empty()) {
    info.notes.push_back(
        {"transaction.prepared", "", "prepared transactions are not in the dump: " + some_of(*prepared)});
  }
  return {};
}

}  // namespace

Status note_server(sql::PostgresConnection& session, bool standby, const std::optional<sql::Target>& primary,
                   DumpInfo& info, std::stop_token stop) {
  auto closed =
      TRY(session.query("SELECT datname AS d, datconnlimit = -2 AS invalid FROM pg_database WHERE (NOT "
                        "datallowconn OR datconnlimit = -2) AND datname <> 'template0'",
                        soon(), stop));
  for (size_t i = 0; i < closed.rows.size(); ++i) {
    const std::string name = closed.text("d", i);
    if (closed.text("invalid", i) == "t") {
      info.notes.push_back(
          {"database.invalid", name, "database " + name + " is invalid (an interrupted DROP) and not in the dump"});
    } else {
      info.notes.push_back({"database.no_connections", name,
                            "database " + name +
                                " allows no connections and is not in the dump (ALTER DATABASE ... "
                                "ALLOW_CONNECTIONS true)"});
    }
  }
  // A new server has them already, as initdb makes them for a restore.
  auto others = TRY(session.query(
      "SELECT datname AS d, concat_ws(', ', pg_encoding_to_char(encoding), datcollate, datctype, CASE WHEN "
      "to_jsonb(b)->>'datlocprovider' = 'i' THEN 'icu' END) AS l FROM pg_database b WHERE datname IN ('postgres', "
      "'template1') AND (pg_encoding_to_char(encoding) <> 'UTF8' OR lower(datcollate) NOT IN ('c.utf-8', 'c.utf8') OR "
      "lower(datctype) NOT IN ('c.utf-8', 'c.utf8') OR to_jsonb(b)->>'datlocprovider' = 'i') ORDER BY 1",
      soon(), stop));
  for (size_t i = 0; i < others.rows.size(); ++i)
    info.notes.push_back({"database.locale", others.text("d", i),
                          fmt::format("database {} has encoding and locale {}; a restore has it in UTF8 and C.UTF-8",
                                      others.text("d", i), others.text("l", i))});
  auto spaces =
      TRY(session.query("SELECT spcname AS s, pg_tablespace_location(oid) AS l FROM pg_tablespace WHERE "
                        "pg_tablespace_location(oid) LIKE '/%'",
                        soon(), stop));
  for (size_t i = 0; i < spaces.rows.size(); ++i)
    info.notes.push_back({"tablespace.location", spaces.text("s", i),
                          fmt::format("tablespace {} is in {}: a restore puts it beside its data directory, or where "
                                      "--tablespace-map {}=NEW says",
                                      spaces.text("s", i), spaces.text("l", i), spaces.text("l", i))});
  TRY_VOID(note_prepared(session, standby, primary, info, stop));
  auto origins = TRY(session.query(
      "SELECT roname AS n FROM pg_replication_origin WHERE roname !~ '^pg_[0-9_]+$' ORDER BY 1", soon(), stop));
  if (!origins.empty())
    info.notes.push_back({"replication.origin", "",
                          "replication origins and how far they have come are not in the dump: " + some_of(origins)});
  return {};
}

namespace {

// What pg_dump does not write, whatever the source.
Status note_left_out(sql::PostgresConnection& session, const std::string& database, DumpInfo& info,
                     const std::stop_token& stop) {
  struct Kind {
    const char* id;
    const char* query;  ///< selects n
    const char* text;   ///< database, names
  };
  constexpr const char* kNotMember =
      " NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = x.tableoid AND e.objid = x.oid AND e.deptype = 'e')";
  const std::array<Kind, 10> kinds = {
      Kind{"index.invalid",
           "SELECT i.indexrelid::regclass::text AS n FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE NOT "
           "i.indisvalid AND x.relkind = 'i' AND",
           "invalid indexes of {} are not in the dump (an index build that failed): {}"},
      Kind{
          "extension.version",
          "SELECT x.extname || ' ' || x.extversion AS n FROM pg_extension x JOIN pg_available_extensions a ON a.name = "
          "x.extname WHERE a.default_version <> x.extversion AND",
          "extensions of {} are restored in the version that the server has as its default, which is another one: {}"},
      Kind{"object.in_pg_catalog",
           R"sql(
           SELECT x.n
           FROM (SELECT tableoid, oid, typname::text AS n FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace
               AND typelem = 0 AND typtype NOT IN ('p') UNION ALL SELECT tableoid, oid, oid::regoperator::text FROM
               pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace UNION ALL SELECT tableoid, oid,
               oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'a'
               UNION ALL SELECT tableoid, oid, oid::regcollation::text FROM pg_collation WHERE collnamespace =
               'pg_catalog'::regnamespace AND collprovider <> 'c' UNION ALL SELECT tableoid, oid, oid::regconfig::text
               FROM pg_ts_config WHERE cfgnamespace = 'pg_catalog'::regnamespace UNION ALL SELECT tableoid, oid,
               oid::regdictionary::text FROM pg_ts_dict WHERE dictnamespace = 'pg_catalog'::regnamespace UNION ALL
               SELECT tableoid, oid, oid::regclass::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace
               AND relkind IN ('r', 'v', 'm', 'S')) x
           WHERE x.oid >= 16384 AND)sql",
           "objects that users made in pg_catalog of {} are not in the dump: {}"},
      Kind{"object.in_information_schema",
           R"sql(
          SELECT x.n
          FROM (SELECT c.tableoid, c.oid, c.oid::regclass::text AS n FROM pg_class c WHERE c.relnamespace =
              to_regnamespace('information_schema') AND c.relkind NOT IN ('i', 'I', 'c') UNION ALL SELECT t.tableoid,
              t.oid, t.oid::regtype::text FROM pg_type t WHERE t.typnamespace = to_regnamespace('information_schema')
              AND t.typrelid = 0 AND t.typelem = 0 UNION ALL SELECT p.tableoid, p.oid, p.oid::regprocedure::text FROM
              pg_proc p WHERE p.pronamespace = to_regnamespace('information_schema')) x
          WHERE x.oid >= 16384 AND)sql",
           "objects that users made in information_schema of {} are not in the dump, nor their rows: {}"},
      Kind{"trigger.enabled",
           "SELECT DISTINCT x.tgrelid::regclass::text AS n FROM pg_trigger x WHERE x.tgisinternal AND x.tgenabled <> "
           "'O' AND",
           "foreign keys whose triggers are disabled (ALTER TABLE ... DISABLE TRIGGER ALL) are enforced again after a "
           "restore of {}: {}"},
      Kind{
          "column.generated",
          R"sql(
          SELECT DISTINCT x.adrelid::regclass || '.' || quote_ident(a.attname) AS n
          FROM pg_attrdef x
          JOIN pg_attribute a ON a.attrelid = x.adrelid AND a.attnum = x.adnum AND a.attgenerated = 's'
          JOIN pg_depend d ON d.classid = x.tableoid AND d.objid = x.oid AND d.refclassid = 'pg_proc'::regclass
          JOIN pg_proc p ON p.oid = d.refobjid AND p.oid >= 16384
          JOIN pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
          WHERE)sql",
          "generated columns of {} that call functions of users are computed again by a restore, and differ where such "
          "a function gives another result than it gave (--verify=checksums then refuses, --verify=rows does not): "
          "{}"},
      Kind{
          "constraint.function",
          R"sql(
          SELECT DISTINCT x.conrelid::regclass || '.' || quote_ident(x.conname) AS n
          FROM pg_constraint x
          JOIN pg_depend d ON d.classid = x.tableoid AND d.objid = x.oid AND d.refclassid = 'pg_proc'::regclass
          JOIN pg_proc p ON p.oid = d.refobjid AND p.oid >= 16384
          JOIN pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
          WHERE x.contype = 'c' AND x.conrelid <> 0 AND x.convalidated AND x.conislocal
            AND)sql",
          "constraints of {} that call functions of users are tried by a restore once all rows are there, and stay NOT "
          "VALID where one breaks them by then: {}"},
      Kind{"view.filled",
           "SELECT x.oid::regclass::text AS n FROM pg_class x WHERE x.relkind = 'm' AND x.relispopulated AND",
           "materialized views of {} are filled again by a restore, with what their queries find then, or stay empty "
           "where they read an empty one: {}"},
      Kind{"column.regclass",
           R"sql(
           WITH RECURSIVE t(oid) AS (SELECT 'regclass'::regtype::oid
             UNION SELECT u.oid
             FROM t
             JOIN (SELECT typelem AS of, oid FROM pg_type WHERE typcategory = 'A' UNION ALL SELECT typbasetype, oid FROM
                 pg_type WHERE typtype = 'd' UNION ALL SELECT rngsubtype, rngtypid FROM pg_range UNION ALL SELECT
                 a.atttypid, c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.reltype <> 0) u
               ON u.of = t.oid)
           SELECT format('%s.%I', a.attrelid::regclass, a.attname) AS n
           FROM pg_attribute a
           JOIN t ON t.oid = a.atttypid
           JOIN pg_class x ON x.oid = a.attrelid
           WHERE x.relkind = 'r' AND x.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped
             AND)sql",
           "columns of {} that name relations (regclass): psql refuses the rows of such a table when it loads an "
           "export and one of them names an index, because indexes are created after the rows; restore loads "
           "them: {}"},
      Kind{"language.handler",
           "SELECT quote_ident(x.lanname) AS n FROM pg_language x WHERE x.oid >= 16384 AND x.lanplcallfoid < 16384 AND",
           "languages of {} whose handler is the server's own or an extension's cannot be restored; leave them out "
           "(restore --skip, or --continue-on=object-errors): {}"}};
  for (const auto& kind : kinds) {
    auto found = TRY(session.query(std::string(kind.query) + kNotMember + " ORDER BY 1", soon(), stop));
    note_found(info, kind.id, database, found, kind.text);
  }
  return {};
}

// What pg_dump leaves out without an error where the account has no superuser rights.
Status note_shown_to_superusers(sql::PostgresConnection& session, const std::string& database, DumpInfo& info,
                                const std::stop_token& stop) {
  constexpr std::string_view kFewerRights =
      " NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) ORDER BY 1";
  auto subscriptions = TRY(session.query(
      std::string("SELECT quote_ident(subname) AS n FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database "
                  "WHERE datname = current_database()) AND")
          .append(kFewerRights),
      soon(), stop));
  note_found(info, "subscription.missing", database, subscriptions,
             "subscriptions of {} are not in the dump: pg_dump writes them as a superuser only: {}");
  auto mappings = TRY(session.query(
      std::string("SELECT format('%I for %I', srvname, usename) AS n FROM pg_user_mappings WHERE umoptions IS NULL AND")
          .append(kFewerRights),
      soon(), stop));
  note_found(info, "mapping.options", database, mappings,
             "user mappings of {} are in the dump without their options, which the account of the backup is not shown: "
             "{}");
  return {};
}

}  // namespace

Status note_database(sql::PostgresConnection& session, const std::string& database, bool standby, DumpInfo& info,
                     std::stop_token stop) {
  auto subscriptions =
      TRY(session.query("SELECT subname AS n FROM pg_subscription WHERE subenabled AND subdbid = (SELECT "
                        "oid FROM pg_database WHERE datname = current_database())",
                        soon(), stop));
  note_found(info, "subscription.disabled", database, subscriptions, "subscriptions of {} are restored disabled: {}");
  TRY_VOID(note_shown_to_superusers(session, database, info, stop));
  auto moved = TRY(session.query(kOtherColumnOrder, soon(), stop));
  note_found(info, "columns.order", database, moved,
             "tables of {} that inherit are restored with their columns in another order, those of the parents first: "
             "{}");
  TRY_VOID(note_left_out(session, database, info, stop));
  TRY_VOID(note_added_members(session, database, info, stop));
  TRY_VOID(note_changed_extensions(session, database, info, stop));
  TRY_VOID(note_altered(session, database, info, stop));
  if (!standby) return {};
  auto unlogged =
      TRY(session.query("SELECT n.nspname || '.' || c.relname AS n FROM pg_class c JOIN "
                        "pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence = 'u' AND c.relkind IN ('r', "
                        "'m', 'S') ORDER BY 1",
                        soon(), stop));
  note_found(
      info, "unlogged.empty", database, unlogged,
      "unlogged tables and sequences of {} have no content on a standby and are restored empty (name the primary "
      "with -i to have it): {}");
  auto sequences =
      TRY(session.query("SELECT count(*) AS n FROM pg_class WHERE relkind = 'S' AND relpersistence = 'p' AND "
                        "oid >= 16384",
                        soon(), stop));
  if (const std::string n = sequences.text("n"); n != "0")
    info.notes.push_back(
        {"sequence.ahead", database,
         fmt::format("{} sequences of {} are up to 32 values ahead, as a standby has them", n, database)});
  return {};
}

Result<std::vector<std::string>> unlogged_sequences(sql::PostgresConnection& session, std::stop_token stop) {
  auto found =
      TRY(session.query("SELECT n.nspname AS s, c.relname AS r FROM pg_class c JOIN pg_namespace n ON n.oid = "
                        "c.relnamespace WHERE c.relpersistence = 'u' AND c.relkind = 'S' ORDER BY 1, 2",
                        soon(), stop));
  std::vector<std::string> patterns;
  for (size_t i = 0; i < found.rows.size(); ++i)
    patterns.push_back(sql::quote_postgres_name(found.text("s", i)) + "." +
                       sql::quote_postgres_name(found.text("r", i)));
  return patterns;
}

Result<std::string> server_settings(sql::PostgresConnection& session, std::stop_token stop) {
  auto rows = session.query(
      R"sql(
      SELECT name AS n, setting AS s
      FROM pg_file_settings
      WHERE sourcefile LIKE '%/postgresql.auto.conf' AND name NOT IN ('primary_conninfo', 'primary_slot_name',
        'restore_command', 'promote_trigger_file', 'listen_addresses', 'port', 'data_directory', 'hba_file',
        'ident_file', 'config_file', 'cluster_name', 'unix_socket_directories') AND name NOT LIKE 'recovery\_%'
      ORDER BY seqno)sql",
      soon(), stop);
  std::string text;
  if (!rows && rows.error().id != "sql.error") return fail(std::move(rows).error());
  if (!rows) return text;  // not for everybody to read
  for (size_t i = 0; i < rows->rows.size(); ++i)
    text += "ALTER SYSTEM" + set_clause(rows->text("n", i), rows->text("s", i));
  return text;
}

}  // namespace holdfast::engine
