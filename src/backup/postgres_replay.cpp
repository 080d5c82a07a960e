#include "backup/postgres_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "backup/postgres_selection.h"
#include "backup/replay_watch.h"
#include "engine/postgres/script.h"
#include "sql/postgres.h"

namespace holdfast::backup {
namespace {

using engine::ScriptPiece;
using engine::ScriptUnit;
using std::chrono::seconds;

constexpr size_t kMostFailures = 500;
constexpr int kMostRounds = 4;

Deadline soon() {
  return Deadline::in(seconds(30));
}

/// The server, not the statement, is what fails: no use in going on.
bool is_servers_own(const Error& error) {
  const std::string code = sql::error_code(error);
  return error.id != "sql.error" || code.starts_with("53") || code.starts_with("57") || code.starts_with("58") ||
         code.starts_with("XX");
}

/// Of "\\encoding NAME", a name of letters, digits and underscores; nothing for any other command.
std::optional<std::string> encoding_named(std::string_view command) {
  constexpr std::string_view kEncoding = "\\encoding ";
  if (!command.starts_with(kEncoding)) return std::nullopt;
  command.remove_prefix(kEncoding.size());
  while (!command.empty() && (command.back() == '\n' || command.back() == '\r')) command.remove_suffix(1);
  const bool plain = std::ranges::all_of(command, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
  if (command.empty() || !plain) return std::nullopt;
  return std::string(command);
}

class Replay : public PostgresReplay {
 public:
  Replay(const sql::Target& target, ReplayChoices choices, std::string tablespace_dir, Say say, std::stop_token stop)
      : target_(target),
        choices_(std::move(choices)),
        tablespace_dir_(std::move(tablespace_dir)),
        stop_(std::move(stop)),
        watch_(target, std::move(say)),
        outside_(choices_.databases.has_value()) {}

  Status open() {
    TRY_VOID(connect("", ""));
    auto rows = TRY(connection_->query("SELECT quote_ident(rolname) AS r, rolname = current_user AS own FROM pg_roles",
                                       soon(), stop_));
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      roles_.insert(rows.text("r", i));
      if (rows.text("own", i) == "t") own_role_ = rows.text("r", i);
    }
    return {};
  }

  Status feed(std::string_view bytes) override {
    lexer_.feed(bytes, [this](const ScriptPiece& piece) {
      if (status_) status_ = take(piece);
    });
    if (status_ && lexer_.stray_backslash()) status_ = refused("a backslash command inside a statement");
    return status_;
  }

  Result<bool> another_round() override {
    TRY_VOID(std::exchange(status_, Status{}));
    if (failed_.empty() || ++round_ >= kMostRounds || (round_ > 1 && failed_.size() == tried_.size())) return false;
    tried_.clear();
    for (const auto& [ordinal, failure] : std::exchange(failed_, {})) tried_.insert(ordinal);
    lexer_ = {};
    ordinal_ = 0;
    in_globals_ = true;
    outside_ = choices_.databases.has_value();
    label_.clear();
    TRY_VOID(connect("", ""));
    return true;
  }

  void report(ReplayReport& report) const override {
    for (const auto& [ordinal, failure] : failed_) {
      report.failed.push_back({failure.label, failure.error});
      if (failure.rows_of) report.no_rows[*failure.rows_of] = "its rows could not be loaded: " + failure.error;
    }
    report.skipped.assign(skipped_.begin(), skipped_.end());
    for (const auto& [table, why] : rows_left_out_) report.no_rows[table] = why;
  }

 private:
  struct Failure {
    std::string label, error;
    std::optional<engine::TableName> rows_of;
  };

  static Status refused(std::string_view what) {
    return fail(ErrorClass::refused, "restore.meta_command",
                fmt::format("the dump holds what pg_dump does not write: {}", what),
                "nothing of it was obeyed; look at the dump with holdfast export before you trust it");
  }
  Deadline limit() const {
    return choices_.statement_limit.count() > 0 ? Deadline::in(choices_.statement_limit) : Deadline::never();
  }
  std::string label() const { return database_ + ": " + (label_.empty() ? std::string("statement") : label_); }
  bool is_skipped() const {
    return std::ranges::any_of(choices_.skip, [&](const std::string& name) { return name == label(); });
  }

  Status take(const ScriptPiece& piece) {
    switch (piece.unit) {
      case ScriptUnit::blank:
        return {};
      case ScriptUnit::comment:
        if (comment_.size() < 4096) comment_ += piece.text;
        if (piece.last) {
          if (auto label = object_label(comment_); !label.empty()) label_ = std::move(label);
          comment_.clear();
        }
        return {};
      case ScriptUnit::meta:
        text_ += piece.text;
        return piece.last ? meta(std::exchange(text_, {})) : Status{};
      case ScriptUnit::statement:
        text_ += piece.text;
        return piece.last ? statement(std::exchange(text_, {})) : Status{};
      case ScriptUnit::copy:
        if (!copying_) return {};
        return settled(connection_->send_copy(piece.text, limit(), stop_));
      case ScriptUnit::copy_end: {
        if (!std::exchange(copying_, false)) return {};
        watch_.working(label(), connection_->backend_pid());
        auto done = connection_->end_copy(limit(), stop_);
        watch_.idle();
        return done ? Status{} : settled(fail(std::move(done).error()));
      }
    }
    return {};
  }

  // An error of one object is noted; an error of the server ends the replay.
  Status settled(Status done) {
    if (done) return {};
    Error error = std::move(done).error();
    if (is_servers_own(error)) {
      error.context.push_back(label());
      if (error.id == "sql.timeout" && choices_.statement_limit.count() > 0)
        error.hint = "--statement-limit ended it; without the flag there is no limit";
      return fail(std::move(error));
    }
    // In a transaction that failed before: the first error says why.
    const bool follows = sql::error_code(error) == "25P02" && !failed_.empty();
    failed_[ordinal_] = {label(), follows ? failed_.rbegin()->second.error : error.message, rows_of_};
    if (failed_.size() < kMostFailures) return {};
    return fail(ErrorClass::failed, "restore.objects_failed",
                fmt::format("{} statements failed, the first: {}: {}", failed_.size(), failed_.begin()->second.label,
                            failed_.begin()->second.error),
                "so many have one cause: another version, a missing extension or locale");
  }

  /// `here`: what the database of the dump is called on the server.
  Status connect(const std::string& database, const std::string& here) {
    connection_.reset();
    database_ = database;
    label_.clear();
    sql::Target there = target_;
    there.database = here;
    connection_.emplace(TRY(sql::PostgresConnection::connect(there, soon(), stop_)));
    // Settings that the dump has just given the role or the database hold for us too; these would end the replay.
    TRY(
        connection_->query("SET default_transaction_read_only = off; SET role = none; SET statement_timeout = 0; "
                           "SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0",
                           soon(), stop_));
    // Triggers that are there already are not meant for what is tried again.
    if (round_ == 0) return {};
    auto quiet = connection_->query("SET session_replication_role = replica", soon(), stop_);
    const bool not_allowed = choices_.databases && !quiet && sql::error_code(quiet.error()) == "42501";
    return quiet || not_allowed ? Status() : Status(fail(std::move(quiet).error()));
  }

  Status meta(const std::string& command) {
    if (command.starts_with("\\restrict ") || command.starts_with("\\unrestrict ")) return {};
    // pg_dumpall, before settings whose bytes are in no encoding that it knows.
    if (const auto name = encoding_named(command); name && connection_) {
      auto set = connection_->query("SET client_encoding = " + sql::quote_postgres(*name), soon(), stop_);
      return set ? Status() : Status(fail(std::move(set).error()));
    }
    const auto database = engine::connect_database(command);
    if (!database) return refused(command.substr(0, std::min<size_t>(command.find('\n'), 100)));
    ++ordinal_;
    in_globals_ = false;
    std::string here = *database;
    if (choices_.databases) {
      const auto found = choices_.databases->find(*database);
      outside_ = found == choices_.databases->end();
      if (outside_) return {};
      here = found->second;
    }
    auto connected = connect(*database, here);
    if (connected) return {};
    if (connected.error().id != "sql.unreachable") return connected;
    connection_.reset();  // it could not be created: its parts are left out, and it is named
    failed_[ordinal_] = {database_ + ": DATABASE", connected.error().message, {}};
    return {};
  }

  Status statement(std::string text) {
    ++ordinal_;
    rows_of_.reset();
    if (outside_ || (choices_.databases && database_of_statement(text))) return {};
    const bool copies = text.starts_with("COPY ");
    if (copies) rows_of_ = table_of(text);
    if (!connection_) {
      if (copies) rows_left_out_[*rows_of_] = "its database could not be created";
      return {};
    }
    if (is_skipped()) {
      skipped_.insert(label());
      if (copies) rows_left_out_[*rows_of_] = "left out by --skip";
      return {};
    }
    if (round_ > 0) {
      const bool settings = text.starts_with("SET ") || text.starts_with("SELECT pg_catalog.set_config(") ||
                            text.starts_with("RESET SESSION AUTHORIZATION");
      if (!tried_.contains(ordinal_) && !settings) return {};
      // With the names the database's own sessions find: functions written for them fail without.
      if (!settings) TRY(connection_->query("RESET search_path", soon(), stop_));
    }
    if (in_globals_ && is_unwanted_role_statement(text, roles_)) return {};
    if (in_globals_) {
      if (const auto own = own_role_statement(text, own_role_)) text = TRY(of_own_role(*own));
      if (text.empty()) return {};
      if (const auto space = tablespace_statement(text)) text = TRY(placed(*space));
    }
    if (copies) {
      auto started = connection_->start_copy(text, limit(), stop_);
      copying_ = started.has_value();
      return settled(std::move(started));
    }
    watch_.working(label(), connection_->backend_pid());
    auto done = connection_->query(text, limit(), stop_);
    watch_.idle();
    return done ? Status{} : settled(fail(std::move(done).error()));
  }

  // A password that was valid until a time that has passed is refused.
  Result<std::string> of_own_role(const OwnRoleStatement& own) {
    if (own.text.empty() || own.valid_until.empty()) return own.text;
    auto later = TRY(connection_->query(
        fmt::format("SELECT {}::pg_catalog.timestamptz > pg_catalog.now() AS l", own.valid_until), soon(), stop_));
    return own.text + (later.text("l") == "t" ? " VALID UNTIL " + own.valid_until : "");
  }

  engine::TableName table_of(std::string_view text) const {
    size_t after = 0;
    text.remove_prefix(5);
    engine::TableName name{database_, "", engine::script_name(text, &after)};
    if (after < text.size() && text[after] == '.') {
      name.schema = std::exchange(name.table, {});
      name.table = engine::script_name(text.substr(after + 1), &after);
    }
    return name;
  }

  // The folder is made by the server itself, as its own user.
  Result<std::string> placed(const TablespaceStatement& space) {
    if (!space.place.starts_with('/')) {  // inside the data directory
      TRY(connection_->query("SET allow_in_place_tablespaces = on", soon(), stop_));
      return space.before + "''" + space.after;
    }
    std::string place;
    if (const auto found = choices_.tablespaces.find(space.place); found != choices_.tablespaces.end()) {
      place = found->second;
      TRY_VOID(made_folder("mkdir -p -m 700", place).context("tablespace " + space.name));
    } else {
      std::string folder;
      for (const char c : space.name) folder += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
      Status made;
      for (int i = 0; i < 100; ++i) {
        place = fmt::format("{}/{}{}", tablespace_dir_, folder, i == 0 ? "" : fmt::format(".{}", i));
        made = made_folder("mkdir -m 700", place);
        if (made) break;
      }
      TRY_VOID(std::move(made));
    }
    return space.before + sql::quote_postgres(place) + space.after;
  }

  Status made_folder(const std::string& how, const std::string& folder) {
    std::string quoted = "'";
    for (const char c : folder) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    auto done = connection_->query(
        "COPY (SELECT 1 WHERE false) TO PROGRAM " + sql::quote_postgres(how + " -- " + quoted + "'"), soon(), stop_);
    if (done) return {};
    Error error = std::move(done).error();
    error.message = fmt::format("the server cannot make {}: {}", folder, error.message);
    error.hint = "--tablespace-map OLD=NEW names a place its user can write to";
    return fail(std::move(error));
  }

  const sql::Target target_;
  const ReplayChoices choices_;
  const std::string tablespace_dir_;
  const std::stop_token stop_;
  ReplayWatch watch_;
  engine::ScriptLexer lexer_;
  std::optional<sql::PostgresConnection> connection_;
  std::set<std::string> roles_;
  std::string own_role_;
  Status status_;
  std::string database_, label_, text_, comment_;
  bool in_globals_ = true, copying_ = false;
  bool outside_ = false;  ///< in a part of the dump that choices_.databases leaves out
  uint64_t ordinal_ = 0;  ///< of the statement, the same in each round
  int round_ = 0;
  std::map<uint64_t, Failure> failed_;
  std::set<uint64_t> tried_;
  std::optional<engine::TableName> rows_of_;
  std::set<std::string> skipped_;
  std::map<engine::TableName, std::string> rows_left_out_;
};

}  // namespace

bool is_unwanted_role_statement(std::string_view statement, const std::set<std::string>& existing) {
  if (!statement.starts_with("CREATE ROLE ") || !statement.ends_with(';')) return false;
  statement.remove_prefix(12);
  statement.remove_suffix(1);
  return existing.contains(std::string(statement));
}

std::optional<OwnRoleStatement> own_role_statement(std::string_view statement, const std::string& own) {
  const std::string start = "ALTER ROLE " + own + " WITH";
  if (!statement.starts_with(start + " ") || !statement.ends_with(';')) return std::nullopt;
  statement.remove_prefix(start.size());
  statement.remove_suffix(1);
  OwnRoleStatement found;
  constexpr std::string_view kUntil = " VALID UNTIL ";
  if (const size_t at = statement.rfind(kUntil); at != statement.npos) {
    found.valid_until = statement.substr(at + kUntil.size());
    statement = statement.substr(0, at);
  }
  statement = statement.substr(0, statement.find(" PASSWORD "));
  while (!statement.empty()) {
    const size_t end = std::min(statement.find(' ', 1), statement.size());
    const auto word = statement.substr(0, end);
    if (!word.ends_with("SUPERUSER") && !word.ends_with("LOGIN")) found.text += word;
    statement.remove_prefix(end);
  }
  if (!found.text.empty()) found.text = start + found.text;
  return found;
}

std::string object_label(std::string_view comment) {
  if (comment.starts_with("-- Data for Name: ")) {
    comment.remove_prefix(18);
  } else if (comment.starts_with("-- Name: ")) {
    comment.remove_prefix(9);
  } else {
    return "";
  }
  const size_t owner = comment.rfind("; Owner: ");
  const size_t schema = comment.rfind("; Schema: ", owner);
  const size_t type = comment.rfind("; Type: ", schema);
  if (owner == comment.npos || schema == comment.npos || type == comment.npos) return "";
  const auto in = comment.substr(schema + 10, owner - schema - 10);
  return fmt::format("{} {}{}", comment.substr(type + 8, schema - type - 8), in == "-" ? "" : fmt::format("{}.", in),
                     comment.substr(0, type));
}

std::optional<TablespaceStatement> tablespace_statement(std::string_view statement) {
  constexpr std::string_view kStart = "CREATE TABLESPACE ", kOwner = " OWNER ", kLocation = " LOCATION ";
  if (!statement.starts_with(kStart)) return std::nullopt;
  TablespaceStatement found;
  size_t after = 0, at = kStart.size();
  found.name = engine::script_name(statement.substr(at), &after);
  at += after;
  if (!statement.substr(at).starts_with(kOwner)) return std::nullopt;
  at += kOwner.size();
  (void)engine::script_name(statement.substr(at), &after);
  at += after;
  if (!statement.substr(at).starts_with(kLocation)) return std::nullopt;
  at += kLocation.size();
  found.before = statement.substr(0, at);
  if (at >= statement.size() || (statement[at] != '\'' && statement[at] != 'E')) return std::nullopt;
  const bool escapes = statement[at] == 'E';
  for (at += escapes ? 2 : 1; at < statement.size(); ++at) {
    if (statement[at] == '\'' && (at + 1 == statement.size() || statement[at + 1] != '\'')) {
      found.after = statement.substr(at + 1);
      return found;
    }
    if (statement[at] == '\'' || (escapes && statement[at] == '\\')) ++at;
    if (at < statement.size()) found.place += statement[at];
  }
  return std::nullopt;
}

Result<std::unique_ptr<PostgresReplay>> PostgresReplay::begin(const sql::Target& target, ReplayChoices choices,
                                                              std::string tablespace_dir, Say say,
                                                              std::stop_token stop) {
  auto replay =
      std::make_unique<Replay>(target, std::move(choices), std::move(tablespace_dir), std::move(say), std::move(stop));
  TRY_VOID(replay->open());
  return replay;
}

}  // namespace holdfast::backup
