// PostgreSQL: each database is loaded under a name of ours beside the one that is there, which stays in use. Proved,
// they change their names in one transaction; then the old one is dropped.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "backup/postgres_selection.h"
#include "backup/sql_place.h"
#include "sql/postgres.h"

namespace holdfast::backup {
namespace {

using sql::quote_postgres;
using sql::quote_postgres_name;
using std::chrono::seconds;

constexpr std::string_view kLoading = "holdfast restore, not finished: ";
constexpr std::string_view kKept = "holdfast restore, old content of: ";
constexpr auto kPatience = seconds(30);  // for sessions to leave a database that is to be renamed

Deadline soon() {
  return Deadline::in(seconds(60));
}
/// CREATE and DROP DATABASE copy and remove files.
Deadline later() {
  return Deadline::in(std::chrono::minutes(10));
}

class PostgresPlace : public SqlPlace {
 public:
  PostgresPlace(sql::Target target, sql::PostgresConnection connection, std::stop_token stop)
      : target_(std::move(target)), connection_(std::move(connection)), stop_(std::move(stop)) {}

  Result<PlaceView> look() override {
    const auto lock = TRY(ask("SELECT pg_try_advisory_lock(7525352722054311796) AS l"));
    if (lock.text("l") != "t") return in_progress();
    PlaceView view;
    const auto server = TRY(ask("SELECT current_setting('server_version') AS v, pg_is_in_recovery() AS r"));
    view.version = server.text("v");
    view.read_only = server.text("r") == "t";
    for (const auto& [name, comment] : TRY(databases())) {
      if (!name.starts_with(kRemainsPrefix))
        view.databases.insert(name);
      else if (comment.starts_with(kKept))
        view.remains.push_back(
            fmt::format("the old content of {} is in the database {}", comment.substr(kKept.size()), name));
      else
        view.remains.push_back(fmt::format("the database {} holds what a restore had loaded", name));
    }
    return view;
  }

  Status undo_remains(const Say& say) override {
    const auto all = TRY(databases());
    for (const auto& [name, comment] : all) {
      if (!name.starts_with(kRemainsPrefix)) continue;
      const std::string of(comment.starts_with(kKept) ? comment.substr(kKept.size()) : "");
      if (!of.empty() && !all.contains(of)) {
        TRY(connection_.query(fmt::format("BEGIN; ALTER DATABASE {0} RENAME TO {1}; COMMENT ON DATABASE {1} IS NULL; "
                                          "COMMIT",
                                          quote_postgres_name(name), quote_postgres_name(of)),
                              soon(), stop_));
        if (say) say(fmt::format("the database {} is back under its name", of));
        continue;
      }
      TRY(connection_.query("DROP DATABASE " + quote_postgres_name(name), later(), stop_));
      if (say) say(fmt::format("removed the database {}", name));
    }
    return {};
  }

  Status check(const PlaceRequest& request) override {
    const auto me =
        TRY(ask("SELECT rolsuper AS s, rolcreatedb AS c, quote_ident(rolname) AS n FROM pg_roles WHERE "
                "rolname = current_user"));
    const bool superuser = me.text("s") == "t";
    const std::string account = me.text("n");
    std::set<std::string> owners, named;
    for (const auto* database : request.databases) {
      owners.insert(database->owners.begin(), database->owners.end());
      named.insert(database->roles.begin(), database->roles.end());
    }
    named.insert(owners.begin(), owners.end());
    // To give an object to a role and to work on it then takes both; versions before 16 know one.
    const auto there = TRY(
        ask(fmt::format("SELECT rolname AS n, pg_has_role(oid, '{}') AND pg_has_role(oid, 'USAGE') AS m FROM pg_roles",
                        connection_.server_version() >= 160000 ? "SET" : "MEMBER")));
    std::map<std::string, bool> members;
    for (size_t i = 0; i < there.rows.size(); ++i) members[there.text("n", i)] = there.text("m", i) == "t";
    TRY_VOID(check_roles(request, named, members));

    std::vector<std::string> missing;
    std::string statements;
    const auto need = [&](std::string what, const std::string& statement) {
      missing.push_back(std::move(what));
      statements += (statements.empty() ? "" : " ") + statement + ";";
    };
    if (!superuser && me.text("c") != "t") need("CREATEDB", fmt::format("ALTER ROLE {} CREATEDB", account));
    for (const auto& owner : owners)
      if (!superuser && !members[owner])
        need("membership in " + owner, fmt::format("GRANT {} TO {}", quote_postgres_name(owner), account));
    TRY_VOID(check_role_settings(request, superuser, account, need));
    for (const auto& name : request.replaced) {
      const auto owner = TRY(ask(
          "SELECT pg_has_role(datdba, 'USAGE') AS m, quote_ident(pg_get_userbyid(datdba)) AS o FROM pg_database WHERE "
          "datname = " +
          quote_postgres(name)));
      if (!superuser && owner.text("m") != "t")
        need("ownership of the database " + name, fmt::format("GRANT {} TO {}", owner.text("o"), account));
    }
    TRY_VOID(need_rights(missing, statements));
    return check_sessions(request.replaced);
  }

