#include "engine/adopt.h"

#include <fmt/format.h>

#include <algorithm>

namespace holdfast::engine {

using binlog::Cell;
using binlog::Cells;

namespace {

std::unexpected<Error> unfit(std::string why) {
  return fail(ErrorClass::refused, "adopt.unfit", std::move(why));
}

std::unexpected<Error> conflict(const AdoptableTransaction& transaction, std::string_view table, std::string_view why) {
  return fail(ErrorClass::refused, "adopt.conflict", fmt::format("{}: {}: {}", transaction.gtid, table, why));
}

std::string qualified(const std::string& database, const std::string& table) {
  return sql::quote_mysql_name(database) + "." + sql::quote_mysql_name(table);
}

std::string hex_literal(std::string_view bytes) {
  std::string text = "x'";
  for (const unsigned char c : bytes) fmt::format_to(std::back_inserter(text), "{:02x}", c);
  return text + "'";
}

/// The number behind the first bracket: "binary(16)" -> 16.
size_t length_of(const std::string& type) {
  const size_t open = type.find('(');
  size_t length = 0;
  for (size_t i = open + 1; open != std::string::npos && i < type.size() && type[i] >= '0' && type[i] <= '9'; ++i)
    length = length * 10 + static_cast<size_t>(type[i] - '0');
  return length;
}

/// Empty: nothing in SQL tells whether it is so.
std::string equals(const TableColumn& column, const Cell& cell) {
  const std::string name = sql::quote_mysql_name(column.name);
  switch (cell.kind) {
    case Cell::Kind::null:
      return name + " IS NULL";
    case Cell::Kind::integer: {
      if (column.type.find("unsigned") == std::string::npos) return fmt::format("{} = {}", name, cell.number);
      const auto number = static_cast<uint64_t>(cell.number);
      const uint64_t mask = cell.width >= 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * cell.width)) - 1;
      return fmt::format("{} = {}", name, number & mask);
    }
    case Cell::Kind::literal:
      return fmt::format("{} = {}", name, cell.text);
    case Cell::Kind::quoted:
      return fmt::format("{} = '{}'", name, cell.text);
    case Cell::Kind::index:
      return fmt::format("{} + 0 = {}", name, static_cast<uint64_t>(cell.number));
    case Cell::Kind::bits:
      return fmt::format("CAST({} AS UNSIGNED) = {}", name, static_cast<uint64_t>(cell.number));
    case Cell::Kind::bytes: {
      if (column.charset.empty() || column.charset == "binary") {
        std::string bytes = cell.text;
        // The log leaves out what fills it up.
        if (column.data_type == "binary") bytes.resize(std::max(bytes.size(), length_of(column.type)), '\0');
        return fmt::format("{} = {}", name, hex_literal(bytes));
      }
      // The first one by an index if there is one, in the column's own collation; the second one exactly.
      return fmt::format("{0} = _{1} {2} AND CAST({0} AS BINARY) = {2}", name, column.charset, hex_literal(cell.text));
    }
    case Cell::Kind::opaque:
      break;
  }
  return {};
}

/// Field types of the log that a column of this kind can have.
bool fits(const TableColumn& column, const binlog::MappedColumn& mapped) {
  static const std::map<std::string, std::set<int>> kTypes = {{"tinyint", {1}},
                                                              {"smallint", {2}},
                                                              {"mediumint", {9}},
                                                              {"int", {3}},
                                                              {"bigint", {8}},
                                                              {"float", {4}},
                                                              {"double", {5}},
                                                              {"decimal", {246}},
                                                              {"year", {13}},
                                                              {"date", {10}},
                                                              {"datetime", {18}},
                                                              {"timestamp", {17}},
                                                              {"time", {19}},
                                                              {"char", {254}},
                                                              {"binary", {254}},
                                                              {"varchar", {15}},
                                                              {"varbinary", {15}},
                                                              {"enum", {247}},
                                                              {"set", {248}},
                                                              {"bit", {16}},
                                                              {"tinyblob", {252}},
                                                              {"blob", {252}},
                                                              {"mediumblob", {252}},
                                                              {"longblob", {252}},
                                                              {"tinytext", {252}},
                                                              {"text", {252}},
                                                              {"mediumtext", {252}},
                                                              {"longtext", {252}},
                                                              {"json", {245}},
                                                              {"vector", {242}},
                                                              {"geometry", {255}},
                                                              {"point", {255}},
                                                              {"linestring", {255}},
                                                              {"polygon", {255}},
                                                              {"multipoint", {255}},
                                                              {"multilinestring", {255}},
                                                              {"multipolygon", {255}},
                                                              {"geomcollection", {255}},
                                                              {"geometrycollection", {255}}};
  const auto types = kTypes.find(column.data_type);
  return types != kTypes.end() && types->second.contains(mapped.type);
}

