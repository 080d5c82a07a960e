-- What users did to objects that a dump leaves to the server or to CREATE EXTENSION, or that come with others.
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE ROLE fa; CREATE ROLE fb; CREATE ROLE fd SUPERUSER; COMMENT ON ROLE pg_monitor IS 'own';
COMMENT ON DATABASE template0 IS 'of nobody'; ALTER DATABASE template0 SET work_mem = '7MB';
CREATE DATABASE around; CREATE DATABASE around_shadow; CREATE DATABASE around_bare; CREATE DATABASE around_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'; CREATE DATABASE around_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
\connect around
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
-- extensions made where default privileges are others, and changed since
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO fa; ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
CREATE EXTENSION dblink; CREATE EXTENSION pg_stat_statements; CREATE EXTENSION citext; GRANT EXECUTE ON FUNCTION dblink(text) TO fb;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC; ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM fa; ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC;
CREATE EXTENSION unaccent; ALTER FUNCTION unaccent(text) IMMUTABLE; COMMENT ON FUNCTION unaccent(text) IS 'own'; CREATE TABLE words (t text, u text GENERATED ALWAYS AS (unaccent(t)) STORED); INSERT INTO words VALUES ('é'); CREATE INDEX ON words (unaccent(t));
CREATE EXTENSION lo; ALTER FUNCTION lo_oid(lo) OWNER TO fb; ALTER FUNCTION lo_manage() SET search_path = public, "x y";
CREATE EXTENSION hstore; ALTER EXTENSION hstore DROP FUNCTION hstore_to_json_loose(hstore); COMMENT ON FUNCTION hstore_to_json_loose(hstore) IS 'free'; CREATE EXTENSION intagg; ALTER EXTENSION intagg DROP AGGREGATE int_array_aggregate(int4); CREATE EXTENSION ltree; ALTER EXTENSION ltree DROP OPERATOR CLASS gist_ltree_ops USING gist; ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements_info; ALTER EXTENSION citext DROP CAST (citext AS bpchar);
CREATE EXTENSION btree_gist; SET ROLE fd; CREATE EXTENSION cube; RESET ROLE;
CREATE EXTENSION unit; CREATE INDEX own_index ON unit_units (unit); CREATE FUNCTION trf() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TRIGGER own_trigger BEFORE INSERT ON unit_units FOR EACH ROW EXECUTE FUNCTION trf();
-- the server's own text search, operator families, catalogue and information schema
ALTER TEXT SEARCH CONFIGURATION english ALTER MAPPING FOR asciiword WITH unaccent, english_stem; ALTER TEXT SEARCH CONFIGURATION french DROP MAPPING FOR url; ALTER TEXT SEARCH DICTIONARY german_stem (STOPWORDS = english);
CREATE TABLE english (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('english', t)) STORED); INSERT INTO english VALUES ('éclairs');
CREATE FUNCTION less(int, numeric) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT $1::numeric < $2'; CREATE FUNCTION compared(int, numeric) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE OPERATOR <## (LEFTARG = int, RIGHTARG = numeric, FUNCTION = less);
ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 1 <## (int4, numeric), FUNCTION 1 (int4, numeric) compared(int, numeric); ALTER OPERATOR FAMILY gist_int4_ops USING gist ADD OPERATOR 20 <## (int4, numeric);
CREATE FUNCTION pg_catalog.own_function(int) RETURNS int LANGUAGE sql AS 'SELECT $1'; COMMENT ON FUNCTION pg_catalog.own_function(int) IS 'own'; COMMENT ON FUNCTION pg_catalog.abs(int) IS 'own';
CREATE TEXT SEARCH DICTIONARY pg_catalog.own_dictionary (TEMPLATE = simple); SELECT pg_replication_origin_create('own_origin');
GRANT SELECT (feature_id) ON information_schema.sql_features TO fa; REVOKE USAGE ON TYPE information_schema.sql_identifier FROM PUBLIC; ALTER TABLE information_schema.sql_sizing OWNER TO fb;
-- checks that call functions: comments, of parents and children, through operators, of partitions
CREATE TABLE zmost (m int); INSERT INTO zmost VALUES (9); CREATE FUNCTION below(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 < (SELECT m FROM zmost)';
CREATE TABLE a_said (a int CONSTRAINT c CHECK (below(a))); COMMENT ON CONSTRAINT c ON a_said IS 'said'; INSERT INTO a_said VALUES (3);
CREATE TABLE a_parent (a int CONSTRAINT c CHECK (below(a)), b int); CREATE TABLE a_child (a int CONSTRAINT c CHECK (below(a)), d int) INHERITS (a_parent); COMMENT ON CONSTRAINT c ON a_child IS 'of the child'; INSERT INTO a_child VALUES (4, 1, 2);
CREATE TABLE a_parts (a int CONSTRAINT c CHECK (below(a))) PARTITION BY RANGE (a); CREATE TABLE a_part PARTITION OF a_parts (CONSTRAINT c2 CHECK (below(a + 1))) FOR VALUES FROM (0) TO (5); CREATE TABLE a_part_2 (a int CONSTRAINT c CHECK (below(a))); ALTER TABLE a_parts ATTACH PARTITION a_part_2 FOR VALUES FROM (5) TO (7); INSERT INTO a_parts VALUES (1), (5);
CREATE FUNCTION same(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END'; CREATE FUNCTION alike(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN same($1) = $2 AND EXISTS (SELECT FROM zmost); END'; CREATE OPERATOR =#= (LEFTARG = int, RIGHTARG = int, FUNCTION = alike); CREATE TABLE a_operator (a int CHECK (a =#= 1)); INSERT INTO a_operator VALUES (1);
SELECT current_setting('server_version_num')::int >= 170000 AS newer \gset
\if :newer
-- What an index is built with finds nothing by search_path there.
CREATE FUNCTION ordered(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN btint4cmp(public.same($1), $2); END';
\else
CREATE FUNCTION ordered(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN btint4cmp(same($1), $2); END';
\endif
CREATE OPERATOR CLASS by_same FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 ordered(int, int); CREATE TABLE a_sorted (a int); INSERT INTO a_sorted SELECT generate_series(1, 5); CREATE INDEX ON a_sorted (a by_same);
-- what comes with another object
CREATE TABLE rows (a int CONSTRAINT r CHECK (a > 0), b text); COMMENT ON TYPE rows IS 'of the row'; REVOKE USAGE ON TYPE rows FROM PUBLIC; CREATE TABLE rows_2 () INHERITS (rows); COMMENT ON CONSTRAINT r ON rows_2 IS 'inherited';
CREATE TYPE longs AS RANGE (SUBTYPE = int8); COMMENT ON TYPE longs_multirange IS 'many' ;
\if :newer
GRANT USAGE ON TYPE longs TO fa; -- of a multirange there is none
\else
GRANT USAGE ON TYPE longs_multirange TO fa;
\endif
CREATE VIEW said AS SELECT 1 AS a; COMMENT ON RULE "_RETURN" ON said IS 'makes it';
CREATE TABLE keys (id int PRIMARY KEY); CREATE TABLE parts (a int, b int, k int CONSTRAINT to_key REFERENCES keys) PARTITION BY LIST (a); CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1); ALTER TABLE part_1 RENAME CONSTRAINT to_key TO own_name; COMMENT ON CONSTRAINT own_name ON part_1 IS 'own'; CREATE TABLE part_2 (a int, b int, k int CONSTRAINT other_name REFERENCES keys); ALTER TABLE parts ATTACH PARTITION part_2 FOR VALUES IN (2);
CREATE TRIGGER t AFTER INSERT ON parts FOR EACH ROW EXECUTE FUNCTION trf(); COMMENT ON TRIGGER t ON part_1 IS 'of the part';
\connect around_shadow
-- Names of the server that sessions find with users first. A function of a user's is not what a backup calls.
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$; CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'shadow' $$; CREATE FUNCTION public.lowered(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)'; CREATE TABLE sh (a text, b int); INSERT INTO sh VALUES ('ABC', 1);
CREATE INDEX sh_1 ON sh (pg_catalog.lower(a)); CREATE INDEX sh_2 ON sh (public.lower(a)); CREATE INDEX sh_3 ON sh (lowered(a)); CREATE STATISTICS sh_4 ON (pg_catalog.lower(a)), b FROM sh; CREATE POLICY sh_5 ON sh USING (pg_catalog.lower(a) = 'x'); CREATE MATERIALIZED VIEW sh_6 AS SELECT pg_catalog.lower(a) AS l FROM sh;
ALTER DATABASE around_shadow SET search_path = public, pg_catalog;
\connect around_bare
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = error; SET check_function_bodies = off;
DROP SCHEMA information_schema CASCADE;
\if :newer
CREATE FUNCTION a_first() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT public.a_second()';
\else
CREATE FUNCTION a_first() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a_second()';
\endif
CREATE FUNCTION a_second() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE MATERIALIZED VIEW without_tables AS SELECT a_first() AS a;
\connect around_latin
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0; SET client_encoding = 'UTF8';
CREATE UNLOGGED SEQUENCE "séquence"; CREATE UNLOGGED TABLE "tablé" ("ñ" serial);
\connect around_ascii
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
DO $$ BEGIN EXECUTE 'CREATE UNLOGGED SEQUENCE "u' || chr(233) || '"'; EXECUTE 'CREATE TABLE "t' || chr(233) || '" AS SELECT 1 AS a'; END $$;
