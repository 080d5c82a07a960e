// MariaDB and MySQL: views, routines and triggers name their database, so a dump is loaded under its own names. What it
// replaces is moved aside before: tables by RENAME TABLE, the rest as text (mysql_programs), each step in a journal on
// the server (mysql_journal).
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "backup/mysql_journal.h"
#include "backup/mysql_rights.h"
#include "backup/mysql_selection.h"
#include "backup/sql_place.h"
#include "engine/role_accounts.h"
#include "sql/mariadb.h"

namespace holdfast::backup {
namespace {

using sql::quote_mysql;
using sql::quote_mysql_name;
using std::chrono::seconds;

Deadline soon() {
  return Deadline::in(seconds(60));
}
/// Of tables with many files.
Deadline later() {
  return Deadline::in(std::chrono::minutes(10));
}

/// CREATE DATABASE that fails when it is there.
std::string strictly(std::string create, const std::string& name) {
  if (create.empty()) return "CREATE DATABASE " + quote_mysql_name(name);
  for (const std::string_view word : {"/*!32312 IF NOT EXISTS*/ ", "IF NOT EXISTS "}) {
    const size_t at = create.find(word);
    if (at < create.find('`')) create.erase(at, word.size());
  }
  return create;
}

std::string in_database(const std::string& column, const std::string& database) {
  return fmt::format("{0} = {1} AND CAST({0} AS BINARY) = {1}", column, quote_mysql(database));
}

class MysqlPlace : public SqlPlace {
 public:
  MysqlPlace(sql::Target target, sql::MariadbConnection connection, std::stop_token stop)
      : target_(std::move(target)), connection_(std::move(connection)), stop_(std::move(stop)) {}

  Result<PlaceView> look() override {
    // Galera has no such locks; there the journal keeps the second one away.
    const auto lock = ask("SELECT GET_LOCK('holdfast_restore', 0) AS l");
    if (lock && lock->text("l") == "0")
      return fail(ErrorClass::conflict, "restore.in_progress", "another restore over SQL works on this server",
                  "wait for its end");
    PlaceView view;
    view.version = connection_.server_version();
    view.read_only = TRY(ask("SELECT @@GLOBAL.read_only AS r")).text("r") != "0";
    for (const auto& name : TRY(databases())) {
      if (!name.starts_with(kRemainsPrefix))
        view.databases.insert(name);
      else if (name != kRemainsPrefix)
        view.remains.push_back(fmt::format("the database {} has tables that a restore had moved aside", name));
      else
        for (const auto& record : TRY(journal_.read()))
          view.remains.push_back(record.stage == RestoreStage::proved
                                     ? fmt::format("{} is restored, its old content is not removed", record.database)
                                     : fmt::format("the restore of {} did not end", record.database));
    }
    if (view.remains.empty() && std::ranges::count(TRY(databases()), kRemainsPrefix) > 0)
      view.remains.emplace_back("the database holdfast_restore is there, and empty");
    return view;
  }

  Status undo_remains(const Say& say) override {
    const auto all = TRY(databases());
    if (std::ranges::count(all, kRemainsPrefix) > 0) {
      for (const auto& record : TRY(journal_.read())) {
        TRY_VOID(record.stage == RestoreStage::proved ? drop_kept(record) : give_back(record));
        if (say)
          say(record.stage == RestoreStage::proved ? fmt::format("removed the old content of {}", record.database)
                                                   : fmt::format("{} is as it was", record.database));
      }
      TRY_VOID(journal_.drop());
    }
    for (const auto& name : TRY(databases()))
      if (name.starts_with(kRemainsPrefix))
        return fail(ErrorClass::needs_operator, "restore.not_undone",
                    fmt::format("the database {} has tables, and nothing says whose they are", name),
                    "move them where they belong with RENAME TABLE, and drop it");
    return {};
  }

  Status check(const PlaceRequest& request) override {
    std::set<std::string> definers;
    for (const auto* database : request.databases) definers.insert(database->owners.begin(), database->owners.end());
    TRY_VOID(check_definers(definers));
    TRY_VOID(check_rights(request, definers));
    TRY_VOID(check_sessions(request.replaced));
    for (const auto& name : request.replaced) TRY(read_programs(connection_, name, stop_));  // all of it is shown
    return check_references(request);
  }

