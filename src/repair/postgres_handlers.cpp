// Steps that only PostgreSQL knows.
#include <fmt/format.h>

#include "repair/member_step.h"
#include "sql/postgres.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

/// Drops what ALTER SYSTEM says of whom to follow: then what the agent has written for the server counts.
class FollowTold : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto connection = TRY(connect(scope));
    auto rows = TRY(connection.query(
        "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf' AND name IN "
        "('primary_conninfo', 'primary_slot_name')",
        soon()));
    Value set = Value::object();
    for (size_t i = 0; i < rows.rows.size(); ++i) {
      const std::string setting = rows.text("setting", i);
      // The journal is no place for a password.
      set.set(rows.text("name", i), setting.find("password=") == std::string::npos ? Value(setting) : Value());
    }
    return set;
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(ready_for_sql(scope));
    auto connection = TRY(connect(scope));
    // Of a server that was there before its agent this is the only place that says it: its agent writes there.
    if (TRY(is_existing(scope))) {
      if (!TRY(ask(scope, "configure", Value::object({{"source", "now"}}), soon()))["leads"].boolean())
        return fail(ErrorClass::refused, "repair.follow",
                    fmt::format("{} has its source in its own configuration, and its agent has no account to replicate "
                                "from another one",
                                scope.step().member),
                    "holdfast agent adopt --replication-user USER --replication-password-file FILE on its host");
      TRY(connection.query("SELECT pg_reload_conf()", soon()));
      return Value::object();
    }
    for (const char* setting : {"primary_conninfo", "primary_slot_name"})
      TRY(connection.query(fmt::format("ALTER SYSTEM RESET {}", setting), soon()));
    TRY(connection.query("SELECT pg_reload_conf()", soon()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto connection = TRY(connect(scope));
    std::string is;
    const std::string wanted = takes<kind::FollowTold>(scope.step()).upstream;
    const auto done = TRY(sys::wait_until(
        [&] {
          auto rows = connection.query(
              "SELECT substring(current_setting('primary_conninfo') from 'host=''?([^'' ]+)') || ':' || "
              "substring(current_setting('primary_conninfo') from 'port=''?([0-9]+)') AS upstream",
              soon());
          return rows && (is = rows->text("upstream")) == wanted;
        },
        Deadline::in(seconds(10)), scope.stop()));
    if (done) return {};
    return fail(ErrorClass::failed, "repair.follow",
                fmt::format("{} follows {}, not {}", scope.step().member, is.empty() ? "no source" : is, wanted));
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    TRY_VOID(ready_for_sql(scope));
    auto connection = TRY(connect(scope));
    if (TRY(is_existing(scope))) {
      TRY(ask(scope, "configure", Value::object({{"source", "before"}}), soon(), false));
      TRY(connection.query("SELECT pg_reload_conf()", soon()));
      return {};
    }
    for (const auto& [name, setting] : before.members())
      if (setting.is_text())
        TRY(connection.query(fmt::format("ALTER SYSTEM SET {} = {}", name, sql::quote_postgres(setting.text())),
                             soon()));
    TRY(connection.query("SELECT pg_reload_conf()", soon()));
    return {};
  }

 private:
  Result<bool> is_existing(StepScope& scope) const {
    return TRY(ask(scope, "status", Value::object(), soon()))["existing"].boolean();
  }
  Result<sql::PostgresConnection> connect(StepScope& scope) const {
    auto* control = TRY(member(scope));
    return sql::PostgresConnection::connect(control->setup().socket, soon());
  }
};

/// Numbers by ALTER SYSTEM, which a standby takes as well.
class MatchSettings : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override { return written(scope); }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(write(scope, takes<kind::MatchSettings>(scope.step()).settings));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    const Value is = TRY(written(scope));
    for (const auto& [name, value] : takes<kind::MatchSettings>(scope.step()).settings.members())
      if (is[name].text() != std::to_string(value.integer()))
        return fail(ErrorClass::failed, "repair.setting",
                    fmt::format("{} does not have {} = {}", scope.step().member, name, value.integer()));
    return {};
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    TRY_VOID(ready_for_sql(scope));
    return write(scope, before);
  }

 private:
  /// What postgresql.auto.conf says of them; null where it says nothing.
  Result<Value> written(StepScope& scope) const {
    auto connection = TRY(connect(scope));
    auto rows = TRY(connection.query(
        "SELECT name, setting FROM pg_file_settings WHERE sourcefile LIKE '%/postgresql.auto.conf'", soon()));
    Value is = Value::object();
    for (const auto& [name, value] : takes<kind::MatchSettings>(scope.step()).settings.members()) is.set(name, Value());
    for (size_t i = 0; i < rows.rows.size(); ++i)
      if (is.find(rows.text("name", i))) is.set(rows.text("name", i), rows.text("setting", i));
    return is;
  }
  Status write(StepScope& scope, const Value& settings) const {
    auto connection = TRY(connect(scope));
    for (const auto& [name, value] : settings.members()) {
      const std::string setting = sql::quote_postgres_name(name);
      const std::string wanted = value.is_text() ? value.text() : std::to_string(value.integer());
      TRY(connection.query(value.is_null()
                               ? fmt::format("ALTER SYSTEM RESET {}", setting)
                               : fmt::format("ALTER SYSTEM SET {} = {}", setting, sql::quote_postgres(wanted)),
                           soon()));
    }
    return {};
  }
  Result<sql::PostgresConnection> connect(StepScope& scope) const {
    auto* control = TRY(member(scope));
    return sql::PostgresConnection::connect(control->setup().socket, soon());
  }
};

}  // namespace

void add_postgres_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::MatchSettings, MatchSettings>(handlers, members);
  handle_with<kind::FollowTold, FollowTold>(handlers, members);
}

}  // namespace holdfast::repair