bool comparable(const TableColumn& column) {
  static const std::set<std::string> kOpaque = {
      "json",       "vector",          "geometry",     "point",          "linestring",        "polygon",
      "multipoint", "multilinestring", "multipolygon", "geomcollection", "geometrycollection"};
  return !kOpaque.contains(column.data_type);
}

struct Definition {
  std::vector<TableColumn> columns;
  std::string text;  ///< what must be the same on both
};

Result<Definition> definition_of(sql::MariadbConnection& server, const MappedTable& table, Deadline deadline,
                                 const std::stop_token& stop) {
  const auto rows = TRY(server.query(
      fmt::format("SELECT COLUMN_NAME AS name, COLUMN_TYPE AS type, DATA_TYPE AS data, IFNULL(CHARACTER_SET_NAME, '') "
                  "AS charset, IFNULL(COLLATION_NAME, '') AS collation_, COLUMN_KEY AS key_, EXTRA AS extra, "
                  "IS_NULLABLE AS nullable_ FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = "
                  "{} ORDER BY ORDINAL_POSITION",
                  sql::quote_mysql(table.database), sql::quote_mysql(table.table)),
      deadline, stop));
  Definition definition;
  for (size_t i = 0; i < rows.rows.size(); ++i) {
    for (const char* name : {"name", "type", "charset", "collation_", "key_", "extra", "nullable_"})
      definition.text += rows.text(name, i) + "\n";
    definition.columns.push_back({rows.text("name", i), rows.text("type", i), rows.text("data", i),
                                  rows.text("charset", i), rows.text("key_", i) == "PRI"});
    if (rows.text("extra", i).find("GENERATED") != std::string::npos &&
        rows.text("extra", i).find("DEFAULT_GENERATED") == std::string::npos)
      return unfit(fmt::format("{}.{} has a generated column ({})", table.database, table.table, rows.text("name", i)));
  }
  return definition;
}

/// Foreign keys that would carry a change of its rows on to rows nobody looked at.
Result<std::string> carried_on(sql::MariadbConnection& primary, const MappedTable& table, Deadline deadline,
                               const std::stop_token& stop) {
  const auto rows = TRY(primary.query(
      fmt::format("SELECT CONSTRAINT_NAME AS name FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE "
                  "UNIQUE_CONSTRAINT_SCHEMA = {} AND REFERENCED_TABLE_NAME = {} AND (UPDATE_RULE NOT IN ('RESTRICT', "
                  "'NO ACTION') OR DELETE_RULE NOT IN ('RESTRICT', 'NO ACTION'))",
                  sql::quote_mysql(table.database), sql::quote_mysql(table.table)),
      deadline, stop));
  return rows.text("name");
}

Status check_table(const std::string& name, const MappedTable& table, bool changed, Definition& definition,
                   sql::MariadbConnection& primary, sql::MariadbConnection& member, Deadline deadline,
                   const std::stop_token& stop) {
  const auto engine = TRY(primary.query(
      fmt::format("SELECT ENGINE AS engine FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} "
                  "AND TABLE_TYPE = 'BASE TABLE'",
                  sql::quote_mysql(table.database), sql::quote_mysql(table.table)),
      deadline, stop));
  if (engine.empty()) return unfit(fmt::format("the primary has no table {}", name));
  if (engine.text("engine") != "InnoDB")
    return unfit(fmt::format("{} is of the engine {}, which knows no transactions", name, engine.text("engine")));
  definition = TRY(definition_of(primary, table, deadline, stop));
  if (TRY(definition_of(member, table, deadline, stop)).text != definition.text)
    return unfit(fmt::format("{} is not defined the same on both", name));
  if (definition.columns.size() != table.columns.size())
    return unfit(fmt::format("{} has other columns than when it was written", name));
  for (size_t i = 0; i < table.columns.size(); ++i)
    if (!fits(definition.columns[i], table.columns[i]))
      return unfit(fmt::format("{}.{} is of another type than when it was written, or of one that is not known", name,
                               definition.columns[i].name));
  if (!changed) return {};
  if (std::ranges::none_of(definition.columns, &TableColumn::key))
    return unfit(fmt::format("{} has no primary key: a row that is changed cannot be identified", name));
  for (const auto& column : definition.columns)
    if (!comparable(column))
      return unfit(fmt::format("{}.{} ({}) cannot be compared with what it was", name, column.name, column.data_type));
  if (const auto key = TRY(carried_on(primary, table, deadline, stop)); !key.empty())
    return unfit(fmt::format("changes of {} are carried on by the foreign key {}", name, key));
  return {};
}

