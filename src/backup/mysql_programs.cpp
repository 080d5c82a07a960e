#include "backup/mysql_programs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "backup/mysql_replay.h"
#include "engine/mysql_family/events.h"

namespace holdfast::backup {
namespace {

using sql::quote_mysql;
using sql::quote_mysql_name;

constexpr int kMostRounds = 20;  // of views on views

std::string in_database(const std::string& column, const std::string& database) {
  // By its bytes, too: to some catalogues names that differ in case are one.
  return fmt::format("{0} = {1} AND CAST({0} AS BINARY) = {1}", column, quote_mysql(database));
}

/// One program with the session it was written in.
std::string statement_of(const sql::Rows& shown, const std::string& definition, const std::string& database,
                         const std::string& collation_now) {
  const std::string charset = shown.text("character_set_client"), collation = shown.text("collation_connection"),
                    of_database = shown.text("Database Collation");
  const std::string delimiter = engine::free_delimiter(definition);
  const bool other = !of_database.empty() && of_database != collation_now;
  const auto collate = [&](const std::string& to) {
    return fmt::format("ALTER DATABASE {} COLLATE {};\n", quote_mysql_name(database), to);
  };
  return fmt::format(
      "{}SET character_set_client={}, character_set_results={}, collation_connection={}, sql_mode={};\n"
      "DELIMITER {}\n{} {}\nDELIMITER ;\nSET NAMES utf8mb4;\n{}",
      other ? collate(of_database) : "", charset, charset, collation, quote_mysql(shown.text("sql_mode")), delimiter,
      definition, delimiter, other ? collate(collation_now) : "");
}

/// What SHOW says is in the bytes of the client that wrote it.
Result<sql::Rows> show(sql::MariadbConnection& connection, const std::string& statement, std::stop_token stop) {
  const auto deadline = Deadline::in(std::chrono::seconds(60));
  TRY(connection.query("SET character_set_results = NULL", deadline, stop));
  auto shown = connection.query(statement, deadline, stop);
  TRY(connection.query("SET character_set_results = utf8mb4", deadline, stop));
  return shown;
}

std::unexpected<Error> not_shown(const std::string& what) {
  return fail(
      ErrorClass::refused, "restore.missing_rights",
      fmt::format("the account may not see the definition of {}, which is replaced and would have to be kept", what),
      "GRANT SHOW VIEW, TRIGGER, EVENT and SELECT on it; MySQL: SHOW_ROUTINE ON *.*");
}

class Reading {
 public:
  Reading(sql::MariadbConnection& connection, const std::string& database, std::stop_token stop)
      : connection_(connection), database_(database), stop_(std::move(stop)) {}

  Result<MysqlPrograms> read() {
    collation_ = TRY(ask("SELECT DEFAULT_COLLATION_NAME AS c FROM information_schema.SCHEMATA WHERE " +
                         in_database("SCHEMA_NAME", database_)))
                     .text("c");
    TRY_VOID(programs("SELECT ROUTINE_NAME AS n, ROUTINE_TYPE AS t FROM information_schema.ROUTINES WHERE " +
                      in_database("ROUTINE_SCHEMA", database_) + " ORDER BY ROUTINE_TYPE = 'PACKAGE BODY'"));
    TRY_VOID(programs("SELECT TRIGGER_NAME AS n, 'TRIGGER' AS t FROM information_schema.TRIGGERS WHERE " +
                      in_database("TRIGGER_SCHEMA", database_) +
                      " ORDER BY EVENT_OBJECT_TABLE, EVENT_MANIPULATION, ACTION_TIMING, ACTION_ORDER"));
    TRY_VOID(views());
    if (!found_.text.empty()) found_.text.insert(0, "USE " + quote_mysql_name(database_) + ";\n");
    TRY_VOID(events());
    return std::move(found_);
  }

 private:
  Result<sql::Rows> ask(const std::string& statement) {
    return connection_.query(statement, Deadline::in(std::chrono::seconds(60)), stop_);
  }

