// MariaDB: transactions that only a dead replica's relay logs have, applied before anything deletes them.
#include "position/gtid_vector.h"
#include "repair/member_step.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

class ApplyReceived : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    if (!TRY(control->is_running(soon()))) return Value::object();
    return fail(ErrorClass::conflict, "repair.still_running",
                scope.step().member + " runs by now: its relay logs may be gone",
                fmt::format("holdfast triage -c {}", members_->cluster.full_name()));
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    engine::StartRequest alone;
    alone.isolated = true;
    // Its relay logs stay until all of them is applied.
    alone.extra_args = {"--skip-slave-start", "--relay-log-recovery=OFF", "--relay-log-purge=OFF"};
    TRY_VOID(start_member(*control, alone, Deadline::in(seconds(300))));
    auto applied = ask(scope, "apply_received", Value::object({{"timeoutSeconds", 3600}}), Deadline::in(seconds(3600)));
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    if (!applied) return fail(std::move(applied).error());
    return Value::object(
        {{"transactions", (*applied)["transactions"].unsigned_integer()}, {"position", (*applied)["position"].text()}});
  }
  Status prove(StepScope& scope, const Value&, const Value& result) override {
    const auto position = TRY(position::GtidVector::parse(result["position"].text()));
    std::string text = takes<kind::ApplyReceived>(scope.step()).received;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find(',', at), text.size());
      const auto gtid = TRY(position::MariaGtid::parse(std::string_view(text).substr(at, end - at)));
      at = end + 1;
      if (position.of_domain(gtid.domain).seq < gtid.seq)
        return fail(ErrorClass::failed, "repair.not_applied",
                    fmt::format("{} is at {} and has not applied {}, which it received", scope.step().member,
                                position.to_string(), gtid.to_string()),
                    fmt::format("holdfast triage -c {} -v", members_->cluster.full_name()));
    }
    return {};
  }
  Status undo(StepScope& scope, const Value&, const Value*) override {
    auto* control = TRY(member(scope));
    return stop_member(*control, Deadline::in(seconds(90)));
  }
};

}  // namespace

void add_received_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::ApplyReceived, ApplyReceived>(handlers, members);
}

}  // namespace holdfast::repair
