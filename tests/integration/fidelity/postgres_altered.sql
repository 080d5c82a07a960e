-- What the server prints and does not read back, and what users did to objects that no dump can carry.
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE DATABASE altered; CREATE DATABASE no_tables; CREATE DATABASE mule TEMPLATE template0 ENCODING 'MULE_INTERNAL' LOCALE 'C' CONNECTION LIMIT 9; COMMENT ON DATABASE mule IS 'm';
\connect altered
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
-- begin as a name
CREATE SCHEMA "begin"; CREATE TYPE "begin"."begin" AS ("begin" int); CREATE TABLE begin (begin int); CREATE FUNCTION "begin"() RETURNS int LANGUAGE sql AS 'SELECT 1 AS begin';
CREATE FUNCTION aliased("begin" int DEFAULT 1) RETURNS "begin"."begin" LANGUAGE sql BEGIN ATOMIC SELECT "begin"."begin" AS "begin" FROM public."begin" "begin"; SELECT CASE WHEN "begin" > 1 THEN ROW("begin")::"begin"."begin" END; END;
CREATE PROCEDURE "begin"."begin"("begin" int) LANGUAGE sql BEGIN ATOMIC; SELECT "begin" AS "begin"; END;
-- marks of CYCLE
CREATE VIEW cycle_1 AS WITH RECURSIVE t (a, b) AS (SELECT 1, 2 UNION ALL SELECT b, a FROM t WHERE a < 5) SEARCH DEPTH FIRST BY a, b SET "Ord" CYCLE a, b SET cyc TO 'it''s' DEFAULT 'N' USING "p ath" SELECT a, b, cyc FROM t;
CREATE VIEW cycle_2 AS WITH RECURSIVE t (a, b) AS (SELECT 1, 2 UNION ALL SELECT b, a FROM t WHERE a < 5) CYCLE a, b SET cyc TO INTERVAL '1 day' HOUR DEFAULT INTERVAL '2 hours' USING p SELECT a, cyc FROM t;
CREATE MATERIALIZED VIEW cycle_3 AS WITH RECURSIVE t (a, b) AS (SELECT 1, 2 UNION ALL SELECT b, a FROM t WHERE a < 5) CYCLE a, b SET cyc TO NULL DEFAULT varchar(3) 'abc' USING p SELECT a, cyc FROM t;
CREATE FUNCTION cycle_4() RETURNS SETOF text LANGUAGE sql BEGIN ATOMIC WITH RECURSIVE t (a, b) AS (SELECT 1, 2 UNION ALL SELECT b, a FROM t WHERE a < 5) CYCLE a, b SET cyc TO 'x' DEFAULT 'y' USING p SELECT cyc FROM t; END;
CREATE TABLE keyed (id int PRIMARY KEY); CREATE TABLE keys_of (id int REFERENCES keyed) PARTITION BY LIST (id); CREATE TABLE keys_of_1 PARTITION OF keys_of FOR VALUES IN (1); ALTER TABLE keys_of_1 DISABLE TRIGGER ALL;
CREATE TABLE of_relations (r regclass[]); INSERT INTO of_relations VALUES ('{of_relations}');
-- members of extensions, and rows of theirs
CREATE EXTENSION hstore; ALTER FUNCTION hstore(text, text) RENAME TO hstore_renamed; CREATE EXTENSION ltree; ALTER TYPE ltree RENAME TO ltree_renamed; CREATE EXTENSION pg_trgm; ALTER OPERATOR CLASS gin_trgm_ops USING gin RENAME TO gin_renamed;
CREATE EXTENSION isn; ALTER OPERATOR < (isbn, isbn) SET (RESTRICT = NONE); CREATE EXTENSION unaccent; ALTER TEXT SEARCH DICTIONARY unaccent RENAME TO unaccent_renamed; CREATE EXTENSION pg_stat_statements; CREATE OR REPLACE VIEW pg_stat_statements_info AS SELECT 1::bigint AS dealloc, now() AS stats_reset;
CREATE EXTENSION earthdistance CASCADE; CREATE OR REPLACE FUNCTION sec_to_gc(float8) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE BEGIN ATOMIC SELECT 42::float8 AS "begin"; END;
CREATE EXTENSION unit; ALTER TABLE unit_units SET (fillfactor = 50); UPDATE unit_prefixes SET definition = 'own' WHERE prefix = 'kilo';
CREATE EXTENSION citext; GRANT EXECUTE ON FUNCTION citext_eq(citext, citext) TO alice; CREATE EXTENSION tablefunc;
-- objects of the server
DROP TEXT SEARCH CONFIGURATION danish; ALTER TEXT SEARCH CONFIGURATION french RENAME TO french_renamed; ALTER COLLATION pg_catalog."de-x-icu" RENAME TO german; ALTER OPERATOR pg_catalog.= (int4, int4) SET (RESTRICT = NONE); GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(float8) TO alice;
\connect no_tables
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
ALTER TEXT SEARCH CONFIGURATION english DROP MAPPING FOR url; CREATE EXTENSION hstore; COMMENT ON FUNCTION hstore(text, text) IS 'own';
\connect mule
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0; SET client_encoding = 'MULE_INTERNAL';
CREATE TABLE of_mule (a text DEFAULT E'\201\344', b int PRIMARY KEY); INSERT INTO of_mule VALUES ('plain', 1), (E'\201\344x', 2); CREATE UNLOGGED TABLE unlogged (a serial);