  Status programs(const std::string& list) {
    const auto rows = TRY(ask(list));
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      const std::string type = rows.text("t", i), name = rows.text("n", i);
      const auto shown = TRY(
          show(connection_,
               fmt::format("SHOW CREATE {} {}.{}", type, quote_mysql_name(database_), quote_mysql_name(name)), stop_));
      const auto definition = shown.value(type == "TRIGGER" ? "SQL Original Statement" : "Create " + type);
      if (!definition) return not_shown(fmt::format("{} {}.{}", type, database_, name));
      found_.text += statement_of(shown, *definition, database_, collation_);
    }
    return {};
  }

  Status views() {
    const auto rows = TRY(
        ask("SELECT TABLE_NAME AS n FROM information_schema.VIEWS WHERE " + in_database("TABLE_SCHEMA", database_)));
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      const std::string name = rows.text("n", i), quoted = quote_mysql_name(database_) + "." + quote_mysql_name(name);
      const auto readable = ask("SELECT 1 FROM " + quoted + " LIMIT 0");
      if (!readable && sql::error_code(readable.error()) == "1356") {
        found_.invalid.push_back(database_ + "." + name);
        continue;
      }
      const auto shown = TRY(show(connection_, "SHOW CREATE VIEW " + quoted, stop_));
      std::string definition = shown.text("Create View");
      if (!definition.starts_with("CREATE ")) return not_shown(fmt::format("VIEW {}.{}", database_, name));
      definition.insert(7, "OR REPLACE ");
      found_.views += statement_of(shown, definition, database_, collation_);
    }
    return {};
  }

  Status events() {
    std::optional<sql::MariadbConnection> no_primary;
    std::vector<sql::MariadbConnection> no_nodes;
    std::vector<engine::DumpNote> notes;
    const engine::Sources sources{connection_, no_primary, no_nodes, false, true, stop_};
    auto events = TRY(engine::read_events(sources, notes));
    std::erase_if(events, [&](const auto& event) { return event.schema != database_; });
    for (const auto& note : notes)
      if (note.id == "event.unreadable" && note.object.starts_with(database_ + ".")) return not_shown(note.object);
    found_.text += engine::event_statements(events);
    return {};
  }

  sql::MariadbConnection& connection_;
  const std::string database_;
  const std::stop_token stop_;
  std::string collation_;
  MysqlPrograms found_;
};

/// Made already: of routines, triggers, events.
bool is_there(const FailedObject& object) {
  constexpr std::array<std::string_view, 3> kExists = {"[1304]", "[1359]", "[1537]"};
  return std::ranges::any_of(kExists, [&](auto code) { return object.error.starts_with(code); });
}

Result<std::vector<FailedObject>> run(const sql::Target& target, const std::string& text, const std::stop_token& stop) {
  auto replay = TRY(MysqlReplay::begin(target, {}, stop));
  TRY_VOID(replay->feed(text));
  ReplayReport report;
  replay->report(report);
  std::erase_if(report.failed, is_there);
  return report.failed;
}

}  // namespace

Result<MysqlPrograms> read_programs(sql::MariadbConnection& connection, const std::string& database,
                                    std::stop_token stop) {
  return Reading(connection, database, std::move(stop)).read();
}

Status make_programs(const sql::Target& target, const MysqlPrograms& programs, std::stop_token stop) {
  auto failed = programs.text.empty() ? std::vector<FailedObject>() : TRY(run(target, programs.text, stop));
  std::vector<FailedObject> views;
  for (int round = 0; round < kMostRounds && !programs.views.empty(); ++round) {
    views = TRY(run(target, programs.views, stop));
    if (views.empty()) break;
  }
  failed.insert(failed.end(), views.begin(), views.end());
  if (failed.empty()) return {};
  return fail(ErrorClass::failed, "restore.objects_failed",
              fmt::format("{} of what was there could not be made again, the first: {}: {}", failed.size(),
                          failed[0].label, failed[0].error));
}

}  // namespace holdfast::backup
