// MariaDB: a replica that died between logging DDL and noting that it had applied it (engine/logged_position.h).
#include "engine/logged_position.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/server_words.h"
#include "repair/live_position.h"
#include "repair/logged_position.h"
#include "repair/member_step.h"
#include "repair/report_view.h"
#include "repair/sides.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

class GoOnBehindLog : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    auto* source = TRY(members_->find(scope.step().arguments["source"].text()));
    const auto own = TRY(held_beyond(engine(), control->setup().socket, source->setup().socket, soon(), scope.stop()));
    if (own.empty()) return Value::object();
    return fail(ErrorClass::refused, "repair.target_is_authority",
                fmt::format("{} has what {} lacks by now: {}", scope.step().member, source->setup().name, own),
                fmt::format("holdfast triage -c {} -v", members_->cluster.full_name()));
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(engine::go_on_behind_its_log(control->setup().socket, soon(), scope.stop()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    return engine::wait_for_replication(engine(), control->setup().socket, true, Deadline::in(seconds(600)),
                                        scope.stop());
  }
};

}  // namespace

bool may_go_on_behind_its_log(const cluster::TriageReport& report, const cluster::MemberReport& member) {
  if (report.cluster.engine != Engine::mariadb || !cluster::has_atomic_ddl(member.facts.version)) return false;
  const bool refuses = std::ranges::any_of(member.facts.following, [](const cluster::Following& f) {
    return f.apply_errno == 1950 && cluster::refuses_what_it_logged(f.apply_error);
  });
  return refuses && !report.leader.empty() && holds_nothing_beside(report, name(member), report.leader);
}

operation::Step going_on_step(const std::string& member, const std::string& leader) {
  return {.id = "go-on-" + member,
          .kind = "go_on_behind_log",
          .member = member,
          .title = fmt::format("Let {} go on behind the last statement in its own log, which it had applied and not "
                               "noted when it died",
                               member),
          .arguments = Value::object({{"source", leader}}),
          .preconditions = {fmt::format("{} has all of that log", leader)},
          .undo = "nothing: its position is what it holds",
          .expected_seconds = 10,
          .proof = "it applies, and is level",
          .touches = {"members/" + member}};
}

Result<std::string> settle_position(const Members& members, StepScope& scope, engine::MemberControl& control) {
  const auto& replica = control.setup().socket;
  const auto stream = TRY(engine::stream_state(Engine::mariadb, replica, soon(), scope.stop()));
  for (const auto& described : members.cluster.members) {
    if (!stream.follows || described.host != stream.host || described.port != stream.port) continue;
    if (!TRY(engine::stopped_at_what_it_logged(replica, Deadline::in(seconds(5)), scope.stop()))) return "noted";
    auto* source = TRY(members.find(described.name.str()));
    const auto own = held_beyond(Engine::mariadb, replica, source->setup().socket, soon(), scope.stop());
    if (!own || !own->empty()) return "unknown";  // the proof that follows tells why
    TRY_VOID(engine::go_on_behind_its_log(replica, soon(), scope.stop()));
    return "settled";
  }
  return "none";
}

void add_logged_position_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handlers["go_on_behind_log"] = std::make_shared<GoOnBehindLog>(members);
}

}  // namespace holdfast::repair
