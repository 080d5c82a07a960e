// A PostgreSQL server with one of everything, backed up from its standby, restored into the cluster, into a folder, and
// by plain psql from an export: each time every catalogue entry and row is as it was.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <optional>

#include "engine/private_files.h"
#include "engine/programs.h"
#include "sql/postgres.h"
#include "sys/file.h"
#include "tests/support/lab_guard.h"
#include "tests/support/member_sql.h"
#include "tests/support/program.h"
#include "tests/support/require.h"

namespace holdfast::test {
namespace {

using cluster::Engine;
using codec::Value;
using std::chrono::seconds;
namespace fs = std::filesystem;

// Names as bad as the server takes them.
const std::string kOdd = "o.d'd \\ \"q\" ;\nCOPY x FROM stdin;";
const std::vector<std::string> kDatabases = {"shop.db", "it's", "back\\slash", "new\nline", "Äö \"q\""};

std::string q(const std::string& name) {
  return sql::quote_postgres_name(name);
}

/// One after the other, each by itself (CREATE DATABASE and the like want that).
void run(sql::Target target, const std::string& database, const std::vector<std::string>& statements) {
  target.database = database;
  auto connection = sql::PostgresConnection::connect(target, Deadline::in(seconds(20)));
  ASSERT_TRUE(connection) << connection.error().to_string();
  for (const auto& statement : statements) {
    auto done = connection->query(statement, Deadline::in(seconds(60)));
    ASSERT_TRUE(done) << database << ": " << statement << "\n" << done.error().to_string();
  }
}

std::vector<std::string> of_the_cluster(const std::string& admin) {
  std::vector<std::string> all = {
      "CREATE ROLE " + q(kOdd) + " LOGIN PASSWORD 'x' VALID UNTIL '2040-01-01' CONNECTION LIMIT 7",
      "CREATE ROLE readers NOLOGIN", "CREATE ROLE owner_role CREATEDB CREATEROLE",
      "GRANT readers TO " + q(kOdd) + " WITH ADMIN OPTION", "COMMENT ON ROLE readers IS 'they\n\\connect x\nread'",
      "ALTER ROLE readers SET work_mem = '7MB'", "ALTER ROLE readers SET search_path = \"$user\", public, \"a b\"",
      "GRANT SET ON PARAMETER log_min_duration_statement TO readers", "SET allow_in_place_tablespaces = on",
      "CREATE TABLESPACE inplace LOCATION ''", "ALTER TABLESPACE inplace SET (seq_page_cost = 2)",
      "GRANT CREATE ON TABLESPACE inplace TO readers",
      // The administrator's own sessions and those of a database begin read-only, and with other forms of text.
      "ALTER ROLE " + q(admin) + " SET default_transaction_read_only = on", "SET default_transaction_read_only = off",
      "ALTER ROLE " + q(admin) + " SET array_nulls = off",
      "ALTER ROLE " + q(admin) + " NOCREATEDB CONNECTION LIMIT 90 VALID UNTIL '2044-01-01'",
      "ALTER ROLE " + q(admin) + " SET idle_in_transaction_session_timeout = '1ms'",
      "COMMENT ON DATABASE postgres IS 'ours'", "ALTER DATABASE postgres CONNECTION LIMIT 55",
      "ALTER DATABASE postgres SET work_mem = '5MB'", "REVOKE ALL ON DATABASE postgres FROM PUBLIC",
      // Its slot is made through an ordinary connection.
      "GRANT CONNECT ON DATABASE postgres TO replicator",
      "GRANT CONNECT ON DATABASE postgres TO readers WITH GRANT OPTION",
      "ALTER ROLE readers IN DATABASE postgres SET statement_timeout = '1h'", "COMMENT ON DATABASE template1 IS NULL",
      "GRANT TEMPORARY ON DATABASE template1 TO readers", "ALTER DATABASE template1 SET search_path = public, \"x y\"",
      "CREATE DATABASE closed", "ALTER DATABASE closed ALLOW_CONNECTIONS false"};
  for (const auto& name : kDatabases) {
    all.push_back("CREATE DATABASE " + q(name) + " TEMPLATE template0 OWNER owner_role");
    all.push_back("COMMENT ON DATABASE " + q(name) + " IS 'd;\n\\connect'");
    all.push_back("ALTER DATABASE " + q(name) + " SET default_transaction_read_only = on");
    all.push_back("ALTER ROLE readers IN DATABASE " + q(name) + " SET work_mem = '9MB'");
    all.push_back("REVOKE CONNECT ON DATABASE " + q(name) + " FROM PUBLIC");
  }
  return all;
}

// NOLINTBEGIN(bugprone-suspicious-missing-comma): many of them take two lines
const std::vector<std::string> kObjects = {
    "SET default_transaction_read_only = off", "CREATE SCHEMA " + q(kOdd) + " AUTHORIZATION " + q(kOdd),
    "COMMENT ON SCHEMA public IS 'of users'",
    "CREATE TABLE " + q(kOdd) + "." + q(kOdd) + " (" + q(kOdd) +
        " text DEFAULT E'\\\\connect x\\n''', id int PRIMARY KEY)",
    "INSERT INTO " + q(kOdd) + "." + q(kOdd) + " VALUES (E'a\\n\\\\.\\nb\\tc\\\\N', 1), (NULL, 2), ('\\.', 3), ('', 4)",
    "COMMENT ON TABLE " + q(kOdd) + "." + q(kOdd) +
        " IS E'x\\nCOPY x FROM stdin;\\n\\\\connect y\\n-- Name: n; Type: TABLE'",
    "CREATE TABLE \" VALUES\" (a int)", "CREATE TABLE empty ()", "CREATE TABLE no_columns ()",
    "INSERT INTO no_columns DEFAULT VALUES",
    // Bodies that look like the dump's own statements.
    "CREATE FUNCTION hostile() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN\n/*\nCOPY x FROM stdin;\n1\n\\.\n\\connect "
    "evil\n*/ RETURN $$\nCOPY y FROM stdin;\n$$; END $f$",
    "CREATE FUNCTION standard(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 0 THEN 1 ELSE 2 END; "
    "SELECT a + 1; END",
    "CREATE VIEW hostile_view AS SELECT '\nCOPY x FROM stdin;\n\\connect y\n'::text AS t",
    "CREATE PROCEDURE proc(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := a + 1; END $$",
    "CREATE AGGREGATE total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
    // Types.
    "CREATE TYPE mood AS ENUM ('sad', 'o''k', 'ha\"ppy')", "CREATE TYPE pair AS (a int, b text)",
    "CREATE TYPE floats AS RANGE (subtype = float8, multirange_type_name = manyfloats)",
    "CREATE DOMAIN small AS int CHECK (VALUE < 1000) DEFAULT 3 NOT NULL", "CREATE TYPE shell",
    "CREATE COLLATION german (provider = icu, locale = 'de-u-co-phonebk')",
    "CREATE TABLE typed (m mood, p pair, r floats, mr manyfloats, d small, a int[], j jsonb, x xml, b bytea, n "
    "numeric, "
    "f4 real, f8 float8, ts timestamptz, iv interval, money money, bits bit varying, net inet, g tsvector, c text "
    "COLLATE "
    "german, u uuid)",
    "INSERT INTO typed VALUES ('o''k', '(1,\"x,y\")', '[1,2)', '{[1,2),[3,4)}', 7, ARRAY[1, NULL, 3], '{\"a\": 1.10}', "
    "'<a/>', '\\x00ff5c', 'NaN', 1.1e-30, 0.1, 'infinity', '-1 mons +2 days -03:00:00.5', 1234.56, B'101', "
    "'10.0.0.0/8', 'a:1 b:2A', 'ß', gen_random_uuid())",
    // Relations.
    "CREATE TABLE generated (a int GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 3), b int GENERATED ALWAYS AS (2 * "
    "c) "
    "STORED, c int)",
    "INSERT INTO generated (c) SELECT generate_series(1, 50)",
    "CREATE TABLE parted (k int, t text, PRIMARY KEY (k)) PARTITION BY RANGE (k)",
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (10)",
    "CREATE TABLE parted_rest PARTITION OF parted DEFAULT TABLESPACE inplace",
    "INSERT INTO parted SELECT i, i::text FROM generate_series(1, 40) i",
    "CREATE TABLE parent (a int, CONSTRAINT positive CHECK (a > 0))", "CREATE TABLE child (b int) INHERITS (parent)",
    "INSERT INTO parent VALUES (1)", "INSERT INTO child VALUES (2, 3)",
    // Its columns are a, b, c, and those of what a dump makes a, c, b.
    "CREATE TABLE grown (a int)", "CREATE TABLE grown_child (b int) INHERITS (grown)", "ALTER TABLE grown ADD c int",
    "CREATE UNLOGGED TABLE unlogged (a int, s serial)",
    "CREATE SEQUENCE seq START 10 INCREMENT -1 MINVALUE -5 MAXVALUE 20 CYCLE", "SELECT nextval('seq')",
    "CREATE MATERIALIZED VIEW mat AS SELECT k, count(*) FROM parted GROUP BY k", "CREATE UNIQUE INDEX ON mat (k)",
    "CREATE MATERIALIZED VIEW mat_empty AS SELECT 1 AS a WITH NO DATA",
    "CREATE INDEX partial ON parted (lower(t)) WHERE k > 3", "CREATE INDEX incl ON typed (f8) INCLUDE (n)",
    "CREATE STATISTICS stats (dependencies, mcv) ON c, b FROM generated",
    "CREATE TABLE excl (r int4range, EXCLUDE USING gist (r WITH &&))",
    "CREATE TABLE refers (k int REFERENCES parted ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED)",
    "INSERT INTO refers VALUES (3)", "ALTER TABLE refers ADD CONSTRAINT later CHECK (k > 0) NOT VALID",
    // A CHECK through a function that reads a table that comes later in the dump, and without a schema.
    "CREATE TABLE zlimits (most int)", "INSERT INTO zlimits VALUES (100)",
    "CREATE FUNCTION below_limit(a int) RETURNS bool LANGUAGE sql AS 'SELECT a < (SELECT max(most) FROM zlimits)'",
    "CREATE TABLE checked (a int CONSTRAINT below CHECK (below_limit(a)))", "INSERT INTO checked VALUES (5), (6)",
    "CREATE TABLE checked_child () INHERITS (checked)", "INSERT INTO checked_child VALUES (7)",
    "CREATE FUNCTION twice(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN a + plus_nothing(a); END'",
    "CREATE FUNCTION plus_nothing(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT a'",
    "CREATE TABLE indexed (a int)", "INSERT INTO indexed SELECT generate_series(1, 9)",
    // 17 finds nothing by search_path while it makes an index.
    "DO $$BEGIN IF current_setting('server_version_num')::int >= 170000 THEN "
    "ALTER FUNCTION twice(int) SET search_path = public; END IF; END$$",
    "CREATE INDEX by_function ON indexed (twice(a))",
    "CREATE MATERIALIZED VIEW by_name AS SELECT twice(a) AS t FROM indexed",
    // Rules, triggers, policies, operators, casts, text search.
    "CREATE RULE multi AS ON UPDATE TO empty DO ALSO (INSERT INTO indexed VALUES (1); DELETE FROM indexed WHERE a = 0)",
    "CREATE FUNCTION trg() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER t1 BEFORE INSERT ON parent FOR EACH ROW WHEN (NEW.a > 5) EXECUTE FUNCTION trg('a''b')",
    "ALTER TABLE parent DISABLE TRIGGER t1",
    "CREATE CONSTRAINT TRIGGER t2 AFTER INSERT ON child DEFERRABLE FOR EACH ROW EXECUTE FUNCTION trg()",
    "CREATE FUNCTION evt() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE EVENT TRIGGER et ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION evt()",
    "ALTER TABLE typed ENABLE ROW LEVEL SECURITY", "ALTER TABLE typed FORCE ROW LEVEL SECURITY",
    "CREATE POLICY mine ON typed FOR SELECT TO readers USING (d > 3)",
    "CREATE FUNCTION near(int, int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT abs($1 - $2) < 2'",
    "CREATE OPERATOR =~= (LEFTARG = int, RIGHTARG = int, FUNCTION = near, COMMUTATOR = =~=)",
    "CREATE FUNCTION to_mood(int) RETURNS mood LANGUAGE sql AS $$ SELECT 'sad'::mood $$",
    "CREATE CAST (int AS mood) WITH FUNCTION to_mood(int) AS ASSIGNMENT",
    "CREATE TEXT SEARCH DICTIONARY simple_de (TEMPLATE = simple, STOPWORDS = german)",
    "CREATE TEXT SEARCH CONFIGURATION conf (COPY = german)",
    // Beyond the database.
    "CREATE EXTENSION postgres_fdw",
    "CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '1')",
    "CREATE USER MAPPING FOR readers SERVER far OPTIONS (user 'a', password 'b''c')",
    "CREATE FOREIGN TABLE far_away (a int) SERVER far",
    "CREATE PUBLICATION pub FOR TABLE parent, parted WITH (publish = 'insert')",
    "CREATE SUBSCRIPTION sub CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p WITH (connect = false, slot_name = NONE)",
    // Of its tables CREATE EXTENSION fills some rows, and users others.
    "CREATE EXTENSION unit", "INSERT INTO unit_prefixes (prefix, factor) VALUES ('holdfast', 7)",
    "CREATE EXTENSION hstore", "CREATE EXTENSION isn", "CREATE EXTENSION pg_trgm SCHEMA " + q(kOdd),
    "SELECT lo_from_bytea(77777, '\\x00010203')", "COMMENT ON LARGE OBJECT 77777 IS 'lo'",
    "GRANT SELECT ON LARGE OBJECT 77777 TO readers",
    // Rights.
    "GRANT SELECT (f4, f8), UPDATE (n) ON typed TO readers WITH GRANT OPTION",
    "GRANT USAGE ON SCHEMA " + q(kOdd) + " TO readers",
    "ALTER DEFAULT PRIVILEGES FOR ROLE owner_role GRANT SELECT ON TABLES TO readers",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "REVOKE ALL ON FUNCTION hostile() FROM PUBLIC", "ALTER TABLE parent OWNER TO owner_role",
    "ALTER TABLE indexed SET (fillfactor = 70)",
    "ALTER TABLE indexed ALTER a SET STATISTICS 7, ALTER a SET STORAGE PLAIN", "CLUSTER indexed USING by_function",
    "ALTER TABLE parent REPLICA IDENTITY FULL"};
// NOLINTEND(bugprone-suspicious-missing-comma)

// What pg_dump's text says nothing of, of databases whose name starts with "around".
constexpr const char* kAround = R"(
SELECT string_agg(l, E'\n' ORDER BY l) FROM (
SELECT concat_ws('|', 'routine', p.oid::regprocedure, proowner::regrole, provolatile, proconfig,
  (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(proacl, acldefault('f', proowner))) a))
  FROM pg_proc p WHERE p.oid >= 16384 AND proowner::regrole::text <> 'fd' AND NOT EXISTS (SELECT FROM pg_depend d
  JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'cube' WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL SELECT concat_ws('|', 'relation', c.oid::regclass, relowner::regrole,
  (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(relacl, acldefault('r', relowner))) a))
  FROM pg_class c WHERE relkind IN ('r', 'v', 'm', 'p')
UNION ALL SELECT concat_ws('|', 'column', attrelid::regclass, attname, attacl) FROM pg_attribute WHERE attacl IS NOT NULL
UNION ALL SELECT concat_ws('|', 'type', t.oid::regtype, (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM
  unnest(coalesce(typacl, acldefault('T', typowner))) a)) FROM pg_type t WHERE typacl IS NOT NULL
UNION ALL SELECT concat_ws('|', 'comment', i.type, i.identity, d.description) FROM pg_description d,
  LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i
UNION ALL SELECT concat_ws('|', 'constraint', conrelid::regclass, conname, convalidated, conislocal, coninhcount)
  FROM pg_constraint WHERE conrelid >= 16384
UNION ALL SELECT concat_ws('|', 'operator of a family', amopfamily::text::int >= 16384, amopopr::regoperator, amopstrategy)
  FROM pg_amop WHERE oid >= 16384
UNION ALL SELECT concat_ws('|', 'function of a family', amproc::regprocedure, amprocnum) FROM pg_amproc WHERE oid >= 16384
UNION ALL SELECT concat_ws('|', 'mapping', mapcfg::regconfig, maptokentype, mapseqno, mapdict::regdictionary)
  FROM pg_ts_config_map WHERE mapcfg < 16384
UNION ALL SELECT concat_ws('|', 'dictionary', oid::regdictionary, dictinitoption) FROM pg_ts_dict WHERE oid < 16384
UNION ALL SELECT concat_ws('|', 'schema', nspname) FROM pg_namespace WHERE nspname !~ '^pg_') x (l))";

