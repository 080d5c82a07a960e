// A primary that died with a tail nobody received: started as a replica it cuts off what it never committed.
#include <fmt/format.h>

#include "engine/replication.h"
#include "repair/channels.h"
#include "repair/live_position.h"
#include "repair/member_step.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

class CutTail : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    auto started = start_member(*control, {}, Deadline::in(seconds(300)));
    if (!started && started.error().id == "agent.unreachable") return fail(std::move(started).error());
    std::string why = started ? "" : started.error().message;
    if (started) {
      const auto extra = TRY(beyond(scope, *control));
      if (extra.empty()) return join(scope, *control);
      why = "it still has " + extra;
    }
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    return Value::object({{"joined", false}, {"why", why}});
  }
  Status prove(StepScope& scope, const Value&, const Value& result) override {
    auto* control = TRY(member(scope));
    if (TRY(control->is_running(soon())) == result["joined"].boolean()) return {};
    return fail(ErrorClass::failed, "repair.not_running",
                scope.step().member + (result["joined"].boolean() ? " does not run" : " still runs"));
  }
  Status undo(StepScope& scope, const Value&, const Value*) override {
    auto* control = TRY(member(scope));
    return stop_member(*control, Deadline::in(seconds(90)));
  }

 private:
  /// What it has and the one that takes writes lacks; "" = nothing, proven.
  Result<std::string> beyond(StepScope& scope, engine::MemberControl& control) const {
    auto* leader = TRY(members_->find(takes<kind::CutTail>(scope.step()).source));
    return held_beyond(engine(), control.setup().socket, leader->setup().socket, soon(), scope.stop(),
                       TRY(foreign_origins(*members_, control, scope.stop())));
  }
  Result<Value> join(StepScope& scope, engine::MemberControl& control) const {
    engine::Source source = TRY(members_->source(control.setup(), takes<kind::CutTail>(scope.step()).source));
    source.demote = true;
    TRY_VOID(follow_as_before(*members_, control, source, scope.stop()));
    TRY_VOID(engine::wait_for_replication(engine(), control.setup().socket,
                                          TRY(own_channel(*members_, control, scope.stop())), true,
                                          Deadline::in(seconds(600)), scope.stop()));
    return Value::object({{"joined", true}});
  }
};

}  // namespace

void add_tail_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::CutTail, CutTail>(handlers, members);
}

}  // namespace holdfast::repair
