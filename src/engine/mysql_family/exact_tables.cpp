#include "engine/mysql_family/exact_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "codec/hex.h"
#include "engine/mysql_family/expression_modes.h"
#include "engine/mysql_family/json_exact.h"
#include "engine/mysql_family/namesakes.h"
#include "engine/mysql_family/program_head.h"
#include "engine/mysql_family/unreadable.h"

namespace holdfast::engine {
namespace {

using sql::quote_mysql;
using sql::quote_mysql_name;

bool one_of(const std::string& word, std::initializer_list<std::string_view> words) {
  for (const auto& other : words)
    if (word == other) return true;
  return false;
}

// Both programs' way to say which session the statements below are for, and how it was before.
constexpr std::string_view kOpen =
    "SET @holdfast_mode=@@sql_mode, @holdfast_keys=@@foreign_key_checks, @holdfast_unique=@@unique_checks, "
    "@holdfast_zone=@@time_zone;\nSET NAMES utf8mb4;\nSET foreign_key_checks=0, unique_checks=0, time_zone='+00:00';\n";
constexpr std::string_view kClose =
    "SET sql_mode=@holdfast_mode, foreign_key_checks=@holdfast_keys, unique_checks=@holdfast_unique, "
    "time_zone=@holdfast_zone;\n";

Result<std::string> triggers_of(const Sources& sources, const TableName& name) {
  auto rows = TRY(sources.ask_source(fmt::format(R"sql(
      SELECT t.TRIGGER_NAME AS n, t.SQL_MODE AS m, t.CHARACTER_SET_CLIENT AS cs, t.COLLATION_CONNECTION AS co,
        t.DATABASE_COLLATION AS dc, s.DEFAULT_COLLATION_NAME AS sc
      FROM information_schema.TRIGGERS t
      JOIN information_schema.SCHEMATA s ON CAST(s.SCHEMA_NAME AS BINARY) = CAST(t.TRIGGER_SCHEMA AS BINARY)
      WHERE t.EVENT_OBJECT_SCHEMA = {} AND t.EVENT_OBJECT_TABLE = {}
      ORDER BY t.EVENT_MANIPULATION, t.ACTION_TIMING, t.ACTION_ORDER)sql",
                                                 quote_mysql(name.database), quote_mysql(name.table))));
  std::string text;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    TRY(sources.ask_source("SET character_set_results = NULL"));
    auto definition = sources.ask_source(
        fmt::format("SHOW CREATE TRIGGER {}.{}", quote_mysql_name(name.database), quote_mysql_name(rows.text("n", i))));
    TRY(sources.ask_source("SET character_set_results = utf8mb4"));
    if (!definition) return fail(std::move(definition).error());
    const std::string create = definition->text("SQL Original Statement");
    std::string delimiter = ";;";
    while (create.find(delimiter) != std::string::npos) delimiter += ';';
    const std::string was = rows.text("dc", i), is = rows.text("sc", i);
    const auto collate = [&](const std::string& to) {
      return was.empty() || was == is
                 ? std::string()
                 : fmt::format("ALTER DATABASE {} COLLATE {};\n", quote_mysql_name(name.database), to);
    };
    text += collate(was);
    text += fmt::format(
        "SET character_set_client={0}, character_set_results={0}, collation_connection={1}, sql_mode={2};\n"
        "DELIMITER {3}\n/*!50003 CREATE*/ /*!50003 {4} */ {3}\nDELIMITER ;\n",
        rows.text("cs", i), rows.text("co", i), quote_mysql(rows.text("m", i)), delimiter,
        create.starts_with("CREATE ") ? create.substr(7) : create);
    text += collate(is);
  }
  return text;
}

// An ARCHIVE table takes values of such a column upwards only, from AUTO_INCREMENT=N of its CREATE TABLE on.
constexpr std::string_view kOnlyUpwards =
    " OR (t.ENGINE = 'ARCHIVE' AND c.EXTRA LIKE '%auto_increment%' AND c.COLUMN_KEY IN ('PRI', 'UNI'))";

bool is_negative_zero(std::string_view number) {
  return number.starts_with("-0") && number.find_first_not_of("0.", 1) == std::string_view::npos;
}