  Status prepare(const PlaceRequest& request) override {
    request_ = request;
    const auto all = TRY(databases());
    int number = 0;
    const auto free_name = [&] {
      std::string name;
      do name = fmt::format("{}_{}", kRemainsPrefix, ++number);
      while (all.contains(name));
      return name;
    };
    for (const auto* database : request_.databases) {
      const std::string here = free_name(), quoted = quote_postgres_name(here);
      if (request_.replaced.contains(database->name)) old_[database->name] = free_name();
      names_[database->name] = here;
      TRY(connection_.query(with_database_name(database->create, here), later(), stop_).context(database->name));
      TRY(connection_.query(
          fmt::format("COMMENT ON DATABASE {} IS {}", quoted,
                      quote_postgres(fmt::format("{}{} of snapshot {}", kLoading, database->name, request_.snapshot))),
          soon(), stop_));
      if (!database->owner.empty())
        TRY(connection_.query(
            fmt::format("ALTER DATABASE {} OWNER TO {}", quoted, quote_postgres_name(database->owner)), soon(), stop_));
    }
    return {};
  }

  const std::map<std::string, std::string>& names() const override { return names_; }

  Result<std::vector<FailedObject>> publish() override {
    const auto deadline = Deadline::in(kPatience);
    bool said = false;
    while (true) {
      auto done = rename_all();
      if (done) return done;
      (void)connection_.query("ROLLBACK", soon());
      const std::string code = sql::error_code(done.error());
      if (code == "42P04")
        return fail(ErrorClass::conflict, "restore.database_appeared",
                    "a database was created while its restore ran: " + done.error().message,
                    "if it may be replaced, run the restore again and accept it by name");
      if (code != "55006") return done;
      if (deadline.passed()) {
        TRY_VOID(check_sessions(request_.replaced));
        return done;
      }
      if (!std::exchange(said, true) && request_.say) request_.say("waiting for sessions in the old databases to end");
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      if (stop_.stop_requested()) return done;
    }
  }

  std::vector<std::string> drop_old() override {
    std::vector<std::string> kept;
    for (const auto& [name, old] : old_) {
      auto dropped = connection_.query("DROP DATABASE " + quote_postgres_name(old), later());
      if (!dropped)
        kept.push_back(fmt::format("the old content of {} is still there as the database {}: {}", name, old,
                                   dropped.error().message));
    }
    return kept;
  }

  Status undo() override {
    if (names_.empty()) return {};
    // The connection may be what failed.
    connection_ = TRY(sql::PostgresConnection::connect(target_, soon()));
    const auto all = TRY(databases());
    for (const auto& [name, old] : old_)
      if (all.contains(old))
        return fail(ErrorClass::needs_operator, "restore.not_undone",
                    fmt::format("the restored content of {} is in place, the old one is the database {}", name, old));
    Status result;
    for (const auto& [name, here] : names_) {
      if (!all.contains(here)) continue;
      auto dropped = connection_.query("DROP DATABASE " + quote_postgres_name(here), later());
      if (!dropped && result) result = fail(std::move(dropped).error());
    }
    return result;
  }

 private:
  Result<sql::Rows> ask(const std::string& statement) { return connection_.query(statement, soon(), stop_); }

  static std::unexpected<Error> in_progress() {
    return fail(ErrorClass::conflict, "restore.in_progress", "another restore over SQL works on this server",
                "wait for its end");
  }

  /// With their comments.
  Result<std::map<std::string, std::string>> databases() {
    const auto rows = TRY(connection_.query(
        "SELECT datname AS n, coalesce(shobj_description(oid, 'pg_database'), '') AS c FROM pg_database", soon()));
    std::map<std::string, std::string> all;
    for (size_t i = 0; i < rows.rows.size(); ++i) all[rows.text("n", i)] = rows.text("c", i);
    return all;
  }

  static Status check_roles(const PlaceRequest& request, const std::set<std::string>& named,
                            const std::map<std::string, bool>& there) {
    std::vector<std::string> missing;
    std::string statements;
    for (const auto& role : named) {
      if (there.contains(role)) continue;
      missing.push_back(role);
      const auto known = request.roles.find(role);
      statements += fmt::format("{}CREATE ROLE {}{};", statements.empty() ? "" : " ", quote_postgres_name(role),
                                known != request.roles.end() && known->second ? " LOGIN" : "");
    }
    if (missing.empty()) return {};
    return fail(ErrorClass::refused, "restore.missing_roles",
                fmt::format("the databases of the snapshot name roles that the server does not have: {}",
                            fmt::join(missing, ", ")),
                "create them, with passwords of their own: " + statements);
  }

