#include "backup/mysql_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "backup/mysql_selection.h"
#include "backup/mysql_statements.h"
#include "engine/mysql_family/statement_head.h"
#include "sql/mariadb.h"

namespace holdfast::backup {
namespace {

using engine::StatementHead;
using engine::StatementObject;
using std::chrono::seconds;

constexpr size_t kMostFailures = 500;
constexpr size_t kHead = 4096;  // names stand there

std::string label_of(const StatementObject& object, std::string_view head, const std::string& database) {
  if (object.type.empty()) {
    std::string words;
    for (const char c : head.substr(0, 60)) words += c == '\n' || c == '\r' ? ' ' : c;
    return "statement " + words;
  }
  if (object.type == "DATABASE" || object.type == "ACCOUNT" || object.type == "SERVER" || object.type == "TABLESPACE")
    return object.type + " " + object.name;
  return fmt::format("{}: {} {}", object.database.empty() ? database : object.database, object.type, object.name);
}

/// The server, not the statement, is what fails: no use in going on. Disk full, out of memory, shutdown.
bool is_servers_own(const Error& error) {
  constexpr std::array<std::string_view, 7> kCodes = {"3", "1021", "1026", "1037", "1038", "1041", "1053"};
  if (error.id != "sql.error" && error.id != "sql.denied") return true;
  return std::ranges::find(kCodes, sql::error_code(error)) != kCodes.end();
}

/// A setting of the session that takes a right beyond those on databases: what it was for fails by itself, or works.
bool is_refused_setting(const Error& error) {
  const std::string code = sql::error_code(error);
  return code == "1227" || code == "1142";
}

class Replay : public MysqlReplay {
 public:
  Replay(sql::MariadbConnection connection, ReplayChoices choices, std::stop_token stop)
      : connection_(std::move(connection)),
        choices_(std::move(choices)),
        stop_(std::move(stop)),
        statements_([this](std::string_view text) { return statement(text); }) {
    if (!choices_.databases) return;
    std::set<std::string> names;
    for (const auto& [name, here] : *choices_.databases) names.insert(name);
    selection_.emplace(std::move(names));
  }

  Status feed(std::string_view bytes) override { return statements_.feed(bytes); }

  void report(ReplayReport& report) const override {
    for (const auto& label : order_) report.failed.push_back({label, failed_.at(label)});
    report.skipped.assign(skipped_.begin(), skipped_.end());
    for (const auto& [table, why] : no_rows_) report.no_rows[table] = why;
  }

 private:
  Deadline limit() const {
    return choices_.statement_limit.count() > 0 ? Deadline::in(choices_.statement_limit) : Deadline::never();
  }
  bool is_skipped(const std::string& label) const {
    return std::ranges::find(choices_.skip, label) != choices_.skip.end();
  }

  Status statement(std::string_view text) {
    const size_t begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return {};
    if (selection_ && !selection_->takes(text)) return {};
    const std::string_view head = text.substr(0, kHead);
    const StatementHead kind = engine::statement_head(head);
    if (kind.kind == StatementHead::Kind::use) return use(kind.name, text);
    const StatementObject object = engine::statement_object(head);
    const std::string label = label_of(object, head, database_);
    if (const auto why = left_out(object, label)) return leave_out(object, label, *why);
    auto done = connection_.query(text, limit(), stop_);
    if (done) return {};
    if (kind.kind == StatementHead::Kind::set && selection_ && is_refused_setting(done.error())) {
      skipped_.insert(label);
      return {};
    }
    return failed(object, label, std::move(done).error());
  }

  Status use(const std::string& name, std::string_view text) {
    database_ = name;
    if (is_skipped("DATABASE " + name)) skipped_.insert("DATABASE " + name);
    database_gone_ = is_skipped("DATABASE " + name) || failed_.contains("DATABASE " + name);
    if (database_gone_) return {};
    auto done = connection_.query(text, limit(), stop_);
    if (done) return {};
    database_gone_ = true;
    StatementObject object{.type = "DATABASE", .database = {}, .name = name, .table = {}, .creates = true};
    return failed(object, "DATABASE " + name, std::move(done).error());
  }

