#include "backup/mysql_journal.h"

#include <fmt/format.h>

#include "backup/sql_place.h"
#include "codec/hex.h"

namespace holdfast::backup {
namespace {

using sql::quote_mysql;

constexpr std::string_view kTable = "`holdfast_restore`.`unfinished`";

Deadline soon() {
  return Deadline::in(std::chrono::seconds(60));
}

const char* stage_name(RestoreStage stage) {
  return stage == RestoreStage::proved ? "proved" : stage == RestoreStage::moved ? "moved" : "recorded";
}

/// Definitions are bytes of several character sets.
std::string bytes(const std::string& text) {
  return text.empty() ? "''" : "X'" + codec::to_hex(as_bytes(text)) + "'";
}

std::string text_of(const std::string& hex) {
  std::vector<uint8_t> raw(hex.size() / 2);
  if (!codec::from_hex(hex, raw)) return "";
  return std::string(as_text(raw));
}

}  // namespace

Status MysqlJournal::run(const std::string& statement) {
  auto done = connection_.query(statement, soon());
  return done ? Status() : Status(fail(std::move(done).error()));
}

Status MysqlJournal::create() {
  auto made = connection_.query(fmt::format("CREATE DATABASE `{}` CHARACTER SET utf8mb4", kRemainsPrefix), soon());
  if (!made && sql::error_code(made.error()) == "1007")
    return fail(ErrorClass::conflict, "restore.in_progress",
                "another restore over SQL works on this server: the database holdfast_restore is there",
                "wait for its end");
  if (!made) return fail(std::move(made).error());
  return run(
      fmt::format("CREATE TABLE {} (name VARBINARY(256) PRIMARY KEY, kept VARBINARY(64) NOT NULL, stage "
                  "VARBINARY(16) NOT NULL, made LONGBLOB NOT NULL, programs LONGBLOB NOT NULL, views LONGBLOB "
                  "NOT NULL) ENGINE=InnoDB",
                  kTable));
}

Result<std::vector<RestoreRecord>> MysqlJournal::read() {
  std::vector<RestoreRecord> records;
  auto rows = connection_.query(fmt::format("SELECT HEX(name) AS n, kept AS k, stage AS s, HEX(made) AS m, "
                                            "HEX(programs) AS p, HEX(views) AS v FROM {} ORDER BY name",
                                            kTable),
                                soon());
  // Cut off between the two statements of create(): nothing was done.
  if (!rows && (sql::error_code(rows.error()) == "1146" || sql::error_code(rows.error()) == "1049")) return records;
  if (!rows) return fail(std::move(rows).error());
  for (size_t i = 0; i < rows->rows.size(); ++i) {
    const std::string stage = rows->text("s", i);
    records.push_back({text_of(rows->text("n", i)),
                       rows->text("k", i),
                       text_of(rows->text("m", i)),
                       {text_of(rows->text("p", i)), text_of(rows->text("v", i)), {}},
                       stage == "proved"  ? RestoreStage::proved
                       : stage == "moved" ? RestoreStage::moved
                                          : RestoreStage::recorded});
  }
  return records;
}

Status MysqlJournal::add(const RestoreRecord& record) {
  return run(fmt::format("INSERT INTO {} (name, kept, stage, made, programs, views) VALUES ({}, {}, {}, {}, {}, {})",
                         kTable, bytes(record.database), quote_mysql(record.kept),
                         quote_mysql(stage_name(record.stage)), bytes(record.create), bytes(record.programs.text),
                         bytes(record.programs.views)));
}

Status MysqlJournal::set_stage(const std::string& database, RestoreStage stage) {
  return run(
      fmt::format("UPDATE {} SET stage = {} WHERE name = {}", kTable, quote_mysql(stage_name(stage)), bytes(database)));
}

Status MysqlJournal::all_proved() {
  return run(fmt::format("UPDATE {} SET stage = {}", kTable, quote_mysql(stage_name(RestoreStage::proved))));
}

Status MysqlJournal::remove(const std::string& database) {
  return run(fmt::format("DELETE FROM {} WHERE name = {}", kTable, bytes(database)));
}

Status MysqlJournal::drop() {
  return run(fmt::format("DROP DATABASE IF EXISTS `{}`", kRemainsPrefix));
}

}  // namespace holdfast::backup