// `hex` is the document's text.
std::optional<std::string> json_text(const std::string& hex, const std::string& types) {
  std::vector<uint8_t> text(hex.size() / 2);
  if (!codec::from_hex(hex, text)) return std::nullopt;
  return json_expression(as_text(text), types);
}

/// Tables to be written by us, and whether they are system-versioned.
using Chosen = std::map<TableName, bool>;

// Text gives the member of an ENUM or SET: where one is empty, it is also that of no member. One of bytes is in no
// text.
constexpr std::string_view kEmptyMember =
    " OR (c.DATA_TYPE IN ('enum', 'set') AND (c.COLUMN_TYPE LIKE '%(\'\'%' OR c.COLUMN_TYPE LIKE '%,\'\'%' OR "
    "c.CHARACTER_SET_NAME = 'binary'))";

Status choose_by_columns(const Sources& sources, const HistoryPlan& history, Chosen& chosen) {
  const bool mariadb = sources.source.is_mariadb();
  // Latin-1 and ASCII come back from Unicode as they were; of the others not every code does.
  auto rows = TRY(sources.ask_source(fmt::format(
      R"sql(
      SELECT DISTINCT t.TABLE_SCHEMA AS s, t.TABLE_NAME AS n, t.TABLE_TYPE AS k
      FROM information_schema.COLUMNS c
      JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
      WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.ENGINE IN {} AND t.TABLE_SCHEMA NOT IN {}
        AND ((c.EXTRA NOT LIKE '%STORED GENERATED%' AND c.EXTRA NOT LIKE '%VIRTUAL GENERATED%' AND (c.DATA_TYPE IN
              ('float','double'){}{} OR c.CHARACTER_SET_NAME NOT IN
              ('utf8','utf8mb3','utf8mb4','latin1','ascii','binary'))){})
      ORDER BY 1, 2)sql",
      kEnginesWithRows, kSystemSchemas, kEmptyMember,
      std::string(mariadb ? "" : " OR c.DATA_TYPE = 'json'") + std::string(kOnlyUpwards),
      history.dumped ? " OR t.TABLE_TYPE = 'SYSTEM VERSIONED'" : "")));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    chosen[{rows.text("s", i), "", rows.text("n", i)}] = rows.text("k", i) == "SYSTEM VERSIONED";
  return {};
}

// Users have tables beside the server's own, which hold no such values, but for those that hold settings and accounts.
Status choose_beside_system_tables(const Sources& sources, Chosen& chosen) {
  auto rows = TRY(sources.ask_source(fmt::format(
      R"sql(
      SELECT DISTINCT t.TABLE_NAME AS n
      FROM information_schema.COLUMNS c
      JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME
      WHERE t.TABLE_SCHEMA = 'mysql' AND t.TABLE_TYPE = 'BASE TABLE' AND t.ENGINE IN {}
        AND t.TABLE_NAME NOT IN
        ('engine_cost','server_cost','user','replication_asynchronous_connection_failover_managed')
        AND c.EXTRA NOT LIKE '%GENERATED%' AND c.DATA_TYPE IN ('float','double','json'))sql",
      kEnginesWithRows)));
  for (size_t i = 0; i < rows.rows.size(); ++i) chosen[{"mysql", "", rows.text("n", i)}] = false;
  return {};
}

// mysqldump writes "VALUES ),));" for rows without a column of their own.
Status choose_generated_only(const Sources& sources, Chosen& chosen) {
  if (sources.source.is_mariadb()) return {};
  auto rows = TRY(sources.ask_source(
      fmt::format("SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.COLUMNS WHERE TABLE_SCHEMA NOT IN "
                  "{} GROUP BY 1, 2 HAVING SUM(EXTRA NOT LIKE '%STORED GENERATED%' AND EXTRA NOT LIKE '%VIRTUAL "
                  "GENERATED%') = 0",
                  kSystemSchemas)));
  for (size_t i = 0; i < rows.rows.size(); ++i) chosen[{rows.text("s", i), "", rows.text("n", i)}] = false;
  return {};
}

