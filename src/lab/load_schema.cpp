#include "lab/load_schema.h"

// A statement is longer than a line, so neighbouring literals without a comma are the rule in these lists.
// NOLINTBEGIN(bugprone-suspicious-missing-comma)
namespace holdfast::lab {

std::vector<std::string> mysql_schema(bool mariadb) {
  std::vector<std::string> s;
  for (const char* name : {"shop", "crm", "logs"}) {
    s.push_back(std::string("DROP DATABASE IF EXISTS ") + name);
    s.push_back(std::string("CREATE DATABASE ") + name + " CHARACTER SET utf8mb4");
  }
  s.insert(
      s.end(),
      {"CREATE TABLE shop.customers (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(120) NOT NULL, "
       "email VARCHAR(190) NOT NULL UNIQUE, balance DECIMAL(14,2) NOT NULL DEFAULT 0, born DATE NULL, "
       "tier ENUM('basic','gold') NOT NULL, notes TEXT NULL, created DATETIME(6) NOT NULL, KEY by_born (born))",
       "CREATE TABLE shop.products (id INT UNSIGNED NOT NULL PRIMARY KEY, sku CHAR(16) NOT NULL UNIQUE, title "
       "VARCHAR(200) NOT NULL, "
       "price DECIMAL(10,2) NOT NULL, attrs JSON NULL, picture MEDIUMBLOB NULL, "
       "price_taxed DECIMAL(12,4) GENERATED ALWAYS AS (price * 1.19) STORED, title_length INT GENERATED ALWAYS AS "
       "(CHAR_LENGTH(title)) VIRTUAL)",
       "CREATE TABLE shop.orders (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, customer_id INT UNSIGNED NOT "
       "NULL, "
       "product_id INT UNSIGNED NOT NULL, quantity SMALLINT NOT NULL, total DECIMAL(12,2) NOT NULL, "
       "status ENUM('new','paid','shipped','returned') NOT NULL, placed DATETIME(6) NOT NULL, remark VARCHAR(400) "
       "NULL, "
       "KEY by_customer (customer_id), KEY by_placed (placed), "
       "CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES shop.customers (id), "
       "CONSTRAINT orders_product FOREIGN KEY (product_id) REFERENCES shop.products (id) ON UPDATE CASCADE)",
       "CREATE TABLE shop.audit (id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, what VARCHAR(200) NOT NULL, at "
       "TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
       "CREATE TABLE shop.ledger (id BIGINT NOT NULL PRIMARY KEY, payload VARCHAR(200) NOT NULL, at TIMESTAMP(6) NOT "
       "NULL DEFAULT CURRENT_TIMESTAMP(6))",
       "CREATE TABLE crm.documents (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, title VARCHAR(200) NOT NULL, body "
       "MEDIUMTEXT NOT NULL, attachment LONGBLOB NULL)",
       "CREATE TABLE logs.events (id BIGINT NOT NULL PRIMARY KEY, at DATETIME(3) NOT NULL, level "
       "ENUM('debug','info','warn','error') NOT NULL, "
       "message VARCHAR(400) NOT NULL, value DOUBLE NULL, KEY by_level (level, at)) ROW_FORMAT=DYNAMIC",
       "CREATE TABLE logs.oddities (b BIT(10) NULL, t TIME(3) NULL, y YEAR NULL, f FLOAT NULL, v VARBINARY(32) NULL, s "
       "SET('a','b','c') NULL, "
       "g GEOMETRY NULL, `odd ``name` VARCHAR(20) NULL COMMENT 'quote '' and \\\\ here')",
       "INSERT INTO logs.oddities VALUES (b'1010101010', '-12:30:45.125', 2026, 1.5, x'00ff27', 'a,c', "
       "ST_GeomFromText('POINT(1 2)'), 'x'), "
       "(NULL, '838:59:59', 1901, -0.0, x'', '', NULL, NULL)"});
  if (mariadb) s.push_back("CREATE SEQUENCE shop.ticket START WITH 1000 INCREMENT BY 5 NOCACHE");
  return s;
}

std::vector<std::string> mysql_objects(bool) {
  return {
      "CREATE VIEW shop.open_orders AS SELECT o.id, c.name, o.total FROM shop.orders o JOIN shop.customers c ON c.id = "
      "o.customer_id WHERE o.status IN ('new','paid')",
      "CREATE TRIGGER shop.customers_audit AFTER UPDATE ON shop.customers FOR EACH ROW INSERT INTO shop.audit (what) "
      "VALUES (CONCAT('customer ', NEW.id, ' changed; it''s noted'))",
      "CREATE PROCEDURE shop.raise_prices(IN percent DECIMAL(5,2)) MODIFIES SQL DATA BEGIN UPDATE shop.products SET "
      "price = price * (1 + percent / 100); END",
      "CREATE FUNCTION shop.full_price(net DECIMAL(10,2)) RETURNS DECIMAL(12,2) DETERMINISTIC NO SQL RETURN net * 1.19",
      "CREATE EVENT shop.prune_audit ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DO DELETE FROM shop.audit "
      "WHERE at < NOW() - INTERVAL 90 DAY",
      "DROP USER IF EXISTS 'app'@'%', 'report'@'localhost'",
      "DROP ROLE IF EXISTS app_reader",
      "CREATE ROLE app_reader",
      "GRANT SELECT ON shop.* TO app_reader",
      "CREATE USER 'app'@'%' IDENTIFIED BY 'app-Secret-1'",
      "GRANT SELECT, INSERT, UPDATE, DELETE ON shop.* TO 'app'@'%'",
      "GRANT EXECUTE ON PROCEDURE shop.raise_prices TO 'app'@'%'",
      "CREATE USER 'report'@'localhost' IDENTIFIED BY 'report-Secret-1'",
      "GRANT app_reader TO 'report'@'localhost'",
      "UPDATE shop.customers SET balance = balance + 1 WHERE id <= 5"};
}

std::vector<std::string> postgres_databases() {
  return {"DROP DATABASE IF EXISTS shop WITH (FORCE)",
          "DROP DATABASE IF EXISTS reports WITH (FORCE)",
          "DROP ROLE IF EXISTS app",
          "DROP ROLE IF EXISTS report",
          "DROP ROLE IF EXISTS app_reader",
          "CREATE ROLE app_reader NOLOGIN",
          "CREATE ROLE app LOGIN PASSWORD 'app-Secret-1'",
          "CREATE ROLE report LOGIN PASSWORD 'report-Secret-1' CONNECTION LIMIT 5",
          "GRANT app_reader TO report",
          "CREATE DATABASE shop OWNER app",
          "CREATE DATABASE reports"};
}

std::vector<std::string> postgres_schema() {
  return {
      "CREATE SCHEMA shop",
      "CREATE SCHEMA crm",
      "CREATE SCHEMA logs",
      "CREATE TYPE shop.status AS ENUM ('new','paid','shipped','returned')",
      "CREATE DOMAIN shop.money2 AS numeric(14,2) CHECK (VALUE > -1000000)",
      "CREATE SEQUENCE shop.ticket START 1000 INCREMENT 5",
      "CREATE TABLE shop.customers (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, balance "
      "shop.money2 NOT NULL DEFAULT 0, "
      "born date, tier text NOT NULL CHECK (tier IN ('basic','gold')), notes text, created timestamptz NOT NULL)",
      "CREATE TABLE shop.products (id integer PRIMARY KEY, sku char(16) NOT NULL UNIQUE, title text NOT NULL, price "
      "numeric(10,2) NOT NULL, "
      "attrs jsonb, picture bytea, price_taxed numeric(12,4) GENERATED ALWAYS AS (price * 1.19) STORED)",
      "CREATE TABLE shop.orders (id bigint PRIMARY KEY, customer_id integer NOT NULL REFERENCES shop.customers, "
      "product_id integer NOT NULL REFERENCES shop.products, "
      "quantity smallint NOT NULL, total numeric(12,2) NOT NULL, status shop.status NOT NULL, placed timestamp NOT "
      "NULL, remark text)",
      "CREATE TABLE shop.audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text NOT NULL, at timestamptz "
      "NOT NULL DEFAULT now())",
      "CREATE TABLE shop.ledger (id bigint PRIMARY KEY, payload text NOT NULL, at timestamptz NOT NULL DEFAULT now())",
      "CREATE TABLE crm.documents (id integer PRIMARY KEY, title text NOT NULL, body text NOT NULL, attachment bytea)",
      "CREATE TABLE logs.events (id bigint NOT NULL, at timestamp NOT NULL, level text NOT NULL, message text NOT "
      "NULL, value double precision) PARTITION BY LIST (level)",
      "CREATE TABLE logs.events_bad PARTITION OF logs.events FOR VALUES IN ('warn','error')",
      "CREATE TABLE logs.events_rest PARTITION OF logs.events DEFAULT",
      "CREATE TABLE logs.oddities (\"odd \"\"name\" text, tags text[], box int4range, matrix integer[][], flag "
      "boolean, span interval, addr inet, id uuid)",
      "INSERT INTO logs.oddities VALUES ('it''s', '{a,\"b c\",NULL}', '[1,5)', '{{1,2},{3,4}}', true, '1 year 2 days "
      "03:04:05.678', '10.0.0.0/8', "
      "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), (NULL, '{}', 'empty', NULL, NULL, '-1 day', '::1', NULL)"};
}

std::vector<std::string> postgres_objects() {
  return {
      "CREATE INDEX orders_by_customer ON shop.orders (customer_id, placed DESC)",
      "CREATE INDEX customers_lower ON shop.customers (lower(name)) WHERE notes IS NOT NULL",
      "CREATE INDEX products_attrs ON shop.products USING gin (attrs)",
      "CREATE VIEW shop.open_orders AS SELECT o.id, c.name, o.total FROM shop.orders o JOIN shop.customers c ON c.id = "
      "o.customer_id WHERE o.status IN ('new','paid')",
      "CREATE MATERIALIZED VIEW shop.totals AS SELECT status, count(*) AS n, sum(total) AS total FROM shop.orders "
      "GROUP BY status",
      "CREATE FUNCTION shop.note_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.audit (what) "
      "VALUES ('customer ' || NEW.id || ' changed; it''s noted'); RETURN NEW; END $$",
      "CREATE TRIGGER customers_audit AFTER UPDATE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.note_change()",
      "CREATE PROCEDURE shop.raise_prices(percent numeric) LANGUAGE sql AS $$ UPDATE shop.products SET price = price * "
      "(1 + percent / 100) $$",
      "GRANT USAGE ON SCHEMA shop TO app_reader",
      "GRANT SELECT ON ALL TABLES IN SCHEMA shop TO app_reader",
      "ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO app_reader",
      "GRANT USAGE ON SCHEMA shop TO app",
      "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shop TO app",
      "COMMENT ON TABLE shop.orders IS 'what was ordered; it''s real'",
      "SELECT nextval('shop.ticket')",
      "SELECT lo_from_bytea(0, '\\x00ff1122')",
      "UPDATE shop.customers SET balance = balance + 1 WHERE id <= 5"};
}

}  // namespace holdfast::lab
// NOLINTEND(bugprone-suspicious-missing-comma)