  // Why a statement is not run; "" by choice.
  std::optional<std::string> left_out(const StatementObject& object, const std::string& label) const {
    if (is_skipped(label)) return "";
    if (object.type.empty()) return std::nullopt;
    const bool of_server =
        object.type == "DATABASE" || object.type == "ACCOUNT" || object.type == "SERVER" || object.type == "TABLESPACE";
    const std::string& database = object.database.empty() ? database_ : object.database;
    if (!of_server) {
      if (is_skipped("DATABASE " + database)) return "";
      if (object.database.empty() ? database_gone_ : failed_.contains("DATABASE " + database))
        return "its database could not be created";
    }
    const bool of_table = object.type == "TABLE" || object.type == "TABLE DATA" || object.type == "TRIGGER";
    if (!of_table) return std::nullopt;
    const std::string table =
        fmt::format("{}: TABLE {}", database, object.type == "TRIGGER" ? object.table : object.name);
    if (is_skipped(table)) return "";
    if (object.type != "TABLE" && not_created_.contains(table)) return "its table could not be created";
    return std::nullopt;
  }

  Status leave_out(const StatementObject& object, const std::string& label, const std::string& why) {
    if (why.empty()) skipped_.insert(label);
    if (object.type == "TABLE" || object.type == "TABLE DATA")
      no_rows_[table_of(object)] = why.empty() ? "left out by --skip" : why;
    return {};
  }

  engine::TableName table_of(const StatementObject& object) const {
    return {object.database.empty() ? database_ : object.database, "", object.name};
  }

  // An error of one object is noted; an error of the server ends the replay.
  Status failed(const StatementObject& object, const std::string& label, Error error) {
    if (is_servers_own(error)) {
      if (error.id == "sql.timeout" && choices_.statement_limit.count() > 0) {
        error.hint = "--statement-limit ended it; without the flag there is no limit";
      } else if (error.id.starts_with("sql.")) {
        error.id = "backup.replay_failed";
        error.hint = "look at the server's log, then run the restore again";
      }
      error.context.push_back(label);
      return fail(std::move(error));
    }
    if (object.type == "TABLE" && object.creates) {
      not_created_.insert(label);
      no_rows_[table_of(object)] = "its table could not be created: " + error.message;
    }
    if (object.type == "TABLE DATA") no_rows_[table_of(object)] = "its rows could not be loaded: " + error.message;
    if (!failed_.emplace(label, error.message).second) return {};
    order_.push_back(label);
    if (failed_.size() < kMostFailures) return {};
    return fail(ErrorClass::failed, "restore.objects_failed",
                fmt::format("{} objects failed, the first: {}: {}", failed_.size(), order_[0], failed_.at(order_[0])),
                "so many have one cause: another version, a missing plug-in or setting");
  }

  sql::MariadbConnection connection_;
  const ReplayChoices choices_;
  const std::stop_token stop_;
  MysqlStatements statements_;
  std::optional<MysqlSelection> selection_;
  std::string database_;
  bool database_gone_ = false;  ///< the one in use is left out
  std::map<std::string, std::string> failed_;
  std::vector<std::string> order_;  ///< of failed_
  std::set<std::string> skipped_, not_created_;
  std::map<engine::TableName, std::string> no_rows_;
};

}  // namespace

std::string mysql_label(std::string_view statement, const std::string& database) {
  const auto head = statement.substr(0, kHead);
  return label_of(engine::statement_object(head), head, database);
}

Result<std::unique_ptr<MysqlReplay>> MysqlReplay::begin(const sql::Target& target, ReplayChoices choices,
                                                        std::stop_token stop) {
  const auto soon = Deadline::in(seconds(30));
  auto connection = TRY(sql::MariadbConnection::connect(target, soon, stop));
  // The repository may be slow, and what the dump's server limits must not end its replay.
  TRY(connection.query("SET SESSION wait_timeout = 31536000, net_read_timeout = 31536000", soon, stop));
  TRY(connection.query(
      connection.is_mariadb() ? "SET SESSION max_statement_time = 0" : "SET SESSION max_execution_time = 0", soon,
      stop));
  return std::make_unique<Replay>(std::move(connection), std::move(choices), std::move(stop));
}

}  // namespace holdfast::backup
