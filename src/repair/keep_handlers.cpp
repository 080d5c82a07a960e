// Copies for the repository, before anything is replaced: a stopped member's data directory, a running one's dump.
#include "repair/member_step.h"

namespace holdfast::repair {

namespace {

class TakeEscrow : public MemberStep {
 public:
  using MemberStep::MemberStep;
  /// A copy of files that a server writes is none.
  Result<Value> look_before(StepScope& scope) override {
    TRY_VOID(stands_still(scope));
    return Value::object();
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto* control = TRY(member(scope));
    return members_->escrow(scope.step().member, control->setup().data_dir, scope.operation(), scope.stop());
  }
  /// run() has read it back; and nobody wrote to the directory meanwhile.
  Status prove(StepScope& scope, const Value&, const Value&) override { return stands_still(scope); }

 private:
  Status stands_still(StepScope& scope) const {
    auto* control = TRY(member(scope));
    if (!TRY(control->is_running(soon()))) return {};
    return fail(ErrorClass::failed, "repair.still_running",
                scope.step().member + " runs: its data directory cannot be copied",
                fmt::format("holdfast triage -c {}", members_->cluster.full_name()));
  }
};

class DumpMember : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Result<Value> run(StepScope& scope, const Value&) override {
    return members_->dump(scope.step().member, scope.operation(), scope.stop());
  }
  Status prove(StepScope& scope, const Value&, const Value& result) override {
    const std::string why = result["unproven"].text();
    if (why.empty() || !takes<kind::DumpMember>(scope.step()).needed) return {};
    return fail(ErrorClass::failed, "repair.cannot_keep",
                fmt::format("{} has what no other member has: {}", scope.step().member, why),
                fmt::format("holdfast triage -c {} -v", members_->cluster.full_name()));
  }
};

}  // namespace

void add_keep_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::TakeEscrow, TakeEscrow>(handlers, members);
  handle_with<kind::DumpMember, DumpMember>(handlers, members);
}

}  // namespace holdfast::repair
