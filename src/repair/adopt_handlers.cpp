// Writing a replica's errant transactions into the primary, with their own GTIDs: done twice, they are there once.
#include <fmt/format.h>

#include "engine/adopt.h"
#include "position/gtid_set.h"
#include "provider/errant_log.h"
#include "repair/adopt.h"
#include "repair/live_position.h"
#include "repair/member_step.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

class AdoptionStep : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Status prove(StepScope&, const Value&, const Value&) override { return {}; }

 protected:
  struct Work {
    engine::MemberControl *primary = nullptr, *owner = nullptr;
    engine::Adoptable adoptable;
    engine::TableColumns columns;
  };

  /// Reads it all again: what was accepted is what is written.
  Result<Work> prepare(StepScope& scope) const {
    Work work;
    work.primary = TRY(member(scope));
    const auto what = takes<kind::RehearseAdoption>(scope.step());
    const std::string& owner = what.from;
    work.owner = TRY(members_->find(owner));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(start_after_crash(*members_, scope, owner));
    const Deadline deadline = Deadline::in(seconds(120));
    const auto planned = TRY(position::GtidSet::parse(what.set));
    const auto now = TRY(position::GtidSet::parse(
        TRY(held_beyond(engine(), work.owner->setup().socket, work.primary->setup().socket, deadline, scope.stop()))));
    if (!planned.contains(now))
      return fail(ErrorClass::refused, "repair.cannot_adopt",
                  fmt::format("{} has more of its own by now: {}", owner, now.subtract(planned).to_string(",")),
                  again());
    auto adoptable = provider::fetch_adoptable(*TRY(members_->way_to(owner)), what.set, deadline, scope.stop());
    if (!adoptable) return told(adoptable.error());
    if (adoptable->digest != what.digest)
      return fail(ErrorClass::refused, "repair.cannot_adopt", "its log does not hold what the plan was made from",
                  again());
    auto columns = engine::check_adoptable(*adoptable, work.primary->setup().socket, work.owner->setup().socket,
                                           deadline, scope.stop());
    if (!columns) return told(columns.error());
    work.adoptable = std::move(*adoptable);
    work.columns = std::move(*columns);
    return work;
  }

  /// A replica that goes on as it is must hold what it wrote when all that the primary has by now is applied there: a
  /// row that was changed there and back would be the replica's old one again, and nothing would ever tell.
  Status still_held(StepScope& scope, const Work& work, engine::Adopter& adopter, std::optional<size_t> of,
                    int limit) const {
    if (!takes<kind::RehearseAdoption>(scope.step()).in_place) return {};
    const Deadline deadline = Deadline::in(seconds(limit + 60));
    const auto& owner = work.owner->setup();
    TRY_VOID(engine::wait_for_transactions(owner.socket, TRY(adopter.executed(deadline, scope.stop())), limit,
                                           scope.stop()));
    const auto gone =
        TRY(engine::rows_not_held(work.adoptable, work.columns, owner.socket, of, deadline, scope.stop()));
    if (gone.empty()) return {};
    return fail(ErrorClass::refused, "adopt.conflict",
                fmt::format("{} no longer holds what it wrote itself, its source has overwritten it: {}", owner.name,
                            gone.front()));
  }

  static Result<engine::Adopter> session(StepScope& scope, const Work& work, Deadline deadline) {
    return engine::Adopter::connect(work.primary->setup().socket, work.columns, work.adoptable.format, deadline,
                                    scope.stop());
  }

  std::string again() const { return fmt::format("holdfast triage -c {} -v", members_->cluster.full_name()); }

  std::unexpected<Error> told(Error error) const { return fail(adoption_error(std::move(error), members_->cluster)); }
};

class RehearseAdoption : public AdoptionStep {
 public:
  using AdoptionStep::AdoptionStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto work = TRY(prepare(scope));
    const Deadline deadline = Deadline::in(seconds(300));
    auto adopter = TRY(session(scope, work, deadline));
    if (auto tried = adopter.rehearse(work.adoptable.transactions, deadline, scope.stop()); !tried)
      return told(tried.error());
    if (auto held = still_held(scope, work, adopter, {}, 60); !held) return told(held.error());
    return Value::object({{"transactions", uint64_t{work.adoptable.transactions.size()}}});
  }
};

class AdoptTransactions : public AdoptionStep {
 public:
  using AdoptionStep::AdoptionStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto work = TRY(prepare(scope));
    const Deadline deadline = Deadline::in(seconds(300));
    auto adopter = TRY(session(scope, work, deadline));
    uint64_t adopted = 0;
    for (size_t i = 0; i < work.adoptable.transactions.size(); ++i) {
      const auto held = [&] { return still_held(scope, work, adopter, i, 5); };
      if (scope.stop().stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
      TRY_VOID(still_ours(scope));
      if (auto done = adopter.adopt(work.adoptable.transactions[i], held, deadline, scope.stop()); !done)
        return told(
            Error(done.error())
                .with_context(fmt::format("{} of {} were adopted", adopted, work.adoptable.transactions.size())));
      ++adopted;
    }
    return Value::object({{"transactions", adopted}, {"set", takes<kind::AdoptTransactions>(scope.step()).set}});
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* primary = TRY(member(scope));
    auto connection = TRY(sql::MariadbConnection::connect(primary->setup().socket, soon()));
    const auto rows =
        TRY(connection.query(fmt::format("SELECT GTID_SUBSET({}, @@GLOBAL.gtid_executed) AS x",
                                         sql::quote_mysql(takes<kind::AdoptTransactions>(scope.step()).set)),
                             soon()));
    if (rows.text("x") == "1") return {};
    return fail(ErrorClass::failed, "repair.not_adopted", scope.step().member + " does not have all of them");
  }
};

}  // namespace

void add_adoption_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::RehearseAdoption, RehearseAdoption>(handlers, members);
  handle_with<kind::AdoptTransactions, AdoptTransactions>(handlers, members);
}

}  // namespace holdfast::repair