class PostgresFidelity : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(),
                  "its server is not installed");
    const std::string extensions = run_program({program("pg_config"), "--sharedir"}).out;
    HOLDFAST_NEED("postgresql-unit",
                  fs::exists(extensions.substr(0, extensions.find('\n')) + "/extension/unit.control"),
                  "it is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    ASSERT_EQ(lab_->holdfast({"lab", "up", "shop-postgres"}).exit_code, 0);
    ASSERT_EQ(lab_->holdfast({"repo", "init", "-r", repository_}).exit_code, 0);
  }

  Value member(size_t i) { return lab_->member("shop-postgres-" + std::to_string(i)); }

  static std::string program(const char* name) { return engine::find_program(Engine::postgres, name).value(); }

  static std::string tool(const std::vector<std::string>& argv, const sql::Target& target,
                          const std::string& database) {
    auto passfile = engine::PrivateFile::create("pgpass", engine::postgres_password_file(target));
    EXPECT_TRUE(passfile);
    std::vector<std::string> all = argv;
    all.insert(all.end(), {"-d", engine::postgres_conninfo(target, passfile->path(), database).value()});
    const auto done = run_program(
        all, {.env = {{"PGTZ", "UTC"}, {"PGOPTIONS", "-c lc_monetary=C -c role=none -c idle_session_timeout=0"}}});
    EXPECT_EQ(done.exit_code, 0) << argv[0] << " of " << database << ": " << done.err;
    return done.out;
  }

  // Lines of what describes everything, in no order: object ids may change it.
  static std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    for (size_t from = 0; from < text.size();) {
      const size_t end = std::min(text.find('\n', from), text.size());
      std::string line = text.substr(from, end - from);
      from = end + 1;
      // Random keys; values a standby has ahead; the password a cluster keeps of its own administrator; comments on
      // when and by what version.
      if (line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ") ||
          line.find("pg_catalog.setval(") != line.npos || line.starts_with("-- ") ||
          (line.starts_with("ALTER ROLE ") && line.find(" PASSWORD ") != line.npos))
        continue;
      // In place, under the number of the tablespace.
      if (const size_t at = line.find("'pg_tblspc/"); at != line.npos)
        line.erase(at + 11, line.find('\'', at + 11) - at - 11);
      all.push_back(std::move(line));
    }
    std::ranges::sort(all);
    return all;
  }

  static std::map<std::string, std::vector<std::string>> fingerprint(const sql::Target& target) {
    std::map<std::string, std::vector<std::string>> all;
    all["globals"] = lines(tool({program("pg_dumpall"), "-g"}, target, "postgres"));
    sql::Target there = target;
    there.database = "postgres";
    auto connection = sql::PostgresConnection::connect(there, Deadline::in(seconds(10)));
    EXPECT_TRUE(connection) << connection.error().to_string();
    if (!connection) return all;
    auto rows = connection->query(
        "SELECT datname AS n, concat_ws('|', d.datdba::regrole, encoding, datcollate, datctype, datistemplate, "
        "datconnlimit, "
        "(SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(coalesce(datacl, acldefault('d', datdba))) a), "
        "shobj_description(d.oid, 'pg_database'), (SELECT string_agg(setrole::regrole::text || setconfig::text, ',' "
        "ORDER BY "
        "setrole::regrole::text) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid)) AS f FROM pg_database d WHERE "
        "datallowconn AND datname <> 'template0' ORDER BY 1",
        Deadline::in(seconds(10)));
    EXPECT_TRUE(rows) << rows.error().to_string();
    if (!rows) return all;
    all["settings of all roles, tablespaces"] = lines(ask(
        Engine::postgres, there,
        "SELECT string_agg(l, E'\\n' ORDER BY l) FROM (SELECT unnest(setconfig) AS l FROM pg_db_role_setting WHERE "
        "setdatabase = 0 AND setrole = 0 UNION ALL SELECT concat_ws('|', rolname, rolsuper, rolinherit, rolcreaterole, "
        "rolcreatedb, rolcanlogin, rolreplication, rolbypassrls, rolconnlimit, rolvaliduntil, shobj_description(oid, "
        "'pg_authid')) FROM pg_authid UNION ALL SELECT concat_ws('|', shobj_description(d.oid, 'pg_database'), "
        "setconfig) FROM pg_database d JOIN pg_db_role_setting s ON s.setdatabase = d.oid WHERE datname = 'template0' "
        "UNION ALL SELECT concat_ws('|', spcname, spcowner::regrole, (SELECT "
        "string_agg(a::text, ',' ORDER BY a::text) FROM unnest(spcacl) a), "
        "spcoptions, "
        "shobj_description(oid, 'pg_tablespace')) FROM pg_tablespace) x"));
    for (size_t i = 0; i < rows->rows.size(); ++i) {
      const std::string name = rows->text("n", i);
      there.database = name;
      if (name != "altered")
        all["the server's own in " + name] = lines(ask(
            Engine::postgres, there,
            "SELECT string_agg(l, E'\\n' ORDER BY l) FROM (SELECT concat_ws('|', oid::regclass, a) AS l FROM pg_class, "
            "unnest(relacl) a WHERE relnamespace = 'information_schema'::regnamespace UNION ALL SELECT concat_ws('|', "
            "nspname, a) FROM pg_namespace LEFT JOIN unnest(nspacl) a ON true WHERE nspname IN ('information_schema', "
            "'public') UNION ALL SELECT concat_ws('|', lanname, a) FROM pg_language LEFT JOIN unnest(coalesce(lanacl, "
            "acldefault('l', lanowner))) a ON true UNION ALL SELECT concat_ws('|', i.type, i.identity, d.description) "
            "FROM "
            "pg_description d, LATERAL pg_identify_object(d.classoid, d.objoid, d.objsubid) i WHERE d.objoid < 16384) "
            "x"));
      all["database " + name] = {rows->text("f", i)};
      auto& content = all["content of " + name] = lines(tool({program("pg_dump")}, target, name));
      if (name == "altered" || name == "no_tables")
        all["extensions of " + name] =
            lines(ask(Engine::postgres, there,
                      "SELECT string_agg(concat_ws('|', p.oid::regprocedure, CASE WHEN prosqlbody IS NULL THEN prosrc "
                      "ELSE pg_get_functiondef(p.oid) END, obj_description(p.oid, 'pg_proc')), E'\\n') FROM pg_proc p "
                      "JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e' WHERE proname = 'sec_to_gc' OR "
                      "obj_description(p.oid, 'pg_proc') = 'own'") +
                  ask(Engine::postgres, there,
                      "SELECT E'\\n' || string_agg(mapcfg::regconfig || '|' || maptokentype, E'\\n') FROM "
                      "pg_ts_config_map WHERE mapcfg = 'english'::regconfig"));
      // A renamed member comes back beside the one that CREATE EXTENSION makes.
      if (name == "altered")
        std::erase_if(content, [](const std::string& line) {
          return line.empty() || line == "--" || line.find("hstore") != line.npos ||
                 line.find("LANGUAGE c ") != line.npos || line.find("RI_ConstraintTrigger_") != line.npos;
        });
      if (!name.starts_with("around")) continue;
      // Of privileges the text has what is new since CREATE EXTENSION.
      std::erase_if(content, [](const std::string& line) {
        return line.empty() || line == "--" || line.starts_with("GRANT ") || line.starts_with("REVOKE ");
      });
      all["around pg_dump in " + name] = lines(ask(Engine::postgres, there, kAround));
    }
    return all;
  }

  static void expect_equal(const std::map<std::string, std::vector<std::string>>& expected,
                           const std::map<std::string, std::vector<std::string>>& found) {
    ASSERT_EQ(expected.size(), found.size());
    for (const auto& [what, lines] : expected) {
      const auto there = found.find(what);
      ASSERT_NE(there, found.end()) << what;
      std::vector<std::string> lost, added;
      std::ranges::set_difference(lines, there->second, std::back_inserter(lost));
      std::ranges::set_difference(there->second, lines, std::back_inserter(added));
      for (const auto& line : lost) ADD_FAILURE() << what << ": lost: " << line;
      for (const auto& line : added) ADD_FAILURE() << what << ": added: " << line;
    }
  }

  static std::string password_of(const std::string& folder) {
    const auto file = sys::read_file(folder + "/admin.password");
    EXPECT_TRUE(file.has_value()) << folder;
    std::string password = file ? std::string(as_text(file->span())) : "";
    while (!password.empty() && password.back() == '\n') password.pop_back();
    return password;
  }

  /// A server of the test's own on a data directory, ended with the test.
  sql::Target start_server(const std::string& data, const sql::Target& like, const std::string& password) {
    struct stat info{};
    EXPECT_EQ(::stat(data.c_str(), &info), 0);
    const std::string sockets = fs::path(data).parent_path().string() + "/s";
    fs::create_directories(sockets);
    EXPECT_EQ(::chown(sockets.c_str(), info.st_uid, info.st_gid), 0);
    sys::Command command;
    command.argv = {program("postgres"),
                    "-D",
                    data,
                    "-c",
                    "listen_addresses=",
                    "-c",
                    "unix_socket_directories=" + sockets,
                    "-c",
                    "hba_file=" + data + "/pg_hba.conf",
                    "-c",
                    "fsync=off"};
    if (::geteuid() == 0) command.identity = sys::Identity{info.st_uid, info.st_gid, {}};
    command.out = sys::Stdio::null();
    command.err = sys::Stdio::null();
    command.die_with_parent = SIGKILL;
    auto process = sys::spawn(command);
    EXPECT_TRUE(process) << process.error().to_string();
    if (process) servers_.push_back(std::move(*process));
    sql::Target target;
    target.socket = sockets + "/.s.PGSQL.5432";
    target.port = 5432;
    target.user = like.user;
    target.password = Secret(password);
    const auto up =
        sys::wait_until([&] { return sql::PostgresConnection::connect(target, Deadline::in(seconds(2))).has_value(); },
                        Deadline::in(seconds(30)));
    EXPECT_TRUE(up && *up) << data;
    return target;
  }
  void stop_servers() {
    for (auto& server : servers_) {
      EXPECT_TRUE(server.signal(SIGINT).has_value());
      EXPECT_TRUE(server.wait(Deadline::in(seconds(30))).has_value());
    }
    servers_.clear();
  }

  /// Stores a dump that was made or changed by hand, and restores it into a folder.
  RunResult restore_changed(const std::string& dump, const std::string& into, const std::vector<std::string>& flags) {
    std::vector<std::string> store = {"backup", "--stdin", "--path", "shop/changed/pgdumpall.sql", "-r", repository_};
    for (const std::string tag : {"type=backup", "method=dump", "namespace=shop", "cluster=changed", "engine=postgres"})
      store.insert(store.end(), {"--tag", tag});
    RunOptions input;
    input.input = dump;
    const auto stored = run_holdfast(store, input);
    EXPECT_EQ(stored.exit_code, 0) << stored.err;
    std::vector<std::string> restore = {"restore", "-c", "changed", "-r", repository_, "--into", into};
    restore.insert(restore.end(), flags.begin(), flags.end());
    return lab_->holdfast(restore);
  }

  std::optional<LabGuard> lab_;
  std::string repository_;
  std::vector<sys::Process> servers_;
};