  Status prepare(const PlaceRequest& request) override {
    const auto all = TRY(databases());
    auto created = journal_.create();
    began_ = created || created.error().id != "restore.in_progress";
    TRY_VOID(std::move(created));
    int number = 0;
    for (const auto* database : request.databases) {
      names_[database->name] = database->name;
      RestoreRecord record{.database = database->name, .kept = {}, .create = {}, .programs = {}};
      if (request.replaced.contains(database->name)) {
        record.kept = fmt::format("{}_{}", kRemainsPrefix, ++number);
        record.create =
            TRY(ask("SHOW CREATE DATABASE IF NOT EXISTS " + quote_mysql_name(database->name))).text("Create Database");
        record.programs = TRY(read_programs(connection_, database->name, stop_));
        for (const auto& view : record.programs.invalid)
          if (request.say) request.say(fmt::format("view {} is invalid: it could not be made again", view));
      }
      TRY_VOID(journal_.add(record));
      if (!record.kept.empty()) TRY_VOID(keep(record));
      auto made = connection_.query(strictly(database->create, database->name), soon());
      if (!made && sql::error_code(made.error()) == "1007") {
        if (record.kept.empty()) TRY_VOID(journal_.remove(database->name));
        return fail(ErrorClass::conflict, "restore.database_appeared",
                    fmt::format("the database {} was created after it was seen to be absent", database->name),
                    "if it may be replaced, run the restore again and accept it by name");
      }
      if (!made) return fail(std::move(made).error());
      TRY_VOID(journal_.set_stage(database->name, RestoreStage::moved));
    }
    return {};
  }

  const std::map<std::string, std::string>& names() const override { return names_; }

  Result<std::vector<FailedObject>> publish() override {
    TRY_VOID(stay_connected());
    TRY_VOID(journal_.all_proved());
    return std::vector<FailedObject>();
  }

  std::vector<std::string> drop_old() override {
    std::vector<std::string> kept;
    auto records = journal_.read();
    if (!records) return {records.error().to_string()};
    for (const auto& record : *records)
      if (auto dropped = drop_kept(record); !dropped)
        kept.push_back(fmt::format("the old content of {} is still there as the database {}: {}", record.database,
                                   record.kept, dropped.error().message));
    if (kept.empty())
      if (auto dropped = journal_.drop(); !dropped) kept.push_back(dropped.error().message);
    return kept;
  }

  Status undo() override {
    if (!began_) return {};
    TRY_VOID(stay_connected());
    for (const auto& record : TRY(journal_.read())) {
      if (record.stage == RestoreStage::proved)
        return fail(ErrorClass::needs_operator, "restore.not_undone",
                    fmt::format("the restored content of {} is in place", record.database),
                    "--accept=undo-restore of the next restore removes what is kept of the old one");
      TRY_VOID(give_back(record).context(record.database));
    }
    return journal_.drop();
  }

 private:
  Result<sql::Rows> ask(const std::string& statement) { return connection_.query(statement, soon(), stop_); }
  Status run(const std::string& statement) {
    auto done = connection_.query(statement, later());
    return done ? Status() : Status(fail(std::move(done).error()));
  }

  /// The load may have taken hours.
  Status stay_connected() {
    if (connection_.query("DO 0", soon())) return {};
    connection_ = TRY(connect(target_, {}));
    return {};
  }

 public:
  static Result<sql::MariadbConnection> connect(const sql::Target& target, const std::stop_token& stop) {
    auto connection = TRY(sql::MariadbConnection::connect(target, Deadline::in(seconds(30)), stop));
    TRY(connection.query("SET SESSION wait_timeout = 31536000, lock_wait_timeout = 60, foreign_key_checks = 0", soon(),
                         stop));
    return connection;
  }

 private:
  Result<std::vector<std::string>> column(const std::string& statement) {
    const auto rows = TRY(connection_.query(statement, soon()));
    std::vector<std::string> values;
    for (const auto& row : rows.rows) values.push_back(row[0].value_or(""));
    return values;
  }
  Result<std::vector<std::string>> databases() { return column("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA"); }
  Result<std::vector<std::string>> tables(const std::string& database) {
    return column("SELECT TABLE_NAME FROM information_schema.TABLES WHERE " + in_database("TABLE_SCHEMA", database) +
                  " AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE')");
  }

  /// All tables of one database into another one, by one statement.
  Status move_tables(const std::string& from, const std::string& to) {
    std::string list;
    for (const auto& table : TRY(tables(from)))
      list += fmt::format("{}{}.{} TO {}.{}", list.empty() ? "" : ", ", quote_mysql_name(from), quote_mysql_name(table),
                          quote_mysql_name(to), quote_mysql_name(table));
    return list.empty() ? Status() : run("RENAME TABLE " + list);
  }

  Status keep(const RestoreRecord& record) {
    TRY_VOID(run("CREATE DATABASE " + quote_mysql_name(record.kept)));
    // A table with triggers stays in its database.
    for (const auto& trigger : TRY(column("SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE " +
                                          in_database("TRIGGER_SCHEMA", record.database))))
      TRY_VOID(run(fmt::format("DROP TRIGGER {}.{}", quote_mysql_name(record.database), quote_mysql_name(trigger))));
    TRY_VOID(move_tables(record.database, record.kept));
    return drop_without_tables(record.database);
  }