/// Refused by the server for what the primary holds.
bool tells_of_rows(const Error& error) {
  static const std::set<std::string> kCodes = {"1022", "1032", "1062", "1169", "1451", "1452", "1586", "1761", "1762"};
  return kCodes.contains(sql::error_code(error));
}

}  // namespace

std::string condition_of(const std::vector<TableColumn>& columns, const Cells& cells) {
  std::string text;
  for (size_t i = 0; i < cells.size() && i < columns.size(); ++i) {
    const std::string part = equals(columns[i], cells[i]);
    if (!part.empty()) text += (text.empty() ? "" : " AND ") + part;
  }
  return text.empty() ? "TRUE" : text;
}

std::string key_text(const std::vector<TableColumn>& columns, const Cells& cells) {
  std::string text;
  for (size_t i = 0; i < cells.size() && i < columns.size(); ++i) {
    if (!columns[i].key) continue;
    const Cell& cell = cells[i];
    const bool number = cell.kind == Cell::Kind::integer || cell.kind == Cell::Kind::index;
    const bool without_sign = columns[i].type.find("unsigned") != std::string::npos && cell.width >= 8;
    const std::string shown = !number        ? cell.text
                              : without_sign ? std::to_string(static_cast<uint64_t>(cell.number))
                                             : std::to_string(cell.number);
    text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", columns[i].name, shown.substr(0, 64));
  }
  return text.empty() ? "a row" : text;
}

Result<TableColumns> check_adoptable(const Adoptable& adoptable, const sql::Target& primary, const sql::Target& member,
                                     Deadline deadline, std::stop_token stop) {
  auto there = TRY(sql::MariadbConnection::connect(primary, deadline, stop));
  auto here = TRY(sql::MariadbConnection::connect(member, deadline, stop));
  std::set<std::string> changed;
  uint64_t longest = 0;
  for (const auto& transaction : adoptable.transactions) {
    for (const auto& [table, rows] : transaction.rows)
      if (rows[1] > 0 || rows[2] > 0) changed.insert(table);
    for (const auto& statement : transaction.statements) longest = std::max<uint64_t>(longest, statement.events.size());
  }
  const auto most = TRY(there.query("SELECT @@GLOBAL.max_allowed_packet AS x", deadline, stop)).text("x");
  if (longest + 1024 > std::stoull(most.empty() ? "0" : most))
    return unfit("one of its statements is larger than the primary's max_allowed_packet");
  TableColumns columns;
  for (const auto& [name, table] : adoptable.tables) {
    Definition definition;
    TRY_VOID(check_table(name, table, changed.contains(name), definition, there, here, deadline, stop));
    columns[name] = std::move(definition.columns);
  }
  return columns;
}

