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
    for (const char* setting : {"primary_conninfo", "primary_slot_name"})
      TRY(connection.query(fmt::format("ALTER SYSTEM RESET {}", setting), soon()));
    TRY(connection.query("SELECT pg_reload_conf()", soon()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto connection = TRY(connect(scope));
    std::string is;
    const std::string wanted = scope.step().arguments["upstream"].text();
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
                fmt::format("{} follows {}, not {}", scope.step().member, is.empty() ? "nobody" : is, wanted));
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    TRY_VOID(ready_for_sql(scope));
    auto connection = TRY(connect(scope));
    for (const auto& [name, setting] : before.members())
      if (setting.is_text())
        TRY(connection.query(fmt::format("ALTER SYSTEM SET {} = {}", name, sql::quote_postgres(setting.text())),
                             soon()));
    TRY(connection.query("SELECT pg_reload_conf()", soon()));
    return {};
  }

 private:
  Result<sql::PostgresConnection> connect(StepScope& scope) const {
    auto* control = TRY(member(scope));
    return sql::PostgresConnection::connect(control->setup().socket, soon());
  }
};

}  // namespace

void add_postgres_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handlers["follow_told"] = std::make_shared<FollowTold>(members);
}

}  // namespace holdfast::repair
