-- Checks and indexes that call functions of users, names that sessions find with users first, names in other encodings.
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE ROLE fa; CREATE ROLE fb; CREATE ROLE fd SUPERUSER;
CREATE DATABASE around; CREATE DATABASE around_shadow; CREATE DATABASE around_bare; CREATE DATABASE around_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'; CREATE DATABASE around_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
\connect around
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
-- checks that call functions: comments, of parents and children, through operators, of partitions
CREATE TABLE zmost (m int); INSERT INTO zmost VALUES (9); CREATE FUNCTION below(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 < (SELECT m FROM zmost)';
CREATE TABLE a_said (a int CONSTRAINT c CHECK (below(a))); COMMENT ON CONSTRAINT c ON a_said IS 'said'; INSERT INTO a_said VALUES (3);
CREATE TABLE a_parent (a int CONSTRAINT c CHECK (below(a)), b int); CREATE TABLE a_child (a int CONSTRAINT c CHECK (below(a)), d int) INHERITS (a_parent); COMMENT ON CONSTRAINT c ON a_child IS 'of the child'; INSERT INTO a_child VALUES (4, 1, 2);
CREATE TABLE a_parts (a int CONSTRAINT c CHECK (below(a))) PARTITION BY RANGE (a); CREATE TABLE a_part PARTITION OF a_parts (CONSTRAINT c2 CHECK (below(a + 1))) FOR VALUES FROM (0) TO (5); CREATE TABLE a_part_2 (a int CONSTRAINT c CHECK (below(a))); ALTER TABLE a_parts ATTACH PARTITION a_part_2 FOR VALUES FROM (5) TO (7); INSERT INTO a_parts VALUES (1), (5);
CREATE FUNCTION same(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN $1; END'; CREATE FUNCTION alike(int, int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN same($1) = $2 AND EXISTS (SELECT FROM zmost); END'; CREATE OPERATOR =#= (LEFTARG = int, RIGHTARG = int, FUNCTION = alike); CREATE TABLE a_operator (a int CHECK (a =#= 1)); INSERT INTO a_operator VALUES (1);
CREATE FUNCTION ordered(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN btint4cmp(same($1), $2); END'; CREATE OPERATOR CLASS by_same FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 ordered(int, int); CREATE TABLE a_sorted (a int); INSERT INTO a_sorted SELECT generate_series(1, 5); CREATE INDEX ON a_sorted (a by_same);
\connect around_shadow
-- Names of the server that sessions find with users first. A function of a user's is not what a backup calls.
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
CREATE FUNCTION public.quote_ident(name) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$; CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
CREATE FUNCTION public.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'shadow' $$; CREATE FUNCTION public.lowered(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT pg_catalog.lower($1)'; CREATE TABLE sh (a text, b int); INSERT INTO sh VALUES ('ABC', 1);
CREATE INDEX sh_1 ON sh (pg_catalog.lower(a)); CREATE INDEX sh_2 ON sh (public.lower(a)); CREATE INDEX sh_3 ON sh (lowered(a)); CREATE STATISTICS sh_4 ON (pg_catalog.lower(a)), b FROM sh; CREATE POLICY sh_5 ON sh USING (pg_catalog.lower(a) = 'x'); CREATE MATERIALIZED VIEW sh_6 AS SELECT pg_catalog.lower(a) AS l FROM sh;
ALTER DATABASE around_shadow SET search_path = public, pg_catalog;
\connect around_bare
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0; SET client_min_messages = error; SET check_function_bodies = off;
CREATE FUNCTION a_first() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a_second()'; CREATE FUNCTION a_second() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE MATERIALIZED VIEW without_tables AS SELECT a_first() AS a;
\connect around_latin
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0; SET client_encoding = 'UTF8';
CREATE UNLOGGED SEQUENCE "séquence"; CREATE UNLOGGED TABLE "tablé" ("ñ" serial);
\connect around_ascii
SET default_transaction_read_only = off; SET array_nulls = on; SET idle_in_transaction_session_timeout = 0;
DO $$ BEGIN EXECUTE 'CREATE UNLOGGED SEQUENCE "u' || chr(233) || '"'; EXECUTE 'CREATE TABLE "t' || chr(233) || '" AS SELECT 1 AS a'; END $$;