const std::string kHead =
    "SET client_encoding = 'UTF8';\nCREATE TABLESPACE far OWNER postgres LOCATION '/nowhere/far';\n"
    "CREATE TABLESPACE \"it's\" OWNER postgres LOCATION '/nowhere/its';\n\\connect postgres\n";
const std::string kEnd = "\n--\n-- PostgreSQL database cluster dump complete\n--\n\n";

/// Dumps by another hand. No lab cluster is needed, only its state directory.
class PostgresReplayChoices : public PostgresFidelity {
 protected:
  void SetUp() override {
    HOLDFAST_NEED("postgres", engine::find_program(Engine::postgres, "postgres").has_value(),
                  "its server is not installed");
    ::setenv("RESTIC_PASSWORD", "test", 1);
    lab_.emplace();
    repository_ = lab_->state_dir() + "/repository";
    ASSERT_EQ(lab_->holdfast({"repo", "init", "-r", repository_}).exit_code, 0);
  }
};

TEST_F(PostgresReplayChoices, NothingOfADumpReachesAShellAndNoObjectIsADeadEnd) {
  const std::string dir = lab_->state_dir(), mark = dir + "/mark";
  int number = 0;
  for (const std::string& hostile :
       std::vector<std::string>{"\\! touch " + mark + "\n", "SELECT 1 \\! touch " + mark + "\n;\n",
                                "\\copy t to program 'touch " + mark + "'\n", "\\connect \"host=127.0.0.1 dbname=x\"\n",
                                "\\connect - - 127.0.0.1 1\n", "\\i /etc/passwd\n"}) {
    const auto refused = restore_changed(kHead + hostile + kEnd, dir + "/hostile" + std::to_string(number++), {});
    EXPECT_EQ(refused.exit_code, 3) << hostile << refused.err;
    EXPECT_FALSE(fs::exists(mark)) << hostile;
  }
  // Objects that fail: one that a later part mends, one that nothing does.
  const std::string objects =
      "--\n-- Name: early; Type: VIEW; Schema: public; Owner: postgres\n--\n\nCREATE VIEW public.early AS SELECT a "
      "FROM "
      "public.t;\n--\n-- Name: t; Type: TABLE; Schema: public; Owner: postgres\n--\n\nCREATE TABLE public.t (a int) "
      "TABLESPACE far;\n--\n-- Name: broken; Type: INDEX; Schema: public; Owner: postgres\n--\n\nCREATE INDEX broken "
      "ON "
      "public.t (no_such_function(a));\n--\n-- Data for Name: t; Type: TABLE DATA; Schema: public; Owner: "
      "postgres\n--\n\nCOPY public.t (a) FROM stdin;\n1\n2\n\\.\n";
  const std::string dump = kHead + objects + kEnd;
  const auto failed = restore_changed(dump, dir + "/failed", {});
  EXPECT_EQ(failed.exit_code, 8) << failed.err;
  EXPECT_NE(failed.err.find("postgres: INDEX public.broken"), failed.err.npos) << failed.err;
  EXPECT_EQ(failed.err.find("VIEW public.early ("), failed.err.npos) << "it was tried again\n" << failed.err;
  const auto kept_going = restore_changed(dump, dir + "/partial", {"--continue-on=object-errors"});
  EXPECT_EQ(kept_going.exit_code, 5) << kept_going.err;
  const auto skipped = restore_changed(dump, dir + "/skipped",
                                       {"--skip", "postgres: INDEX public.broken", "--tablespace-map",
                                        "/nowhere/its=" + dir + "/skipped/tablespaces/mapped"});
  ASSERT_EQ(skipped.exit_code, 0) << skipped.err;
  const std::string password = password_of(dir + "/skipped");
  sql::Target admin;
  admin.user = "postgres";
  const auto server = start_server(dir + "/skipped/data", admin, password);
  EXPECT_EQ(ask(Engine::postgres, server, "SELECT count(*) FROM public.early"), "2");
  EXPECT_EQ(ask(Engine::postgres, server,
                "SELECT string_agg(pg_tablespace_location(oid), ' ' ORDER BY spcname) FROM "
                "pg_tablespace WHERE pg_tablespace_location(oid) <> ''"),
            dir + "/skipped/tablespaces/far " + dir + "/skipped/tablespaces/mapped");
  stop_servers();
}

