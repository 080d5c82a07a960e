-- Objects a dump of MySQL does not carry by itself, and values it does not write exactly.
CREATE DATABASE zoo; USE zoo;
CREATE TABLE discarded (a INT PRIMARY KEY, b FLOAT); INSERT INTO discarded VALUES (1, 2); ALTER TABLE discarded DISCARD TABLESPACE;
CREATE SPATIAL REFERENCE SYSTEM 990001 NAME 'holdfast''s own' ORGANIZATION 'us' IDENTIFIED BY 77 DEFINITION 'GEOGCS["own",DATUM["D",SPHEROID["S",6378137,298.257223563]],PRIMEM["Greenwich",0],UNIT["degree",0.017453292519943278],AXIS["Lat",NORTH],AXIS["Lon",EAST]]' DESCRIPTION 'it\'s ours';
CREATE TABLESPACE `ts own` ADD DATAFILE 'ts_own.ibd' FILE_BLOCK_SIZE=16384;
CREATE TABLE in_space (i INT PRIMARY KEY) TABLESPACE `ts own`;
INSERT INTO in_space VALUES (1),(2);
CREATE TABLE geo (i INT PRIMARY KEY, g GEOMETRY, p POINT NOT NULL SRID 990001, SPATIAL INDEX (p));
INSERT INTO geo VALUES (1, ST_GeomFromText('POINT(1 2)'), ST_GeomFromText('POINT(10 20)', 990001));
CREATE TABLE numbers (i INT PRIMARY KEY AUTO_INCREMENT, f FLOAT, f2 FLOAT(10,3), d DOUBLE, b BIT(13), dc DECIMAL(65,30), y YEAR, t TIME(6), ts TIMESTAMP(6) NULL, g DOUBLE GENERATED ALWAYS AS (f*2) STORED, v INT INVISIBLE DEFAULT 7);
INSERT INTO numbers (f,f2,d,b,dc,y,t,ts) VALUES (16777216, 1234567.125, 1e308, b'1010101010101', 12345678901234567890123456789012345.123456789012345678901234567891, 0, '-838:59:59.000000','2001-02-03 04:05:06.789012'),(1e-45, 0.001, 4.9e-324, 0, -1, 2155, '837:59:58.999999', NULL),(3.4028234e38, 0, -0.0e0, NULL, NULL, NULL, NULL, NULL),(0.1, 0.1, 0.1, 1, 1, 1999, 0, '2020-01-01 00:00:00.1'),(8388609.5,1,2.2250738585072011e-308,1,0,1901,'00:00:00.000001','1970-01-01 00:00:01');
SET sql_mode='ALLOW_INVALID_DATES';
CREATE TABLE dates (i INT PRIMARY KEY, d DATE DEFAULT '2023-02-30', dt DATETIME(3));
INSERT INTO dates VALUES (1,'2023-02-30','2023-02-31 01:02:03.456'),(2,'0000-00-00','0000-00-00'),(3,'2024-00-00','2024-05-00 00:00:00'),(4,'0000-01-01',NULL);
SET sql_mode=DEFAULT;
CREATE TABLE charsets (i INT PRIMARY KEY, s VARCHAR(40) CHARACTER SET sjis, c TEXT CHARACTER SET cp932, u CHAR(10) CHARACTER SET ucs2, e ENUM('a','b') CHARACTER SET sjis, l VARCHAR(50) CHARACTER SET latin1, g VARCHAR(50) CHARACTER SET gb18030);
INSERT INTO charsets VALUES (1, _sjis 0x5C, _cp932 0xFA5B, _ucs2 0x00410042, 'b', _latin1 0x8190FF, _gb18030 0x81308130),(2,_sjis 0x7E815F, _cp932 0x81CA, _ucs2 0xE000, NULL, _latin1 0x5C27, NULL);
CREATE TABLE json_values (i INT PRIMARY KEY, j JSON);
INSERT INTO json_values VALUES (1, JSON_OBJECT('a', 1.10, 'b', 1.5, 'n', 3)),(2, CAST('{"a": 1.1, "z": [1, 2.50, null]}' AS JSON)),(3, JSON_ARRAY(CAST('2024-01-02' AS DATE), CAST('01:02:03.5' AS TIME(1)), CAST('2024-01-02 03:04:05' AS DATETIME))),(4, CAST(x'00ff' AS JSON)),(5, JSON_OBJECT('deep', JSON_OBJECT('k"\\ey', JSON_ARRAY(1, JSON_OBJECT('x', 2.00))))),(6,NULL),(7,CAST(18446744073709551615 AS JSON)),(8,CAST(1e0 AS JSON)),(9, JSON_ARRAY(b'101'));
INSERT INTO json_values VALUES (20, JSON_OBJECT('a', 123456.75)), (21, JSON_ARRAY(123456.75e0, 123456.75)), (22, JSON_OBJECT('a', 123456.75e0)), (23, JSON_OBJECT('a', '1.5', 'b', 'x.y'));
CREATE LIBRARY lib COMMENT 'it''s' LANGUAGE JAVASCRIPT AS 'export function f(x) {return "\n" + x}';
CREATE USER odd_expired IDENTIFIED BY 'p' PASSWORD EXPIRE INTERVAL 7 DAY; ALTER USER odd_expired PASSWORD EXPIRE;
CREATE TABLE indexes (a INT, b VARCHAR(30), j JSON, KEY f1 ((a + 1)), KEY f2 ((LOWER(b)) DESC), KEY mv ((CAST(j->'$.tags' AS UNSIGNED ARRAY))), KEY inv (b) INVISIBLE, UNIQUE KEY u ((CONCAT(b, '\''))), CONSTRAINT `w ``x` CHECK (a > 0) NOT ENFORCED);
INSERT INTO indexes VALUES (-1, 'X', '{"tags": [1, 2]}');
SET sql_generate_invisible_primary_key=ON; CREATE TABLE gipk (a INT, b INT INVISIBLE DEFAULT (a + 1)); INSERT INTO gipk (a) VALUES (5), (6); DELETE FROM gipk WHERE a = 5; SET sql_generate_invisible_primary_key=OFF;
CREATE TABLE memory_rows (i INT PRIMARY KEY, t VARCHAR(20)) ENGINE=MEMORY;
INSERT INTO memory_rows VALUES (1,'one'),(2,'two');
CREATE TABLE vectors (i INT PRIMARY KEY, v VECTOR(3));
INSERT INTO vectors VALUES (1, STRING_TO_VECTOR('[1.1,2.2,3.3]'));
CREATE TABLE histo (i INT PRIMARY KEY, n INT, m INT);
INSERT INTO histo VALUES (1,1,1),(2,2,2),(3,2,3),(4,9,4);
ANALYZE TABLE histo UPDATE HISTOGRAM ON n WITH 4 BUCKETS;
ANALYZE TABLE histo UPDATE HISTOGRAM ON m USING DATA '{"buckets": [[1,0.5],[2,1.0]], "data-type": "int", "auto-update": false, "null-values": 0.0, "collation-id": 8, "last-updated": "2024-01-01 00:00:00.000000", "sampling-rate": 1.0, "histogram-type": "singleton", "number-of-buckets-specified": 2}';
CREATE EVENT on_event ON SCHEDULE EVERY 1 HOUR ENABLE COMMENT 'it''s' DO SET @x = 1;
CREATE EVENT off_event ON SCHEDULE EVERY 1 HOUR DISABLE DO SET @x = 1;
CREATE EVENT past_event ON SCHEDULE AT '2001-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE DO SET @x = ';;';
DELIMITER //
CREATE EVENT replica_event ON SCHEDULE EVERY 2 DAY STARTS '2020-01-01 00:00:00' ENDS '2037-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE ON REPLICA DO BEGIN SELECT 1; SELECT 2; END//
DELIMITER ;
CREATE SERVER far FOREIGN DATA WRAPPER mysql OPTIONS (USER 'u', HOST 'h.example', DATABASE 'd', PORT 3333, PASSWORD 'pa''ss', SOCKET '/s', OWNER 'o');
CREATE RESOURCE GROUP slow_jobs TYPE=USER VCPU=0 THREAD_PRIORITY=5;
CREATE RESOURCE GROUP off_group TYPE=USER VCPU=0 THREAD_PRIORITY=0 DISABLE;
INSTALL COMPONENT 'file://component_query_attributes';
INSTALL PLUGIN rewriter SONAME 'rewriter.so';
CREATE FUNCTION service_get_read_locks RETURNS INT SONAME 'locking_service.so';
CREATE TABLE no_key (f FLOAT, j JSON);
INSERT INTO no_key VALUES (0.1, '[1.50]'),(0.1, '[1.50]'),(NULL, NULL);
CREATE TRIGGER no_key_tr BEFORE INSERT ON no_key FOR EACH ROW SET NEW.f = NEW.f + 1;
SET PERSIST max_connections=57; SET PERSIST_ONLY back_log=77;
CREATE DATABASE frozen; CREATE TABLE frozen.t (i INT PRIMARY KEY); INSERT INTO frozen.t VALUES (1); ALTER DATABASE frozen READ ONLY=1;
UPDATE mysql.server_cost SET cost_value=0.3, comment='tuned' WHERE cost_name='row_evaluate_cost';
INSERT INTO mysql.engine_cost (engine_name,device_type,cost_name,cost_value) VALUES ('InnoDB',0,'io_block_read_cost',1.5);
CREATE ROLE r1; CREATE USER u1@'%' IDENTIFIED BY 'x'; GRANT r1 TO u1@'%'; SET DEFAULT ROLE r1 TO u1@'%';
CREATE VIEW v AS SELECT * FROM numbers;
CREATE TRIGGER tr BEFORE INSERT ON histo FOR EACH ROW SET NEW.m = 100;
CREATE UNDO TABLESPACE undo_own ADD DATAFILE 'undo_own.ibu';
SET restrict_fk_on_non_standard_key=OFF; CREATE TABLE many_keys (a INT, KEY (a)); INSERT INTO many_keys VALUES (1), (1); CREATE TABLE refers_many (a INT, FOREIGN KEY (a) REFERENCES many_keys (a)); INSERT INTO refers_many VALUES (1); SET restrict_fk_on_non_standard_key=ON;
UPDATE sys.sys_config SET value = '99' WHERE variable = 'statement_truncate_len'; CREATE VIEW sys.own AS SELECT 1 AS a;
CREATE TABLE zoo.archived (i INT NOT NULL AUTO_INCREMENT PRIMARY KEY, t VARCHAR(10)) ENGINE=ARCHIVE; INSERT INTO zoo.archived VALUES (3, 'three'), (7, 'seven'), (NULL, 'eight'); CREATE TABLE zoo.archived_none (i INT NOT NULL AUTO_INCREMENT PRIMARY KEY) ENGINE=ARCHIVE AUTO_INCREMENT=50; CREATE TABLE zoo.archived_many (i INT NOT NULL AUTO_INCREMENT, KEY (i)) ENGINE=ARCHIVE AUTO_INCREMENT=20; INSERT INTO zoo.archived_many VALUES (4), (4);
SET NAMES sjis; CREATE PROCEDURE zoo.in_sjis() SELECT 'a'; SET NAMES utf8mb4;
CREATE ROLE must_have; SET GLOBAL mandatory_roles = 'must_have'; SET DEFAULT ROLE must_have TO odd_expired;
-- Its last row fills a statement: what follows it is still there. -0 is not 0.
CREATE TABLE zoo.a_large_last (i INT PRIMARY KEY, f FLOAT, b LONGBLOB); INSERT INTO zoo.a_large_last VALUES (1, -0e0, 'x'), (2, 0, REPEAT('x', 700000));
-- An empty member of ENUM and SET, and no member. Names that are one to a dump program. What a stricter server refuses.
SET sql_mode=''; CREATE TABLE zoo.empty_members (i INT PRIMARY KEY, e ENUM('a','','z'), s SET('','b','c')); INSERT INTO zoo.empty_members VALUES (1,'a',''),(2,'',1),(3,'nope',0),(4,0,'b'),(5,NULL,3); SET sql_mode=DEFAULT;
CREATE DATABASE `zoo.a`; CREATE TABLE zoo.`a.b` (i INT PRIMARY KEY, f FLOAT); INSERT INTO zoo.`a.b` VALUES (1, 16777216); CREATE TABLE `zoo.a`.b (i INT PRIMARY KEY); INSERT INTO `zoo.a`.b VALUES (1), (2); CREATE TABLE `zoo.a`.c (i INT PRIMARY KEY, f FLOAT); INSERT INTO `zoo.a`.c VALUES (1, 16777216);
CREATE DATABASE Zoo; CREATE TABLE zoo.`Case` (i INT PRIMARY KEY, f FLOAT); CREATE TABLE zoo.`case` (i INT PRIMARY KEY); CREATE TABLE Zoo.`case` (i INT PRIMARY KEY); CREATE VIEW zoo.`CASE` AS SELECT 1 AS a; INSERT INTO zoo.`Case` VALUES (1, 0.1); INSERT INTO zoo.`case` VALUES (1), (2); INSERT INTO Zoo.`case` VALUES (9);
SET group_concat_max_len = 1000000; SELECT CONCAT('CREATE TABLE zoo.loose (', GROUP_CONCAT('c', n, ' VARCHAR(255)'), ') ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET latin1') INTO @loose FROM (WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 250) SELECT n FROM r) q; PREPARE loose FROM @loose; SET innodb_strict_mode=OFF; EXECUTE loose; SET innodb_strict_mode=DEFAULT;
CREATE TABLE zoo.generated (a INT AS (1) VIRTUAL, b INT AS (2) STORED); INSERT INTO zoo.generated () VALUES (), ();
-- The collation of the database was another one.
CREATE DATABASE azoo2 CHARACTER SET latin1; CREATE TABLE azoo2.f (f FLOAT); CREATE TRIGGER azoo2.collated BEFORE INSERT ON azoo2.f FOR EACH ROW SET @a = 'a'; ALTER DATABASE azoo2 CHARACTER SET utf8mb4 COLLATE utf8mb4_cs_0900_ai_ci;
-- Accounts of a plug-in, with a quote in what the certificate must say, and with a grant on a column that is gone.
INSTALL PLUGIN mysql_no_login SONAME 'mysql_no_login.so'; CREATE USER odd_no_login IDENTIFIED WITH mysql_no_login; CREATE USER odd_column IDENTIFIED BY 'x'; CREATE TABLE zoo.columns (a INT, gone INT); GRANT SELECT (a, gone), UPDATE (gone) ON zoo.columns TO odd_column; ALTER TABLE zoo.columns DROP COLUMN gone;
-- What a library of the server gives: an index and views cannot be made without it.
INSTALL PLUGIN simple_parser SONAME 'mypluglib.so'; CREATE TABLE zoo.parsed (i INT PRIMARY KEY, t TEXT, FULLTEXT KEY (t) WITH PARSER simple_parser); INSERT INTO zoo.parsed VALUES (1, 'a b'); CREATE VIEW zoo.calls AS SELECT service_get_read_locks('a', 'b', 0) AS x; CREATE VIEW zoo.asks AS SELECT mysql_query_attribute_string('n') AS x;
GRANT SKIP_QUERY_REWRITE, BACKUP_ADMIN ON *.* TO odd_column WITH GRANT OPTION; GRANT CLONE_ADMIN ON *.* TO odd_no_login; ALTER USER odd_column IDENTIFIED BY 'y' PASSWORD HISTORY 3;
-- A view on a view of an account that comes last.
CREATE USER odd_definer IDENTIFIED BY 'x'; GRANT SELECT ON zoo.numbers TO odd_definer; CREATE DEFINER=odd_definer VIEW zoo.inner_view AS SELECT i FROM zoo.numbers; CREATE VIEW zoo.outer_view AS SELECT i FROM zoo.inner_view;
CREATE TABLE zoo.at_a_time (i INT PRIMARY KEY, f FLOAT, t TIMESTAMP NOT NULL DEFAULT '2020-06-01 12:00:00'); INSERT INTO zoo.at_a_time (i) VALUES (1);
-- DOUBLE alone in its table; a user's table beside the server's own; columns of another mode of SQL.
CREATE TABLE zoo.signs (i INT PRIMARY KEY, d DOUBLE, e DOUBLE(10,3)); INSERT INTO zoo.signs VALUES (1, -0e0, -0e0), (2, 0, 0), (3, 1e308, -1.5); CREATE TABLE mysql.own_numbers (i INT PRIMARY KEY, f FLOAT, d DOUBLE); INSERT INTO mysql.own_numbers VALUES (1, 16777216, -0e0), (2, 0.1, 0.1); CREATE TABLE mysql.own_documents (i INT PRIMARY KEY, j JSON); INSERT INTO mysql.own_documents VALUES (1, JSON_OBJECT('a', CAST(1.10 AS DECIMAL(4,2))));
SET sql_mode='NO_UNSIGNED_SUBTRACTION'; CREATE TABLE zoo.differences (a INT UNSIGNED, b BIGINT AS (a - 5) STORED, t TEXT); INSERT INTO zoo.differences (a) VALUES (1), (10); CREATE TABLE zoo.no_differences (a INT UNSIGNED, b BIGINT AS (a - 5) STORED); INSERT INTO zoo.no_differences (a) VALUES (10); CREATE TABLE zoo.index_of_differences (a INT UNSIGNED, KEY ((a - 7)), CHECK (a - 8 < 100)); INSERT INTO zoo.index_of_differences VALUES (1); SET sql_mode='NO_BACKSLASH_ESCAPES'; CREATE TABLE zoo.plain_literals (a VARCHAR(20), b VARCHAR(30) AS (CONCAT(a, '\n')) STORED); INSERT INTO zoo.plain_literals (a) VALUES ('x'); SET sql_mode=DEFAULT;
CREATE TABLE zoo.disabled_keys (i INT, j INT, KEY (i), UNIQUE KEY (j)) ENGINE=MyISAM; INSERT INTO zoo.disabled_keys VALUES (1, 1), (1, 2); ALTER TABLE zoo.disabled_keys DISABLE KEYS;