  /// ALTER ROLE ... IN DATABASE takes more than other statements about a database.
  Status check_role_settings(const PlaceRequest& request, bool superuser, const std::string& account,
                             const std::function<void(std::string, const std::string&)>& need) {
    std::set<std::string> roles;
    for (const auto* database : request.databases)
      for (const auto& property : database->properties)
        if (property.starts_with("ALTER ROLE "))
          for (auto& role : roles_of_statement(property).others) roles.insert(std::move(role));
    const auto own = TRY(ask("SELECT rolcreaterole AS c, rolname AS n FROM pg_roles WHERE rolname = current_user"));
    roles.erase(own.text("n"));
    if (superuser || roles.empty()) return {};
    if (own.text("c") != "t") need("CREATEROLE", fmt::format("ALTER ROLE {} CREATEROLE", account));
    if (connection_.server_version() < 160000) return {};
    for (const auto& role : roles) {
      const auto admin =
          TRY(ask(fmt::format("SELECT pg_has_role({}, 'MEMBER WITH ADMIN OPTION') AS a", quote_postgres(role))));
      if (admin.text("a") != "t")
        need("the admin option of " + role,
             fmt::format("GRANT {} TO {} WITH ADMIN OPTION", quote_postgres_name(role), account));
    }
    return {};
  }

  Status check_sessions(const std::set<std::string>& replaced) {
    const auto rows =
        TRY(ask("SELECT datname AS d, count(*) AS n FROM pg_stat_activity WHERE datname IS NOT NULL AND "
                "pid <> pg_backend_pid() AND coalesce(backend_type, '') <> 'autovacuum worker' GROUP BY "
                "1 ORDER BY 1"));
    std::string used;
    for (size_t i = 0; i < rows.rows.size(); ++i)
      if (replaced.contains(rows.text("d", i)))
        used += fmt::format("{}{} ({} sessions)", used.empty() ? "" : ", ", rows.text("d", i), rows.text("n", i));
    if (used.empty()) return {};
    return fail(ErrorClass::refused, "restore.database_in_use", "databases that are to be replaced are in use: " + used,
                "end these sessions (pg_stat_activity shows them), and let no new ones in until the restore has ended");
  }

  Result<std::vector<FailedObject>> rename_all() {
    std::string text = "BEGIN;\n";
    for (const auto& [name, old] : old_)
      text +=
          fmt::format("ALTER DATABASE {0} RENAME TO {1};\nCOMMENT ON DATABASE {1} IS {2};\n", quote_postgres_name(name),
                      quote_postgres_name(old), quote_postgres(std::string(kKept) + name));
    for (const auto* database : request_.databases)
      text += fmt::format("ALTER DATABASE {0} RENAME TO {1};\nCOMMENT ON DATABASE {1} IS NULL;\n",
                          quote_postgres_name(names_.at(database->name)), quote_postgres_name(database->name));
    TRY(ask(text));
    std::vector<FailedObject> failed;
    for (const auto* database : request_.databases)
      for (const auto& property : database->properties) TRY_VOID(set_property(database->name, property, failed));
    TRY(ask("COMMIT"));
    return failed;
  }

  Status set_property(const std::string& database, const std::string& statement, std::vector<FailedObject>& failed) {
    TRY(ask("SAVEPOINT property"));
    auto done = ask(statement);
    if (done) return {};
    if (done.error().id != "sql.error") return fail(std::move(done).error());
    const std::string label = fmt::format("{}: DATABASE: {}", database, statement.substr(0, statement.find('\n')));
    if (!request_.keep_going)
      return fail(ErrorClass::failed, "restore.objects_failed", fmt::format("{}: {}", label, done.error().message),
                  "--continue-on=object-errors leaves it out");
    failed.push_back({label, done.error().message});
    TRY(ask("ROLLBACK TO SAVEPOINT property"));
    return {};
  }

  const sql::Target target_;
  sql::PostgresConnection connection_;
  const std::stop_token stop_;
  PlaceRequest request_;
  std::map<std::string, std::string> names_;  ///< of the dump -> where it is loaded
  std::map<std::string, std::string> old_;    ///< -> what the replaced one is called once it is
};

}  // namespace

Result<std::unique_ptr<SqlPlace>> open_postgres_place(const sql::Target& target, std::stop_token stop) {
  sql::Target home = target;
  home.database.clear();
  auto connection = TRY(sql::PostgresConnection::connect(home, Deadline::in(seconds(30)), stop));
  TRY(
      connection.query("SET search_path = ''; SET statement_timeout = 0; SET lock_timeout = '20s'; "
                       "SET idle_in_transaction_session_timeout = 0; SET default_transaction_read_only = off",
                       soon(), stop));
  TRY(
      connection.query("SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', "
                       "'transaction_timeout')",
                       soon(), stop));
  return std::make_unique<PostgresPlace>(std::move(home), std::move(connection), std::move(stop));
}

}  // namespace holdfast::backup