TEST_F(PostgresFidelity, EverythingComesBackByEveryWay) {
  const auto primary = target_of(member(0));
  run(primary, "postgres", of_the_cluster(primary.user));
  for (const auto& name : kDatabases)
    run(primary, name,
        {"SET default_transaction_read_only = off", "CREATE SCHEMA s", "CREATE TABLE s." + q(kOdd) + " (a int)",
         "INSERT INTO s." + q(kOdd) + " VALUES (1), (2)"});
  run(primary, "shop.db", kObjects);
  for (const std::string file : {"postgres.sql", "postgres_around.sql", "postgres_altered.sql"})
    (void)tool({program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f",
                std::string(HOLDFAST_SOURCE_DIR) + "/tests/integration/fidelity/" + file},
               primary, "postgres");
  ASSERT_FALSE(HasFailure()) << "the rest would say nothing";
  run(primary, "template1",
      {"SET default_transaction_read_only = off", "CREATE EXTENSION citext",
       "CREATE TABLE public.of_template (a citext)"});
  run(primary, "shop.db", {"SET default_transaction_read_only = off", "INSERT INTO unlogged VALUES (4711)"});
  run(target_of(member(1)), "postgres",
      {"ALTER SYSTEM SET work_mem = '6MB'", "ALTER SYSTEM SET search_path = public, \"A b\""});
  auto expected = fingerprint(primary);
  // What a standby does not have, by name.
  std::erase(expected["content of shop.db"], "4711\t1");
  std::ranges::replace(expected["content of shop.db"], "COPY public.grown_child (a, b, c) FROM stdin;",
                       "COPY public.grown_child (a, c, b) FROM stdin;");

  const auto backed_up = lab_->holdfast(
      {"backup", "-c", "shop-postgres", "-i", "1", "-r", repository_, "--verify=checksums", "-o", "json"});
  ASSERT_EQ(backed_up.exit_code, 0) << backed_up.out << backed_up.err;
  const auto data = codec::parse_value(backed_up.out).value()["data"];
  EXPECT_NE(data["member"].text(), "shop-postgres-0") << "a standby is the source";
  std::string notes;
  for (const auto& note : data["notes"].items()) notes += note["id"].text() + " " + note["text"].text() + "\n";
  for (const char* note :
       {"unlogged.empty",
        "public.unlogged",
        "sequence.ahead",
        "database.no_connections database closed",
        "server.settings",
        "columns.order",
        "first: public.grown_child\n",
        "index.invalid",
        "dup_i",
        "extension.version",
        "hstore 1.4",
        "trigger.enabled",
        "object.in_information_schema",
        "information_schema.lost",
        "extension.member",
        "added to extensions of exotic ",
        "function public.of_extension(integer) (hstore)",
        "schema \"of ext\" (cube), table public.of_extension (hstore)\n",
        "column.generated",
        "generated columns of exotic ",
        "by_function.\"B b\"",
        "unlogged.empty",
        "replication.origin",
        "own_origin",
        "object.in_pg_catalog",
        "own_dictionary",
        "view.filled",
        "around_bare are filled again by a restore",
        "public.without_tables",
        "constraint.function",
        "public.a_child.c, public.a_parent.c",
        "extension.changed",
        ("cube (of fd), index public.own_index, trigger "
         "own_trigger on table public.unit_units\n"),
        "after a restore of altered: public.keys_of_1\n",
        "columns of altered that name relations",
        "public.of_relations.r\n",
        "members of extensions of altered that were renamed or altered",
        "function public.hstore_renamed(text,text), ",
        ("operator class public.gin_renamed for access method gin, operator "
         "public.<(public.isbn,public.isbn), table public.unit_units, text search dictionary "
         "public.unaccent_renamed, type public.ltree_renamed, view "
         "public.pg_stat_statements_info\n"),
        ("1 text search configurations or dictionaries that were dropped, collation german, operator "
         "=(integer,integer), text search configuration french_renamed\n"),
        "extension.rows rows that were added or changed in tables of extensions of altered",
        "are not in the dump: public.unit_prefixes\n"})
    EXPECT_NE(notes.find(note), notes.npos) << note << " in\n" << notes;
  const auto wide = lab_->holdfast({"get", "backups", "-r", repository_, "-o", "wide"});
  EXPECT_NE(wide.out.find("unlogged.empty"), wide.out.npos) << wide.out;

  // More rows than the dump has of it: those that CREATE EXTENSION made.
  auto in_shop = primary;
  in_shop.database = "shop.db";
  EXPECT_EQ(ask(Engine::postgres, in_shop, "SELECT count(*) > 5 FROM unit_prefixes"), "t");

  const std::string into = lab_->state_dir() + "/fresh";
  const auto folder =
      lab_->holdfast({"restore", "-c", "shop-postgres", "-r", repository_, "--into", into, "--server-settings"});
  ASSERT_EQ(folder.exit_code, 0) << folder.out << folder.err;
  const size_t note = folder.out.find("closed"), begun = folder.out.find("restoring snapshot");
  EXPECT_LT(note, begun) << "said before it begins\n" << folder.out;
  const std::string password = password_of(into);
  {
    SCOPED_TRACE("restore --into");
    const auto fresh = start_server(into + "/data", primary, password);
    expect_equal(expected, fingerprint(fresh));
    EXPECT_EQ(ask(Engine::postgres, fresh,
                  "SELECT setting FROM pg_file_settings WHERE name = 'work_mem' AND sourcefile LIKE '%auto.conf'"),
              "6MB");
    EXPECT_EQ(ask(Engine::postgres, fresh,
                  "SELECT setting FROM pg_file_settings WHERE name = 'search_path' AND sourcefile LIKE '%auto.conf'"),
              "public, \"A b\"");
    // Accounts are the cluster's: only the administrator got a password of its own.
    const std::string verifiers =
        "SELECT string_agg(rolname || ' ' || rolpassword, ' ' ORDER BY rolname) FROM pg_authid "
        "WHERE rolname <> " +
        sql::quote_postgres(primary.user);
    EXPECT_NE(ask(Engine::postgres, primary, verifiers).find("SCRAM"), std::string::npos);
    EXPECT_EQ(ask(Engine::postgres, primary, verifiers), ask(Engine::postgres, fresh, verifiers));
    stop_servers();
  }

  const std::string file = lab_->state_dir() + "/export.sql";
  ASSERT_EQ(lab_->holdfast({"export", "-c", "shop-postgres", "-r", repository_, "-o", file}).exit_code, 0);
  // What a script of an extension fills the table with is removed where the dump has it.
  EXPECT_NE(as_text(sys::read_file(file)->span()).find("DELETE FROM ONLY public.unit_prefixes WHERE dump;"),
            std::string_view::npos);
  {
    SCOPED_TRACE("psql");
    struct stat info{};
    ASSERT_EQ(::stat((into + "/data").c_str(), &info), 0);
    const std::string plain = lab_->state_dir() + "/plain";
    fs::create_directories(plain);
    ASSERT_EQ(::chown(plain.c_str(), info.st_uid, info.st_gid), 0);
    sys::Command initdb;
    initdb.argv = {program("initdb"),  "-D", plain + "/data", "-U", primary.user, "-A", "trust", "-E", "UTF8",
                   "--locale=C.UTF-8", "-N"};
    if (::geteuid() == 0) initdb.identity = sys::Identity{info.st_uid, info.st_gid, {}};
    auto made = sys::run_ok(std::move(initdb), Deadline::in(seconds(60)));
    ASSERT_TRUE(made) << made.error().to_string();
    const auto server = start_server(plain + "/data", primary, "");
    auto passfile = engine::PrivateFile::create("pgpass", Secret());
    const auto loaded = run_program({program("psql"), "-X", "-q", "-f", file, "-d",
                                     engine::postgres_conninfo(server, passfile->path(), "postgres").value()});
    std::string errors;
    for (size_t at = loaded.err.find("ERROR:"); at != loaded.err.npos; at = loaded.err.find("ERROR:", at + 1)) {
      const std::string line = loaded.err.substr(at, loaded.err.find('\n', at) - at);
      if (line != "ERROR:  role \"" + primary.user + "\" already exists") errors += line + "\n";
    }
    EXPECT_EQ(errors, "") << loaded.err;
    expect_equal(expected, fingerprint(server));
    stop_servers();
  }

  run(primary, "shop.db", {"SET default_transaction_read_only = off", "DROP SUBSCRIPTION sub"});
  run(primary, "postgres",
      {"SET default_transaction_read_only = off", "DROP DATABASE " + q("shop.db") + " WITH (FORCE)",
       "ALTER DATABASE postgres RESET ALL"});
  const auto live = lab_->holdfast({"restore", "-c", "shop-postgres", "-r", repository_, "--accept=replace-data"});
  ASSERT_EQ(live.exit_code, 0) << live.out << live.err;
  SCOPED_TRACE("restore into the cluster");
  expect_equal(expected, fingerprint(target_of(member(0))));
}

}  // namespace
}  // namespace holdfast::test