  Status give_back(const RestoreRecord& record) {
    const std::string name = quote_mysql_name(record.database);
    if (record.kept.empty()) {
      if (record.stage == RestoreStage::moved) TRY_VOID(run("DROP DATABASE IF EXISTS " + name));
      return journal_.remove(record.database);
    }
    if (record.stage == RestoreStage::moved) {
      TRY_VOID(run("DROP DATABASE IF EXISTS " + name));
      // From here on what is under that name is the old content.
      TRY_VOID(journal_.set_stage(record.database, RestoreStage::recorded));
    } else if (TRY(tables(record.database)).empty()) {
      TRY_VOID(run("DROP DATABASE IF EXISTS " + name));  // made for the load already, or made empty by the move
    }
    if (std::ranges::count(TRY(databases()), record.database) == 0)
      TRY_VOID(run(strictly(record.create, record.database)));
    if (std::ranges::count(TRY(databases()), record.kept) > 0) TRY_VOID(move_tables(record.kept, record.database));
    TRY_VOID(make_programs(target_, record.programs, {}));
    TRY_VOID(journal_.remove(record.database));
    return drop_without_tables(record.kept);
  }

  /// What was moved out of it is elsewhere; what somebody made in it since is not.
  Status drop_without_tables(const std::string& database) {
    if (const auto left = TRY(tables(database)); !left.empty())
      return fail(ErrorClass::conflict, "restore.database_in_use",
                  fmt::format("the table {}.{} was created meanwhile", database, left.front()),
                  "let no session in until the restore has ended");
    return run("DROP DATABASE IF EXISTS " + quote_mysql_name(database));
  }

  Status drop_kept(const RestoreRecord& record) {
    return record.kept.empty() ? Status() : run("DROP DATABASE IF EXISTS " + quote_mysql_name(record.kept));
  }

  Status check_definers(const std::set<std::string>& definers) {
    if (definers.empty()) return {};
    const auto rows = ask("SELECT User AS u, Host AS h FROM mysql.user");
    if (!rows) return {};  // it may not be seen; then the server says what it misses
    std::set<std::string> there;
    for (size_t i = 0; i < rows->rows.size(); ++i) {
      const std::string user = quote_mysql_name(rows->text("u", i));
      there.insert(rows->text("h", i).empty() ? user : user + "@" + quote_mysql_name(rows->text("h", i)));
    }
    std::vector<std::string> missing;
    std::ranges::set_difference(definers, there, std::back_inserter(missing));
    if (missing.empty()) return {};
    std::string statements;
    for (const auto& account : missing)
      statements += fmt::format("{}CREATE {} {};", statements.empty() ? "" : " ",
                                account.find("`@`") == std::string::npos ? "ROLE" : "USER", account);
    return fail(ErrorClass::refused, "restore.missing_roles",
                fmt::format("views, routines, triggers or events of the snapshot run as accounts that the server does "
                            "not have: {}",
                            fmt::join(missing, ", ")),
                "create them, with passwords and rights of their own: " + statements);
  }

  Result<std::set<std::string>> rights() {
    std::vector<std::string> lines = TRY(column("SHOW GRANTS"));
    const auto role = ask("SELECT CURRENT_ROLE() AS r");
    if (role && !connection_.is_mariadb() && role->text("r") != "NONE" && !role->text("r").empty())
      if (auto with_roles = column("SHOW GRANTS FOR CURRENT_USER() USING " + role->text("r")))
        lines.insert(lines.end(), with_roles->begin(), with_roles->end());
    return engine::rights_of_grants(lines);
  }