// A server may keep the primary keys that it generated from the dump program: they show in a session that asks for
// them.
Status choose_hidden_keys(const Sources& sources, Chosen& chosen) {
  if (sources.source.is_mariadb()) return {};
  const std::string setting = "show_gipk_in_create_table_and_information_schema";
  const auto shown = TRY(sources.ask_source("SHOW GLOBAL VARIABLES LIKE " + quote_mysql(setting)));
  if (shown.empty() || shown.text("Value") == "ON") return {};
  TRY(sources.ask_source(fmt::format("SET SESSION {} = ON", setting)));
  const auto rows = TRY(sources.ask_source(
      fmt::format("SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n FROM information_schema.COLUMNS WHERE COLUMN_NAME = "
                  "'my_row_id' AND COLUMN_KEY = 'PRI' AND EXTRA LIKE '%INVISIBLE%' AND TABLE_SCHEMA NOT IN {}",
                  kSystemSchemas)));
  for (size_t i = 0; i < rows.rows.size(); ++i) chosen[{rows.text("s", i), "", rows.text("n", i)}] = false;
  return {};
}

// The server shows them as question marks, in all that it says of the table.
Status note_members_of_bytes(const Sources& sources, std::vector<DumpNote>& notes) {
  if (!sources.source.is_mariadb()) return {};
  const auto rows = TRY(sources.ask_source(fmt::format(
      "SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE DATA_TYPE IN "
      "('enum', 'set') AND CHARACTER_SET_NAME = 'binary' AND COLUMN_TYPE LIKE '%?%' AND TABLE_SCHEMA NOT IN {} ORDER "
      "BY 1, 2",
      kSystemSchemas)));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    notes.push_back({"enum.members", rows.text("s", i) + "." + rows.text("n", i),
                     fmt::format("members of column {} of table {}.{} hold bytes that the server shows as question "
                                 "marks: a restore gives them these names",
                                 rows.text("c", i), rows.text("s", i), rows.text("n", i))});
  return {};
}

// ALTER TABLE of a table with history makes such a column, and SHOW CREATE TABLE does not say so.
Status note_numbers_that_are_null(const Sources& sources, std::vector<DumpNote>& notes) {
  if (!sources.source.is_mariadb()) return {};
  const auto rows = TRY(sources.ask_source(
      fmt::format("SELECT TABLE_SCHEMA AS s, TABLE_NAME AS n, COLUMN_NAME AS c FROM information_schema.COLUMNS WHERE "
                  "EXTRA LIKE '%auto_increment%' AND IS_NULLABLE = 'YES' AND TABLE_SCHEMA NOT IN {} ORDER BY 1, 2",
                  kSystemSchemas)));
  for (size_t i = 0; i < rows.rows.size(); ++i)
    notes.push_back({"column.auto_increment", rows.text("s", i) + "." + rows.text("n", i),
                     fmt::format("column {} of table {}.{} may be NULL, which its definition does not say: a restore "
                                 "makes it NOT NULL, and NULLs become numbers",
                                 rows.text("c", i), rows.text("s", i), rows.text("n", i))});
  return {};
}

Result<Chosen> choose(const Sources& sources, const HistoryPlan& history) {
  Chosen chosen;
  TRY_VOID(choose_hidden_keys(sources, chosen));
  TRY_VOID(choose_by_columns(sources, history, chosen));
  TRY_VOID(choose_beside_system_tables(sources, chosen));
  TRY_VOID(choose_generated_only(sources, chosen));
  const auto same = TRY(find_namesakes(sources.source, sources.stop));
  for (const auto& name : same.tables) chosen[name] = same.versioned.contains(name);
  for (const auto& name : TRY(discarded_tables(sources.source, sources.stop))) chosen.erase(name);
  return chosen;
}

}  // namespace

std::string exact_rows_prologue() {
  return "\n" + std::string(kOpen);
}
std::string exact_rows_epilogue() {
  return std::string(kClose);
}

