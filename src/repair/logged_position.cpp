// MariaDB: a replica that died between logging DDL and noting that it had applied it (engine/logged_position.h).
#include "engine/logged_position.h"

#include <fmt/format.h>

#include <algorithm>

#include "cluster/server_words.h"
#include "provider/errant.h"
#include "repair/channels.h"
#include "repair/live_position.h"
#include "repair/logged_position.h"
#include "repair/member_step.h"
#include "repair/recognise.h"
#include "repair/report_view.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

/// Why its own log is not its position; "" = it is.
Result<std::string> objection(const Members& members, StepScope& scope, engine::MemberControl& replica,
                              const std::string& source) {
  auto* way = members.access.find(replica.setup().name);
  if (!way) return "it is not a member any more";
  const auto behind = TRY(engine::logged_behind(replica.setup().socket, soon(), scope.stop()));
  if (behind.empty()) return "";
  const auto found = provider::look_up_transactions(*way, behind, seconds(30), scope.stop());
  if (!found.is_only(cluster::ErrantClass::ddl)) return fmt::format("its log has more than DDL behind it: {}", behind);
  auto* control = TRY(members.find(source));
  const auto own = TRY(held_beyond(Engine::mariadb, replica.setup().socket, control->setup().socket, soon(),
                                   scope.stop(), TRY(foreign_origins(members, replica, scope.stop()))));
  return own.empty() ? "" : fmt::format("{} lacks {}", source, own);
}

class GoOnBehindLog : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    const auto why = TRY(objection(*members_, scope, *control, takes<kind::GoOnBehindLog>(scope.step()).source));
    if (why.empty()) return Value::object();
    return fail(ErrorClass::refused, "repair.undeterminable",
                fmt::format("what {} has logged is not its position by now: {}", scope.step().member, why),
                fmt::format("holdfast triage -c {} -v", members_->cluster.full_name()));
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(engine::go_on_behind_its_log(control->setup().socket, TRY(own_channel(*members_, *control, scope.stop())),
                                          soon(), scope.stop()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    return engine::wait_for_replication(engine(), control->setup().socket,
                                        TRY(own_channel(*members_, *control, scope.stop())), true,
                                        Deadline::in(seconds(600)), scope.stop());
  }
};

}  // namespace

bool may_go_on_behind_its_log(const cluster::TriageReport& report, const cluster::MemberReport& member) {
  return cluster::noted_late(report.cluster.engine, member.facts) && !report.leader.empty() &&
         holds_nothing_beside(report, name(member), report.leader);
}

operation::Step going_on_step(const std::string& member, const std::string& leader) {
  return step_of(
      kind::GoOnBehindLog{leader},
      {.id = "go-on-" + member,
       .member = member,
       .title = fmt::format("Let {} continue behind the last statement in its own log, which it had applied and not "
                            "noted when it crashed",
                            member),
       .preconditions = {fmt::format("{} has all of that log", leader)},
       .undo = "nothing: its position is what it holds",
       .expected_seconds = 10,
       .proof = "it applies, and has caught up"});
}

Result<std::string> settle_position(const Members& members, StepScope& scope, engine::MemberControl& control) {
  const auto& replica = control.setup().socket;
  const auto channel = TRY(own_channel(members, control, scope.stop()));
  const auto stream = TRY(engine::stream_state(Engine::mariadb, replica, channel, soon(), scope.stop()));
  const std::string source = stream.follows ? source_name(members, control.setup(), engine::following_of(stream)) : "";
  if (source.empty()) return "none";
  if (!TRY(engine::stopped_at_what_it_logged(replica, Deadline::in(seconds(5)), scope.stop()))) return "noted";
  const auto why = objection(members, scope, control, source);
  if (!why || !why->empty()) return "unknown";  // the proof that follows tells why
  TRY_VOID(engine::go_on_behind_its_log(replica, channel, soon(), scope.stop()));
  return "settled";
}

void add_logged_position_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::GoOnBehindLog, GoOnBehindLog>(handlers, members);
}

}  // namespace holdfast::repair