  Status check_rights(const PlaceRequest& request, std::set<std::string> definers) {
    const auto has = TRY(rights());
    const auto any = [&](std::initializer_list<const char*> names) {
      return std::ranges::any_of(names, [&](const char* name) { return may(has, name, ""); });
    };
    const std::string me = TRY(ask("SELECT CURRENT_USER() AS m")).text("m");
    const size_t at = me.rfind('@');
    const std::string account = quote_mysql_name(me.substr(0, at)) + "@" + quote_mysql_name(me.substr(at + 1));
    std::vector<std::string> missing;
    std::string statements;
    const auto need = [&](const std::string& privileges, const std::string& on) {
      missing.push_back(privileges + " on " + on);
      statements += fmt::format("{}GRANT {} ON {} TO {};", statements.empty() ? "" : " ", privileges, on, account);
    };
    bool programs = false;
    for (const auto* database : request.databases) {
      std::string lacks;
      for (const auto& privilege : privileges_to_load(*database))
        if (!may(has, privilege, database->name)) lacks += (lacks.empty() ? "" : ", ") + privilege;
      if (!lacks.empty()) need(lacks, quote_mysql_name(database->name) + ".*");
      programs = programs || database->kinds.contains("FUNCTION") || database->kinds.contains("TRIGGER");
    }
    std::string lacks;
    for (const char* privilege : {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"})
      if (!may(has, privilege, "holdfast_restore_1")) lacks += (lacks.empty() ? "" : ", ") + std::string(privilege);
    if (!lacks.empty()) need(lacks, "`holdfast\\_restore%`.*");
    definers.erase(account);
    const bool mariadb = connection_.is_mariadb();
    if (!definers.empty() && !any({"SUPER", "SET USER", "SET_ANY_DEFINER", "SET_USER_ID"})) {
      const bool new_name = !mariadb && connection_.server_version() >= "8.2";
      need(mariadb ? "SET USER" : new_name ? "SET_ANY_DEFINER" : "SET_USER_ID", "*.*");
    }
    if (!any({"SYSTEM_USER"}) && has_system_user(definers)) need("SYSTEM_USER", "*.*");
    const auto log = TRY(ask("SELECT @@GLOBAL.log_bin AND NOT @@GLOBAL.log_bin_trust_function_creators AS l"));
    if (programs && log.text("l") == "1" && !any({"SUPER"}) && !(mariadb && any({"BINLOG ADMIN"}))) {
      missing.emplace_back("functions and triggers while the binary log is on");
      statements += fmt::format("{}SET GLOBAL log_bin_trust_function_creators = ON;", statements.empty() ? "" : " ");
    }
    return need_rights(missing, statements);
  }

  /// MySQL: whether one of them may be named only by an account of its kind. No, where that may not be seen.
  bool has_system_user(const std::set<std::string>& definers) {
    if (connection_.is_mariadb() || definers.empty()) return false;
    const auto rows = ask("SELECT USER AS u, HOST AS h FROM mysql.global_grants WHERE PRIV = 'SYSTEM_USER'");
    for (size_t i = 0; rows && i < rows->rows.size(); ++i)
      if (definers.contains(quote_mysql_name(rows->text("u", i)) + "@" + quote_mysql_name(rows->text("h", i))))
        return true;
    return false;
  }

  Status check_sessions(const std::set<std::string>& replaced) {
    const auto rows = TRY(ask("SHOW PROCESSLIST"));
    std::map<std::string, int> sessions;
    for (size_t i = 0; i < rows.rows.size(); ++i)
      if (replaced.contains(rows.text("db", i)) && rows.text("Id", i) != std::to_string(connection_.thread_id()))
        ++sessions[rows.text("db", i)];
    std::string used;
    for (const auto& [name, count] : sessions)
      used += fmt::format("{}{} ({} sessions)", used.empty() ? "" : ", ", name, count);
    if (used.empty()) return {};
    return fail(ErrorClass::refused, "restore.database_in_use", "databases that are to be replaced are in use: " + used,
                "end these sessions (SHOW PROCESSLIST), and let no new ones in until the restore has ended");
  }

  // Their keys would go with the tables that are moved aside.
  Status check_references(const PlaceRequest& request) {
    for (const auto& name : request.replaced) {
      const auto rows =
          TRY(ask("SELECT DISTINCT TABLE_SCHEMA AS s, TABLE_NAME AS t FROM information_schema.KEY_COLUMN_USAGE WHERE " +
                  in_database("REFERENCED_TABLE_SCHEMA", name)));
      for (size_t i = 0; i < rows.rows.size(); ++i) {
        if (request.replaced.contains(rows.text("s", i))) continue;
        return fail(ErrorClass::refused, "restore.database_in_use",
                    fmt::format("{}.{} has a foreign key into {}, which is to be replaced", rows.text("s", i),
                                rows.text("t", i), name),
                    "drop the foreign key, and add it again after the restore");
      }
    }
    return {};
  }

  const sql::Target target_;
  sql::MariadbConnection connection_;
  const std::stop_token stop_;
  MysqlJournal journal_{connection_};
  std::map<std::string, std::string> names_;
  bool began_ = false;
};

}  // namespace

Result<std::unique_ptr<SqlPlace>> open_mysql_place(const sql::Target& target, std::stop_token stop) {
  sql::Target home = target;
  home.database.clear();
  auto connection = TRY(MysqlPlace::connect(home, stop));
  return std::make_unique<MysqlPlace>(std::move(home), std::move(connection), std::move(stop));
}

}  // namespace holdfast::backup