std::string take_archive_counter(std::string& create) {
  // Behind all columns and keys: no comment of theirs is mistaken for it.
  constexpr std::string_view kOptions = "\n) ENGINE=ARCHIVE AUTO_INCREMENT=";
  const size_t at = create.rfind(kOptions);
  if (at == std::string::npos) return "";
  const size_t number = at + kOptions.size(),
               end = std::min(create.find_first_not_of("0123456789", number), create.size());
  std::string counter = create.substr(number, end - number);
  const size_t option = at + kOptions.find(" AUTO_INCREMENT");
  create.erase(option, end - option);
  return counter;
}

ExactColumn exact_column(const std::string& name, const std::string& type, const std::string& charset, bool mariadb) {
  const std::string quoted = quote_mysql_name(name);
  ExactColumn column{.name = name, .form = ValueForm::text, .expression = quoted, .introducer = {}};
  if (type == "float") {
    column.form = ValueForm::number;
    column.expression = fmt::format("CAST({} AS DOUBLE)", quoted);
  } else if (one_of(type, {"tinyint", "smallint", "mediumint", "int", "bigint", "double", "decimal"})) {
    column.form = ValueForm::number;
  } else if (one_of(type, {"enum", "set", "bit"})) {
    column.form = ValueForm::number;
    column.expression = quoted + "+0";
  } else if (type == "json" && !mariadb) {
    column.form = ValueForm::json;
    column.expression =
        fmt::format("HEX(CAST({} AS CHAR CHARACTER SET utf8mb4)), {}", quoted, json_types_expression(quoted));
    column.introducer = "_utf8mb4 ";
  } else if (!charset.empty()) {
    column.form = ValueForm::bytes;
    column.expression = fmt::format("HEX({})", quoted);
    column.introducer = "_" + charset + " ";
  } else if (!one_of(type, {"date", "datetime", "timestamp", "time", "year", "uuid", "inet4", "inet6"})) {
    column.form = ValueForm::bytes;  // binary, blobs, geometry, vectors
    column.expression = fmt::format("HEX({})", quoted);
  }
  return column;
}

std::string exact_values(const std::vector<ExactColumn>& columns, const sql::Row& row, size_t* inexact) {
  std::string text;
  size_t at = 0;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i) text += ',';
    const auto& value = row[at++];
    const auto types = columns[i].form == ValueForm::json ? row[at++] : std::nullopt;
    const auto typed = value && types ? json_text(*value, *types) : std::nullopt;
    if (types && !typed) ++*inexact;
    if (typed) {
      text += *typed;
    } else if (!value) {
      text += "NULL";
    } else if (columns[i].form == ValueForm::number) {
      text += *value;
      if (is_negative_zero(*value)) text += "e0";  // as an integer it is 0
    } else if (columns[i].form == ValueForm::text) {
      text += quote_mysql(*value);
    } else {
      text += fmt::format("{}X'{}'", columns[i].introducer, *value);
    }
  }
  return text;
}

std::string exact_select(const ExactTable& table) {
  std::string text = "SELECT ";
  for (const auto& column : table.columns) text += (text.size() > 7 ? "," : "") + column.expression;
  if (table.columns.empty()) text += "NULL";  // a row for each of its rows
  return fmt::format("{} FROM {}.{}{}", text, quote_mysql_name(table.name.database), quote_mysql_name(table.name.table),
                     table.history ? " FOR SYSTEM_TIME ALL WHERE " + loadable_history(table.start, table.end) : "");
}

std::string loadable_history(const std::string& start, const std::string& end) {
  return fmt::format("{} < {}", quote_mysql_name(start), quote_mysql_name(end));
}

std::string exact_insert(const ExactTable& table) {
  std::string names;
  for (const auto& column : table.columns) names += (names.empty() ? "" : ", ") + quote_mysql_name(column.name);
  return fmt::format("INSERT INTO {} ({}) VALUES", quote_mysql_name(table.name.table), names);
}