Result<Adopter> Adopter::connect(const sql::Target& primary, TableColumns columns, const std::string& format,
                                 Deadline deadline, std::stop_token stop) {
  Adopter adopter(TRY(sql::MariadbConnection::connect(primary, deadline, stop)), std::move(columns));
  for (const char* statement :
       {"SET SESSION sql_mode = '', time_zone = '+00:00', autocommit = 1, innodb_lock_wait_timeout = 5, "
        "lock_wait_timeout = 5, foreign_key_checks = 1, unique_checks = 1, rbr_exec_mode = 'STRICT', sql_log_bin = 1",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"})
    TRY_VOID(adopter.execute(statement, deadline, stop));
  // Before any transaction: it would end one.
  TRY_VOID(adopter.execute(fmt::format("BINLOG '{}'", format), deadline, stop));
  TRY_VOID(adopter.execute("SET SESSION gtid_next = 'AUTOMATIC'", deadline, stop));
  return adopter;
}

Status Adopter::execute(const std::string& statement, Deadline deadline, const std::stop_token& stop) {
  auto done = connection_.query(statement, deadline, stop);
  if (!done) return fail(std::move(done).error());
  return {};
}

Status Adopter::apply(const AdoptableTransaction& transaction, Deadline deadline, const std::stop_token& stop) {
  for (const auto& statement : transaction.statements) {
    for (const auto& [table, change] : statement.changes) {
      if (!change.before) continue;
      const auto& columns = columns_.at(table);
      const size_t dot = table.find('.');
      const auto found = TRY(connection_.query(
          fmt::format("SELECT 1 AS x FROM {} WHERE {} LIMIT 2 FOR UPDATE",
                      qualified(table.substr(0, dot), table.substr(dot + 1)), condition_of(columns, *change.before)),
          deadline, stop));
      if (found.rows.size() != 1)
        return conflict(transaction, table,
                        fmt::format("the row {} is no longer on the primary as the transaction found it",
                                    key_text(columns, *change.before)));
    }
    auto applied = connection_.query(fmt::format("BINLOG '{}'", statement.events), deadline, stop);
    if (applied) continue;
    const std::string table = statement.changes.empty() ? "?" : statement.changes[0].table;
    if (tells_of_rows(applied.error())) return conflict(transaction, table, applied.error().message);
    return fail(std::move(applied).error().with_context("applying " + transaction.gtid));
  }
  return {};
}

Status Adopter::rehearse(const std::vector<AdoptableTransaction>& transactions, Deadline deadline,
                         std::stop_token stop) {
  TRY_VOID(execute("START TRANSACTION", deadline, stop));
  for (const auto& transaction : transactions) {
    if (auto applied = apply(transaction, deadline, stop); !applied) {
      (void)connection_.query("ROLLBACK", deadline);
      return applied;
    }
  }
  return execute("ROLLBACK", deadline, {});
}

Result<bool> Adopter::has(const std::string& gtid, Deadline deadline, std::stop_token stop) {
  const auto rows = TRY(connection_.query(
      fmt::format("SELECT GTID_SUBSET({}, @@GLOBAL.gtid_executed) AS x", sql::quote_mysql(gtid)), deadline, stop));
  return rows.text("x") == "1";
}

Result<std::string> Adopter::executed(Deadline deadline, std::stop_token stop) {
  return TRY(connection_.query("SELECT @@GLOBAL.gtid_executed AS x", deadline, stop)).text("x");
}

Status Adopter::adopt(const AdoptableTransaction& transaction, const std::function<Status()>& before_commit,
                      Deadline deadline, std::stop_token stop) {
  if (TRY(has(transaction.gtid, deadline, stop))) return {};
  TRY_VOID(execute(fmt::format("SET SESSION gtid_next = {}", sql::quote_mysql(transaction.gtid)), deadline, stop));
  auto done = [&]() -> Status {
    TRY_VOID(execute("START TRANSACTION", deadline, stop));
    TRY_VOID(apply(transaction, deadline, stop));
    TRY_VOID(before_commit());
    return execute("COMMIT", deadline, {});
  }();
  if (!done) (void)connection_.query("ROLLBACK", deadline);
  (void)connection_.query("SET SESSION gtid_next = 'AUTOMATIC'", deadline);
  return done;
}

Status wait_for_transactions(const sql::Target& member, const std::string& set, int seconds, std::stop_token stop) {
  const Deadline deadline = Deadline::in(std::chrono::seconds(seconds + 10));
  auto server = TRY(sql::MariadbConnection::connect(member, deadline, stop));
  const auto waited = TRY(server.query(
      fmt::format("SELECT WAIT_FOR_EXECUTED_GTID_SET({}, {}) AS x", sql::quote_mysql(set), seconds), deadline, stop));
  if (waited.text("x") == "0") return {};
  return fail(ErrorClass::unavailable, "adopt.behind",
              fmt::format("the replica did not apply within {} s what the primary has", seconds));
}

Result<std::vector<std::string>> rows_not_held(const Adoptable& adoptable, const TableColumns& columns,
                                               const sql::Target& member, std::optional<size_t> of, Deadline deadline,
                                               std::stop_token stop) {
  struct Left {
    std::string key;
    size_t by = 0;
  };
  std::map<std::pair<std::string, std::string>, Left> left;  // by table and condition
  for (size_t i = 0; i < adoptable.transactions.size(); ++i) {
    for (const auto& statement : adoptable.transactions[i].statements) {
      for (const auto& [table, change] : statement.changes) {
        const auto& defined = columns.at(table);
        if (change.before) left.erase({table, condition_of(defined, *change.before)});
        if (change.after) left[{table, condition_of(defined, *change.after)}] = {key_text(defined, *change.after), i};
      }
    }
  }
  auto server = TRY(sql::MariadbConnection::connect(member, deadline, stop));
  TRY(server.query("SET SESSION sql_mode = '', time_zone = '+00:00'", deadline, stop));
  std::vector<std::string> missing;
  for (const auto& [where, row] : left) {
    const auto& [table, condition] = where;
    if (of && row.by != *of) continue;
    const size_t dot = table.find('.');
    const auto found = TRY(server.query(fmt::format("SELECT 1 AS x FROM {} WHERE {} LIMIT 1",
                                                    qualified(table.substr(0, dot), table.substr(dot + 1)), condition),
                                        deadline, stop));
    if (found.empty() && missing.size() < 10) missing.push_back(fmt::format("{}, {}", table, row.key));
  }
  return missing;
}

}  // namespace holdfast::engine
