-- Object types, encodings and settings of PostgreSQL that the other collection has not. For psql -v ON_ERROR_STOP=1.
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE ROLE alice LOGIN PASSWORD 'a' BYPASSRLS REPLICATION CREATEDB VALID UNTIL 'infinity';
CREATE ROLE bob; CREATE ROLE carol NOINHERIT CONNECTION LIMIT 0; CREATE ROLE "Dave d" SUPERUSER;
GRANT alice TO bob WITH ADMIN OPTION; SET ROLE bob; GRANT alice TO carol; RESET ROLE;
GRANT pg_read_all_data TO carol; GRANT pg_monitor TO bob WITH ADMIN OPTION;
ALTER ROLE ALL SET log_min_messages = 'error';
ALTER ROLE alice SET search_path = 'a b', "$user"; ALTER ROLE bob SET role = 'alice';
COMMENT ON ROLE carol IS E'c\\n''''';
GRANT ALTER SYSTEM, SET ON PARAMETER work_mem TO alice WITH GRANT OPTION;
CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C' ENCODING 'UTF8';
CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C' IS_TEMPLATE true CONNECTION LIMIT 0;
CREATE DATABASE eucjp TEMPLATE template0 ENCODING 'EUC_JP' LOCALE 'C';
CREATE DATABASE hostile; 
ALTER DATABASE hostile SET default_transaction_isolation = 'serializable';
ALTER DATABASE hostile SET default_transaction_deferrable = on;
ALTER DATABASE hostile SET session_replication_role = 'replica';
ALTER DATABASE hostile SET extra_float_digits = -15;
ALTER DATABASE hostile SET bytea_output = 'escape';
ALTER DATABASE hostile SET standard_conforming_strings = off;
ALTER DATABASE hostile SET datestyle = 'SQL, DMY';
ALTER DATABASE hostile SET intervalstyle = 'sql_standard';
ALTER DATABASE hostile SET xmloption = 'document';
ALTER DATABASE hostile SET quote_all_identifiers = on;
ALTER DATABASE hostile SET statement_timeout = '5s';
ALTER DATABASE hostile SET lock_timeout = '5s';
ALTER DATABASE hostile SET idle_session_timeout = '5s';
ALTER DATABASE hostile SET idle_in_transaction_session_timeout = '5s';
ALTER DATABASE hostile SET client_encoding = 'LATIN1';
ALTER DATABASE hostile SET row_security = off;
ALTER DATABASE hostile SET lo_compat_privileges = on;
ALTER DATABASE hostile SET backslash_quote = 'on';
ALTER DATABASE hostile SET check_function_bodies = on;
ALTER DATABASE hostile SET timezone = 'Asia/Kathmandu';
ALTER DATABASE hostile SET default_toast_compression = 'pglz';
ALTER DATABASE hostile SET search_path = 'evil', 'pg_temp';
ALTER DATABASE hostile SET my.own = E'a\n''b';
ALTER DATABASE hostile SET role = 'bob';
ALTER DATABASE hostile SET default_table_access_method = 'heap';
ALTER DATABASE hostile SET plpgsql.extra_errors = 'all';
SELECT current_setting('server_version_num')::int >= 160000 AS newer \gset
\if :newer
ALTER DATABASE hostile SET debug_parallel_query = on;
\else
ALTER DATABASE hostile SET force_parallel_mode = on;
\endif
ALTER TABLESPACE pg_default SET (random_page_cost = 1.5); GRANT CREATE ON TABLESPACE pg_default TO bob WITH GRANT OPTION; COMMENT ON TABLESPACE pg_global IS 'it''s global';
CREATE DATABASE bare TEMPLATE template0;
CREATE DATABASE exotic;
\connect exotic
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE ACCESS METHOD gist2 TYPE INDEX HANDLER gisthandler; COMMENT ON ACCESS METHOD gist2 IS 'g';
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE t_heap2 (a int, b text COMPRESSION lz4) USING heap2; INSERT INTO t_heap2 VALUES (1, repeat('x', 9000));
CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION prsd_lextype(internal), TO SQL WITH FUNCTION int4recv(internal));
COMMENT ON TRANSFORM FOR int LANGUAGE sql IS 'tr';
CREATE CONVERSION myconv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8; COMMENT ON CONVERSION myconv IS 'conv';
CREATE DEFAULT CONVERSION myconv2 FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1;
CREATE COLLATION nd (provider = icu, locale = 'und-u-ks-level2', deterministic = false); COMMENT ON COLLATION nd IS 'x';
CREATE TABLE nd_t (a text COLLATE nd PRIMARY KEY); INSERT INTO nd_t VALUES ('Abc'), ('abd');
-- base type
CREATE TYPE myint; 
CREATE FUNCTION myint_in(cstring) RETURNS myint LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION myint_out(myint) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE FUNCTION myint_recv(internal) RETURNS myint LANGUAGE internal IMMUTABLE STRICT AS 'int4recv';
CREATE FUNCTION myint_send(myint) RETURNS bytea LANGUAGE internal IMMUTABLE STRICT AS 'int4send';
CREATE TYPE myint (INPUT = myint_in, OUTPUT = myint_out, RECEIVE = myint_recv, SEND = myint_send, LIKE = int4, CATEGORY = 'N', PREFERRED = false, DEFAULT = '7', DELIMITER = ';');
COMMENT ON TYPE myint IS 'own';
CREATE FUNCTION myint_lt(myint, myint) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION myint_le(myint, myint) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4le';
CREATE FUNCTION myint_eq(myint, myint) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION myint_ge(myint, myint) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4ge';
CREATE FUNCTION myint_gt(myint, myint) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4gt';
CREATE FUNCTION myint_cmp(myint, myint) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE FUNCTION myint_hash(myint) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'hashint4';
CREATE OPERATOR < (LEFTARG = myint, RIGHTARG = myint, FUNCTION = myint_lt, COMMUTATOR = >, NEGATOR = >=, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR <= (LEFTARG = myint, RIGHTARG = myint, FUNCTION = myint_le, COMMUTATOR = >=, NEGATOR = >);
CREATE OPERATOR = (LEFTARG = myint, RIGHTARG = myint, FUNCTION = myint_eq, COMMUTATOR = =, HASHES, MERGES);
CREATE OPERATOR >= (LEFTARG = myint, RIGHTARG = myint, FUNCTION = myint_ge, COMMUTATOR = <=, NEGATOR = <);
CREATE OPERATOR > (LEFTARG = myint, RIGHTARG = myint, FUNCTION = myint_gt, COMMUTATOR = <, NEGATOR = <=);
COMMENT ON OPERATOR < (myint, myint) IS 'op';
CREATE OPERATOR FAMILY myfam USING btree; COMMENT ON OPERATOR FAMILY myfam USING btree IS 'fam';
CREATE OPERATOR CLASS myint_ops DEFAULT FOR TYPE myint USING btree FAMILY myfam AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 myint_cmp(myint, myint);
CREATE OPERATOR CLASS myint_hash_ops DEFAULT FOR TYPE myint USING hash AS OPERATOR 1 =, FUNCTION 1 myint_hash(myint);
ALTER OPERATOR FAMILY myfam USING btree ADD FUNCTION 4 (myint, myint) btequalimage(oid);
COMMENT ON OPERATOR CLASS myint_ops USING btree IS 'cls';
CREATE CAST (int AS myint) WITHOUT FUNCTION AS ASSIGNMENT; CREATE CAST (myint AS int) WITHOUT FUNCTION AS IMPLICIT; CREATE CAST (myint AS text) WITH INOUT;
COMMENT ON CAST (int AS myint) IS 'c';
CREATE TABLE myints (a myint PRIMARY KEY, arr myint[] DEFAULT '{1;2}'); INSERT INTO myints VALUES (1::myint), (2::myint);
CREATE INDEX ON myints USING hash (a);
CREATE OPERATOR @#@ (RIGHTARG = int8, FUNCTION = factorial);
-- types
CREATE TYPE e1 AS ENUM ('c', 'a'); ALTER TYPE e1 ADD VALUE 'b' BEFORE 'a'; ALTER TYPE e1 ADD VALUE 'first' BEFORE 'c';
CREATE TYPE comp AS (a text COLLATE "C", b e1, c numeric(5,2)[]); COMMENT ON COLUMN comp.a IS 'col';
CREATE DOMAIN d_comp AS comp CHECK ((VALUE).a <> ''); ALTER DOMAIN d_comp ADD CONSTRAINT nv CHECK ((VALUE).b IS NOT NULL) NOT VALID;
COMMENT ON CONSTRAINT nv ON DOMAIN d_comp IS 'dc';
CREATE DOMAIN d_arr AS int[] NOT NULL CHECK (array_length(VALUE, 1) < 5); CREATE DOMAIN d2 AS d_arr DEFAULT '{1}';
CREATE FUNCTION f8diff(float8, float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT $1 - $2';
CREATE TYPE frange AS RANGE (SUBTYPE = float8, SUBTYPE_DIFF = f8diff, MULTIRANGE_TYPE_NAME = "Multi F");
CREATE TYPE trange AS RANGE (SUBTYPE = text, COLLATION = "C");
CREATE TABLE types_t (c comp, dc d_comp, d2 d2, fr frange, mf "Multi F", tr trange, e e1[], v "char", n name, o oid, r regclass, rt regtype, rp regprocedure, tid tid, x xid8, l pg_lsn, s txid_snapshot, j jsonpath, bx box, ln line, ls lseg, pt path, po polygon, ci circle, m macaddr8, ti timetz, i interval(0), dd date, vb varbit(9), nn numeric(1000,500), jj json);
INSERT INTO types_t VALUES (ROW('x','b','{1.25,NULL}'), ROW('y','a','{}'), '{1,2}', '[1e-300,infinity]', '{[1,2),[3,4)}', '["a,b","z"""]', '{first,NULL}', E'\\377', 'n', 4294967295, 'types_t', 'e1', 'f8diff(float8,float8)', '(1,2)', '123', '16/B374D848', '10:20:10,14,15', '$.a[*] ? (@ > 1)', '(1,2),(3,4)', '{1,2,3}', '[(1,2),(3,4)]', '[(0.1,2),(3,4)]', '((1,2),(3,4))', '<(1,2),3>', '08:00:2b:01:02:03:04:05', '23:59:60+14', '1 year 2 mons', 'infinity', '101', 1/3::numeric, '{"a":1.0,  "a":2}'), (NULL, ROW('z','b',NULL), '{1}', 'empty', '{}', 'empty', '{}', '', '', 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '00:00:00-15:59:59', '-178000000 years', '4714-11-24 BC', '', 'NaN', '"\u0041"');
-- functions
CREATE FUNCTION fn1(IN a int, INOUT b text DEFAULT 'x''y', VARIADIC c numeric[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql STABLE STRICT LEAKPROOF SECURITY DEFINER PARALLEL SAFE COST 7 SET search_path = 'a b', public SET work_mem = '1MB' AS $fn$ BEGIN b := $q$ $x$ ; $q$; END $fn$;
CREATE FUNCTION srf(n int) RETURNS TABLE (x int, "Y y" text) ROWS 42 LANGUAGE sql AS 'SELECT 1, $$x$$';
CREATE FUNCTION win() RETURNS int8 LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE FUNCTION atomic_later() RETURNS int LANGUAGE sql BEGIN ATOMIC; SELECT 1; END;
CREATE FUNCTION poly(anyelement, anyarray) RETURNS anyelement LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION supp(text, text) RETURNS bool LANGUAGE internal IMMUTABLE STRICT SUPPORT textlike_support AS 'textlike';
CREATE PROCEDURE proc2(OUT a int, b int) LANGUAGE plpgsql AS $$ BEGIN a := 1; COMMIT; END $$; COMMENT ON PROCEDURE proc2 IS 'p';
CREATE AGGREGATE movavg(float8) (SFUNC = float8_accum, STYPE = float8[], FINALFUNC = float8_avg, INITCOND = '{0,0,0}', COMBINEFUNC = float8_combine, PARALLEL = SAFE, SSPACE = 24, FINALFUNC_MODIFY = READ_ONLY);
CREATE AGGREGATE mypct(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE);
CREATE AGGREGATE hypo(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
COMMENT ON AGGREGATE movavg(float8) IS 'agg';
-- tables
CREATE TABLE of_type OF comp (PRIMARY KEY (a), b WITH OPTIONS DEFAULT 'a'); INSERT INTO of_type VALUES ('k');
CREATE TABLE p (a int, b text, c date, d numeric) PARTITION BY LIST (a);
CREATE TABLE p_null PARTITION OF p FOR VALUES IN (NULL, 1);
CREATE TABLE p_sub (d numeric, dropme int, c date, b text, a int) PARTITION BY RANGE (c, lower(b) COLLATE "C"); ALTER TABLE p_sub DROP COLUMN dropme; ALTER TABLE p ATTACH PARTITION p_sub FOR VALUES IN (2);
CREATE TABLE p_sub_1 PARTITION OF p_sub FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2020-01-01', 'm');
CREATE TABLE p_sub_2 PARTITION OF p_sub FOR VALUES FROM ('2020-01-01', 'm') TO (MAXVALUE, MAXVALUE);
CREATE TABLE p_def PARTITION OF p DEFAULT PARTITION BY HASH (b); CREATE TABLE p_h0 PARTITION OF p_def FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE p_h1 PARTITION OF p_def (CHECK (b <> 'zz')) FOR VALUES WITH (MODULUS 4, REMAINDER 1); CREATE TABLE p_h3 PARTITION OF p_def FOR VALUES WITH (MODULUS 4, REMAINDER 3);
INSERT INTO p SELECT i % 4, 'v' || i, '2019-01-01'::date + i * 10, i FROM generate_series(1, 60) i; INSERT INTO p VALUES (NULL, 'n', NULL, NULL);
CREATE INDEX p_idx ON ONLY p (b); CREATE INDEX p_nb ON p_null (b); CREATE INDEX p_b ON p (b, c); ALTER INDEX p_idx ATTACH PARTITION p_nb; CREATE STATISTICS p_st ON (a + 1), lower(b) FROM p; COMMENT ON STATISTICS p_st IS 's'; ALTER STATISTICS p_st SET STATISTICS 77;
CREATE TABLE gp (a int DEFAULT 1, b text, CONSTRAINT ni CHECK (a > 0) NO INHERIT, CONSTRAINT inh CHECK (a < 1000)); CREATE TABLE gp2 (a int DEFAULT 5 NOT NULL, b text, z int); ALTER TABLE gp2 ADD CONSTRAINT inh CHECK (a < 1000); ALTER TABLE gp2 INHERIT gp; CREATE TABLE gp3 (y int, a int DEFAULT 3) INHERITS (gp2, gp); INSERT INTO gp VALUES (1, 'a'); INSERT INTO gp2 (z, a, b) VALUES (9, 2, 'b'); INSERT INTO gp3 (z, a, b, y) VALUES (8, 3, 'c', 7);
CREATE TABLE ident (a smallint GENERATED BY DEFAULT AS IDENTITY (MINVALUE -5 MAXVALUE 100 START 3 INCREMENT 2 CYCLE CACHE 4), b int GENERATED ALWAYS AS (a * 2) STORED, c int GENERATED ALWAYS AS IDENTITY); INSERT INTO ident DEFAULT VALUES; INSERT INTO ident (a) VALUES (50);
CREATE SEQUENCE small_seq AS smallint INCREMENT -7 MAXVALUE 100 MINVALUE -100 START 50 CACHE 3; SELECT nextval('small_seq'); CREATE SEQUENCE owned OWNED BY gp.a; COMMENT ON SEQUENCE owned IS 'seq'; 
CREATE TABLE fk_a (id int PRIMARY KEY, b int); CREATE TABLE fk_b (id int PRIMARY KEY, a int REFERENCES fk_a DEFERRABLE INITIALLY DEFERRED); ALTER TABLE fk_a ADD CONSTRAINT circ FOREIGN KEY (b) REFERENCES fk_b ON DELETE SET NULL ON UPDATE CASCADE; BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO fk_a VALUES (1, NULL); INSERT INTO fk_b VALUES (1, 1); UPDATE fk_a SET b = 1; COMMIT;
ALTER TABLE fk_a ADD CONSTRAINT self FOREIGN KEY (b) REFERENCES fk_a NOT VALID; COMMENT ON CONSTRAINT self ON fk_a IS 'con';
CREATE TABLE uq (a int, b int, c int4range, CONSTRAINT nnd UNIQUE NULLS NOT DISTINCT (a), UNIQUE (b) INCLUDE (a) DEFERRABLE, EXCLUDE USING gist (c WITH &&) WHERE (a > 1)) ; 
CREATE TABLE pkp (a int, b int, PRIMARY KEY (a, b)) PARTITION BY RANGE (a); CREATE TABLE pkp1 PARTITION OF pkp FOR VALUES FROM (1) TO (10); INSERT INTO pkp VALUES (1,1); CREATE TABLE to_part (a int, b int, FOREIGN KEY (a, b) REFERENCES pkp ON DELETE SET NULL (b)); INSERT INTO to_part VALUES (1,1);
CREATE TABLE opts (a int, b text) WITH (fillfactor=33, autovacuum_enabled=off, toast.autovacuum_vacuum_threshold=5, parallel_workers=3, user_catalog_table=true); ALTER TABLE opts ALTER b SET STORAGE EXTERNAL; ALTER TABLE opts ALTER a SET (n_distinct=-0.5, n_distinct_inherited=3), ALTER a SET STATISTICS 999; CREATE UNIQUE INDEX opts_a ON opts (a) WITH (deduplicate_items=off); ALTER TABLE opts ALTER a SET NOT NULL; ALTER TABLE opts REPLICA IDENTITY USING INDEX opts_a; ALTER TABLE opts CLUSTER ON opts_a;
CREATE INDEX expr_i ON opts ((a + 1), lower(b) text_pattern_ops DESC NULLS LAST) WHERE b IS NOT NULL; ALTER INDEX expr_i ALTER COLUMN 1 SET STATISTICS 55; COMMENT ON INDEX expr_i IS 'i'; CREATE INDEX brin_i ON opts USING brin (a int4_minmax_multi_ops(values_per_range=16)) WITH (pages_per_range=7, autosummarize=on); CREATE INDEX gin_i ON opts USING gin (to_tsvector('simple', b)) WITH (fastupdate=off); CREATE INDEX spg_i ON opts USING spgist (b);
COMMENT ON COLUMN opts.b IS E'it''s\nb';
-- views
CREATE VIEW v_chk WITH (security_barrier, security_invoker = true, check_option = local) AS SELECT * FROM opts WHERE a > 0; CREATE VIEW v_casc AS SELECT a FROM v_chk WITH CASCADED CHECK OPTION; ALTER VIEW v_casc ALTER a SET DEFAULT 9; COMMENT ON VIEW v_casc IS 'v'; COMMENT ON COLUMN v_casc.a IS 'vc';
CREATE RECURSIVE VIEW nums (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM nums WHERE n < 5;
CREATE VIEW v_odd AS SELECT count(*) FILTER (WHERE a > 1) OVER w AS "W w", grouping(a) FROM opts GROUP BY GROUPING SETS ((a), ()) WINDOW w AS (ORDER BY a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES);
CREATE MATERIALIZED VIEW mv1 WITH (fillfactor = 50) AS SELECT a, b FROM gp2; CREATE INDEX ON mv1 (a); CREATE MATERIALIZED VIEW mv2 AS SELECT count(*) AS c FROM mv1; COMMENT ON MATERIALIZED VIEW mv2 IS 'm'; CREATE MATERIALIZED VIEW mv3 AS SELECT * FROM mv2 WITH NO DATA;
\if :newer
CREATE VIEW conv AS SELECT 1 AS a; -- 16 and later make no view of a table
\else
CREATE TABLE conv (a int); CREATE RULE "_RETURN" AS ON SELECT TO conv DO INSTEAD SELECT 1 AS a;
\endif
-- circular views through function
CREATE FUNCTION row_of(gp) RETURNS text LANGUAGE sql AS 'SELECT $1.b'; CREATE VIEW v_row AS SELECT gp.row_of, gp FROM gp;
-- triggers
CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER tt AFTER UPDATE ON p REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION tf(); CREATE TRIGGER t_row AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION tf('x', '1', E'a\\''b'); ALTER TABLE p_null DISABLE TRIGGER t_row; ALTER TABLE p_sub_1 ENABLE ALWAYS TRIGGER t_row;
CREATE TRIGGER io INSTEAD OF UPDATE ON v_chk FOR EACH ROW EXECUTE FUNCTION tf(); CREATE TRIGGER upd BEFORE UPDATE OF a, b ON opts FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION tf(); COMMENT ON TRIGGER upd ON opts IS 'tr'; ALTER TABLE opts ENABLE REPLICA TRIGGER upd;
ALTER TABLE fk_b DISABLE TRIGGER ALL;
CREATE RULE r1 AS ON INSERT TO opts WHERE NEW.a < 0 DO INSTEAD NOTHING; ALTER TABLE opts DISABLE RULE r1; COMMENT ON RULE r1 ON opts IS 'ru'; CREATE RULE r2 AS ON DELETE TO opts DO ALSO NOTIFY gone, 'x';  CREATE RULE r2b AS ON DELETE TO v_odd DO INSTEAD NOTHING;
ALTER TABLE gp ENABLE ROW LEVEL SECURITY; CREATE POLICY pol ON gp AS RESTRICTIVE FOR UPDATE TO bob, PUBLIC USING (a > 1) WITH CHECK (b = current_user); COMMENT ON POLICY pol ON gp IS 'po'; CREATE POLICY pol2 ON gp FOR INSERT TO "Dave d" WITH CHECK (EXISTS (SELECT 1 FROM opts));
-- text search
CREATE TEXT SEARCH PARSER prs (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline); COMMENT ON TEXT SEARCH PARSER prs IS 'p'; CREATE TEXT SEARCH TEMPLATE tmpl (INIT = dsimple_init, LEXIZE = dsimple_lexize); CREATE TEXT SEARCH DICTIONARY dict (TEMPLATE = tmpl, ACCEPT = false); COMMENT ON TEXT SEARCH DICTIONARY dict IS 'd'; CREATE TEXT SEARCH CONFIGURATION cfg (PARSER = prs); ALTER TEXT SEARCH CONFIGURATION cfg ADD MAPPING FOR asciiword, word WITH dict, simple; COMMENT ON TEXT SEARCH CONFIGURATION cfg IS 'c';
-- foreign
CREATE FOREIGN DATA WRAPPER dummy OPTIONS (a 'x''y'); COMMENT ON FOREIGN DATA WRAPPER dummy IS 'f'; CREATE SERVER srv TYPE 't' VERSION 'v' FOREIGN DATA WRAPPER dummy OPTIONS ("O o" ''); COMMENT ON SERVER srv IS 's'; CREATE USER MAPPING FOR PUBLIC SERVER srv; CREATE USER MAPPING FOR CURRENT_USER SERVER srv OPTIONS (password 'x'); GRANT USAGE ON FOREIGN SERVER srv TO alice WITH GRANT OPTION; GRANT USAGE ON FOREIGN DATA WRAPPER dummy TO bob; CREATE FOREIGN TABLE ft (a int OPTIONS (column_name 'z') NOT NULL DEFAULT 3, CHECK (a > 1)) INHERITS (gp) SERVER srv OPTIONS (t 'q'); COMMENT ON FOREIGN TABLE ft IS 'ft'; CREATE FOREIGN TABLE p_ft PARTITION OF p FOR VALUES IN (77) SERVER srv;
-- publications
CREATE SCHEMA pubs; CREATE TABLE pubs.x (a int PRIMARY KEY, b int); CREATE PUBLICATION all_t FOR ALL TABLES WITH (publish = 'insert, truncate', publish_via_partition_root = true); CREATE PUBLICATION sch FOR TABLES IN SCHEMA pubs; CREATE PUBLICATION cols FOR TABLE pubs.x (a) WHERE (a > 5), ONLY gp; COMMENT ON PUBLICATION cols IS 'pub'; ALTER PUBLICATION cols OWNER TO "Dave d";
CREATE SUBSCRIPTION s1 CONNECTION 'host=nowhere password=''x y''' PUBLICATION a, "B b" WITH (connect = false, slot_name = 'sl', binary, streaming, synchronous_commit = remote_apply, disable_on_error, two_phase = true); COMMENT ON SUBSCRIPTION s1 IS 'sub'; 
-- event triggers
CREATE FUNCTION stop_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no DDL here: %', tg_tag; END $$;
CREATE TABLE lim (m int); INSERT INTO lim VALUES (9); CREATE FUNCTION below(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 < (SELECT m FROM lim)'; CREATE TABLE aa_checked (a int CHECK (below(a))); INSERT INTO aa_checked VALUES (3);
-- large objects
SELECT lo_from_bytea(9001, '\x00ff'); SELECT lo_put(9001, 100000, '\x01'); ALTER LARGE OBJECT 9001 OWNER TO alice; GRANT UPDATE ON LARGE OBJECT 9001 TO bob WITH GRANT OPTION; SELECT lo_create(9002); 
-- privileges
CREATE TABLE priv (a int, b int); GRANT SELECT ON priv TO alice WITH GRANT OPTION; SET ROLE alice; GRANT SELECT ON priv TO carol; RESET ROLE; REVOKE ALL ON priv FROM CURRENT_USER; GRANT INSERT (a), REFERENCES (b) ON priv TO PUBLIC; GRANT USAGE ON TYPE e1 TO bob; REVOKE USAGE ON TYPE comp FROM PUBLIC; GRANT TRIGGER, TRUNCATE ON priv TO carol; GRANT USAGE, UPDATE ON SEQUENCE owned TO bob; GRANT EXECUTE ON PROCEDURE proc2 TO bob; REVOKE EXECUTE ON FUNCTION srf(int) FROM PUBLIC; GRANT CREATE ON SCHEMA pubs TO bob; REVOKE CREATE ON SCHEMA public FROM pg_database_owner; GRANT ALL ON SCHEMA public TO alice;
ALTER DEFAULT PRIVILEGES FOR ROLE alice REVOKE ALL ON TABLES FROM alice; ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO bob WITH GRANT OPTION; ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON ROUTINES FROM PUBLIC; ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO carol; ALTER DEFAULT PRIVILEGES IN SCHEMA pubs GRANT SELECT ON SEQUENCES TO bob;
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) FROM PUBLIC; GRANT SELECT ON pg_catalog.pg_authid TO carol; GRANT SELECT (rolname) ON pg_authid TO bob; REVOKE SELECT ON pg_catalog.pg_proc FROM PUBLIC; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO bob;
ALTER SCHEMA public OWNER TO bob; COMMENT ON SCHEMA public IS NULL; ALTER SCHEMA pubs RENAME TO "Pubs ""q""";
ALTER TYPE e1 OWNER TO alice; ALTER FUNCTION fn1 OWNER TO bob; ALTER OPERATOR CLASS myint_ops USING btree OWNER TO alice; 
-- what no dump has
CREATE FUNCTION pg_catalog.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION pg_catalog.mine() TO bob;
CREATE EXTENSION hstore VERSION '1.4'; CREATE EXTENSION cube; CREATE EXTENSION earthdistance; CREATE EXTENSION tablefunc SCHEMA "Pubs ""q"""; CREATE EXTENSION pgcrypto; COMMENT ON EXTENSION cube IS 'own comment'; GRANT EXECUTE ON FUNCTION digest(text, text) TO bob; REVOKE EXECUTE ON FUNCTION digest(bytea, text) FROM PUBLIC;
CREATE TABLE dup (a int); INSERT INTO dup VALUES (1), (1); 
\set ON_ERROR_STOP 0
CREATE UNIQUE INDEX CONCURRENTLY dup_i ON dup (a);
\set ON_ERROR_STOP 1
CREATE TABLE of_extension (a int); CREATE FUNCTION of_extension(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SCHEMA "of ext";
ALTER EXTENSION hstore ADD TABLE of_extension; ALTER EXTENSION hstore ADD FUNCTION of_extension(int); ALTER EXTENSION cube ADD SCHEMA "of ext";
CREATE EXTENSION amcheck VERSION '1.0'; ALTER EXTENSION amcheck UPDATE TO '1.1'; ALTER EXTENSION amcheck UPDATE TO '1.2'; ALTER EXTENSION amcheck UPDATE;
CREATE FUNCTION doubled(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 * 2; END'; CREATE TABLE by_function (a int, "B b" int GENERATED ALWAYS AS (doubled(a)) STORED); INSERT INTO by_function VALUES (4);
COMMENT ON FUNCTION pg_catalog.abs(int) IS E'own\n''abs'; COMMENT ON SCHEMA pg_catalog IS 'own'; COMMENT ON TYPE int4 IS 'own'; COMMENT ON TYPE _int4 IS 'own'; COMMENT ON OPERATOR + (int, int) IS 'own'; COMMENT ON OPERATOR - (NONE, int) IS 'own'; COMMENT ON LANGUAGE plpgsql IS 'own'; COMMENT ON LANGUAGE sql IS 'own'; COMMENT ON CAST (int AS bigint) IS 'own'; COMMENT ON COLLATION "C" IS 'own'; COMMENT ON ACCESS METHOD btree IS 'own'; COMMENT ON AGGREGATE count(*) IS 'own'; COMMENT ON AGGREGATE percentile_disc(float8 ORDER BY anyelement) IS 'own'; COMMENT ON COLUMN pg_class.relname IS 'own'; COMMENT ON COLUMN pg_stats.avg_width IS 'own'; COMMENT ON EXTENSION plpgsql IS 'own'; COMMENT ON TABLE information_schema.sql_parts IS 'own'; COMMENT ON OPERATOR CLASS int4_ops USING btree IS 'own'; COMMENT ON OPERATOR FAMILY integer_ops USING btree IS 'own'; COMMENT ON TEXT SEARCH CONFIGURATION german IS 'own'; COMMENT ON TEXT SEARCH PARSER "default" IS 'own'; COMMENT ON TEXT SEARCH DICTIONARY german_stem IS 'own'; COMMENT ON TEXT SEARCH TEMPLATE simple IS 'own'; COMMENT ON CONVERSION iso_8859_1_to_utf8 IS 'own'; COMMENT ON VIEW pg_stats IS 'own'; COMMENT ON RULE "_RETURN" ON pg_stats IS 'own'; COMMENT ON CONSTRAINT yes_or_no_check ON DOMAIN information_schema.yes_or_no IS 'own'; COMMENT ON INDEX pg_class_oid_index IS 'own'; COMMENT ON CONSTRAINT pg_class_oid_index ON pg_class IS 'own'; 
CREATE EVENT TRIGGER et1 ON ddl_command_start WHEN TAG IN ('ALTER TABLE', 'CREATE INDEX', 'REFRESH MATERIALIZED VIEW') EXECUTE FUNCTION stop_ddl(); COMMENT ON EVENT TRIGGER et1 IS 'e';
CREATE EVENT TRIGGER et2 ON sql_drop EXECUTE FUNCTION stop_ddl(); ALTER EVENT TRIGGER et2 ENABLE ALWAYS;
GRANT SELECT ON information_schema.sql_features TO bob; REVOKE SELECT ON information_schema.tables FROM PUBLIC; REVOKE USAGE ON SCHEMA information_schema FROM PUBLIC; REVOKE USAGE ON LANGUAGE sql FROM PUBLIC; GRANT USAGE ON LANGUAGE sql TO carol;
\connect bare
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
DROP SCHEMA public; DROP EXTENSION plpgsql; CREATE SCHEMA s; CREATE TABLE s.t (a int); CREATE FUNCTION s.one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TABLE s.c (a int CHECK (a >= s.one())); INSERT INTO s.c VALUES (1);
CREATE TABLE information_schema.lost (a int);
\connect latin
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8'; CREATE TABLE "tä" ("ö" text DEFAULT 'ü'); INSERT INTO "tä" VALUES ('éÿ'); COMMENT ON TABLE "tä" IS 'ß';
\connect eucjp
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8'; CREATE TABLE "表" (a text); INSERT INTO "表" VALUES ('日本語');
\connect ascii
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'SQL_ASCII'; CREATE TABLE raw (a text); INSERT INTO raw VALUES (E'\xff\x80 \xe4'), (E'\x5c\x5c'); CREATE FUNCTION rawf() RETURNS text LANGUAGE sql AS E'SELECT ''\xff\x80''';
\connect icu
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE TABLE i (a text PRIMARY KEY); INSERT INTO i VALUES ('ä'), ('z'), ('Ä');
\connect hostile
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
SET default_transaction_isolation='read committed'; SET session_replication_role = origin; SET statement_timeout = 0; SET lock_timeout = 0; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET role = none; SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; SET search_path = public;
CREATE SCHEMA evil; 
CREATE TABLE h (f4 real, f8 float8, b bytea, t text DEFAULT E'a\\b', d date, ts timestamptz, i interval, x xml, n numeric);
INSERT INTO h VALUES (0.1, 1/3::float8, '\x00ff5c27', E'\\ '' ü', '2020-12-01', '2020-12-01 00:00:00.123456+00', '1 mon -2 days 03:04:05', XMLPARSE(CONTENT 'abc<a/>'), 1.10);
CREATE TABLE fk1 (a int PRIMARY KEY); CREATE TABLE fk2 (a int REFERENCES fk1); INSERT INTO fk1 VALUES (1); INSERT INTO fk2 VALUES (1);
CREATE FUNCTION lits() RETURNS text LANGUAGE sql AS $$ SELECT 'a\b' $$; CREATE VIEW vl AS SELECT 'a\b'::text AS c, DATE '2020-12-01' AS d, INTERVAL '1 day' AS i;
CREATE FUNCTION public.helper(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'; CREATE TABLE hc (a int CHECK (public.helper(a) = a)); INSERT INTO hc VALUES (1);
SELECT lo_from_bytea(1, '\x01');