Status describe(const Sources& sources, ExactTable& table) {
  const bool mariadb = sources.source.is_mariadb();
  auto columns = TRY(sources.ask_source(fmt::format(
      "SELECT COLUMN_NAME AS c, DATA_TYPE AS t, CHARACTER_SET_NAME AS cs, EXTRA AS e, COLUMN_KEY AS k, {} AS g FROM "
      "information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
      mariadb ? "GENERATION_EXPRESSION" : "''", quote_mysql(table.name.database), quote_mysql(table.name.table))));
  bool named_period = false, upwards = false;
  for (size_t k = 0; k < columns.rows.size(); ++k) {
    const bool period = columns.text("g", k) == "ROW START" || columns.text("g", k) == "ROW END";
    named_period |= period;
    if (period) (columns.text("g", k) == "ROW START" ? table.start : table.end) = columns.text("c", k);
    upwards |= columns.text("e", k).find("auto_increment") != std::string::npos &&
               (columns.text("k", k) == "PRI" || columns.text("k", k) == "UNI");
    if (period ? !table.history
               : columns.text("e", k).find("STORED GENERATED") != std::string::npos ||
                     columns.text("e", k).find("VIRTUAL GENERATED") != std::string::npos)
      continue;
    table.columns.push_back(exact_column(columns.text("c", k), columns.text("t", k), columns.text("cs", k), mariadb));
  }
  if (table.history && !named_period) {
    for (const char* name : {"row_start", "row_end"}) table.columns.push_back({name, ValueForm::text, name, ""});
  }
  const std::string where =
      fmt::format("{}.{}", quote_mysql_name(table.name.database), quote_mysql_name(table.name.table));
  table.create = TRY(sources.ask_source("SHOW CREATE TABLE " + where)).text("Create Table");
  if (upwards) table.counter = take_archive_counter(table.create);
  table.schema = TRY(sources.ask_source("SHOW CREATE DATABASE IF NOT EXISTS " + quote_mysql_name(table.name.database)))
                     .text("Create Database");
  // "SCHEMA": the program writes its own CREATE DATABASE, and readers count those.
  if (table.schema.starts_with("CREATE DATABASE ")) table.schema.replace(7, 8, "SCHEMA");
  table.triggers = TRY(triggers_of(sources, table.name));
  return {};
}

Result<std::vector<ExactTable>> plan_exact_tables(const Sources& sources, const HistoryPlan& history,
                                                  std::vector<DumpNote>& notes) {
  // SHOW CREATE TABLE prints defaults of TIMESTAMP in the session's zone, and they are read in this one.
  TRY(sources.ask_source("SET time_zone = '+00:00'"));
  std::vector<ExactTable> tables;
  Chosen chosen = TRY(choose(sources, history));
  TRY_VOID(note_members_of_bytes(sources, notes));
  TRY_VOID(note_numbers_that_are_null(sources, notes));
  const auto modes = TRY(expression_modes(sources, notes));
  for (const auto& [name, needed] : modes) chosen.try_emplace(name, needed.versioned);
  for (const auto& [name, versioned] : chosen) {
    ExactTable table;
    table.name = name;
    table.history = history.dumped && versioned && !history.by_transaction.contains(name);
    TRY_VOID(describe(sources, table));
    if (const auto needed = modes.find(name); needed != modes.end()) {
      table.modes = needed->second.modes;
      // What stands for a value of JSON has backslashes.
      const bool json = std::ranges::any_of(table.columns, [](const auto& c) { return c.form == ValueForm::json; });
      table.plain_literals = needed->second.plain_literals && !json;
      if (needed->second.plain_literals && json) notes.push_back(generated_differs(name));
    }
    tables.push_back(std::move(table));
  }
  return tables;
}

std::string exact_structures(const std::vector<ExactTable>& tables) {
  if (tables.empty()) return "";
  const auto modes = [](const std::string& more) { return fmt::format("SET sql_mode='{}{}';\n", kLoadingModes, more); };
  std::string text = fmt::format("--\n-- Tables whose rows follow at the end\n--\n\n{}{}", kOpen, modes(""));
  std::string schema;
  for (const auto& table : tables) {
    if (table.schema != schema)
      text += fmt::format("{};\nUSE {};\n", table.schema, quote_mysql_name(table.name.database));
    schema = table.schema;
    if (!table.modes.empty()) text += modes(table.modes);
    text += fmt::format("DROP TABLE IF EXISTS {};\n{};\n", quote_mysql_name(table.name.table), table.create);
    if (!table.modes.empty()) text += modes("");
  }
  return text + std::string(kClose) + "\n";
}

}  // namespace holdfast::engine
