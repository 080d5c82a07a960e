// Making a member anew: copy kept, successor made beside, proved, swapped in by rename.
#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "engine/replication.h"
#include "provider/agent_call.h"
#include "repair/member_step.h"

namespace holdfast::repair {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::seconds;

namespace {

/// A step that talks to the member's agent.
class AgentStep : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Status prove(StepScope&, const Value&, const Value&) override { return {}; }

 protected:
  Result<Value> ask(StepScope& scope, const std::string& op, Value arguments, Deadline deadline,
                    bool interruptible = true) const {
    const auto* described = members_->cluster.find(scope.step().member);
    if (!described)
      return fail(ErrorClass::refused, "repair.no_member",
                  "the cluster has no member " + scope.step().member + " any more");
    const std::stop_token stop = interruptible ? scope.stop() : std::stop_token();
    return when_free(deadline, stop, [&] { return provider::ask_agent(*described, op, arguments, deadline, stop); });
  }
  Result<bool> has_side(StepScope& scope) const {
    auto status = TRY(ask(scope, "status", Value::object(), soon(), false));
    return status["server"]["side"].boolean();
  }
  std::string data_dir(StepScope& scope) const { return members_->cluster.find(scope.step().member)->data_dir; }
};

class TakeEscrow : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    return members_->escrow(scope.step().member, data_dir(scope), scope.operation(), scope.stop());
  }
};

/// The member's agent starts it as a replica of the one that takes writes, also after the repair.
class ConfigureReplica : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> look_before(StepScope& scope) override {
    auto status = TRY(ask(scope, "status", Value::object(), soon()));
    return Value::object({{"role", status["role"].text()}, {"upstream", status["upstream"].text()}});
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY(ask(scope, "configure",
            Value::object({{"role", "replica"}, {"upstream", scope.step().arguments["source"].text()}}), soon()));
    return Value::object();
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    TRY(ask(scope, "configure",
            Value::object({{"role", before["role"].text()}, {"upstream", before["upstream"].text()}}), soon(), false));
    return {};
  }
};

class MakeSideCopy : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(discard(scope));  // a half-made one of before
    const auto& how = scope.step().arguments;
    return ask(scope, "initialise",
               Value::object({{"from", how["rewind"].boolean() ? "rewind" : "donor"},
                              {"donor", how["donor"].text()},
                              {"side", true}}),
               Deadline::in(hours(12)));
  }
  Status undo(StepScope& scope, const Value&, const Value*) override { return discard(scope); }

 private:
  /// Ends the copy first that a killed repair left under way.
  Status discard(StepScope& scope) const {
    TRY(ask(scope, "cancel", Value::object(), soon(), false));
    TRY(ask(scope, "discard_side", Value::object(), Deadline::in(seconds(600)), false));
    return {};
  }
};

/// Runs the server on the new directory, in the member's own place, until it follows and is level; then stops it.
class ProveSide : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    TRY(ask(scope, "start", Value::object({{"mode", "normal"}, {"data", "side"}}), Deadline::in(seconds(600))));
    auto proved = follows(scope, *control);
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    if (!proved) return fail(std::move(proved).error());
    return Value::object();
  }
  Status undo(StepScope& scope, const Value&, const Value*) override {
    auto* control = TRY(member(scope));
    return stop_member(*control, Deadline::in(seconds(90)));
  }

 private:
  Status follows(StepScope& scope, engine::MemberControl& control) {
    if (engine() == Engine::galera) return {};  // the agent waited until it was part of the primary component
    if (engine() != Engine::postgres) {
      const engine::Source source = TRY(members_->source(control.setup(), scope.step().arguments["source"].text()));
      TRY_VOID(engine::follow(engine(), control.setup().socket, source, soon(), scope.stop()));
    }
    return engine::wait_for_replication(engine(), control.setup().socket, true, Deadline::in(seconds(600)),
                                        scope.stop());
  }
};

class SwapSide : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> look_before(StepScope& scope) override {
    return Value::object({{"aside", Value::list_of(asides(scope))}});
  }
  Result<Value> run(StepScope& scope, const Value& before) override {
    if (!TRY(has_side(scope))) return found(scope, before);  // taken up after a crash
    auto swapped = TRY(ask(scope, "swap_side", Value::object(), Deadline::in(seconds(120)), false));
    return Value::object({{"path", swapped["path"].text()}});
  }
  Status undo(StepScope& scope, const Value& before, const Value* result) override {
    const Value seen = result ? *result : TRY(found(scope, before));
    const std::string path = seen["path"].text();
    auto* control = TRY(member(scope));
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    if (path.empty() || !fs::exists(path)) return {};
    const auto others = asides(scope);
    TRY(ask(scope, "put_back", Value::object({{"path", path}}), Deadline::in(seconds(120)), false));
    // The copy, moved aside by that: there is a donor to make it again from, and the disk needs the space.
    for (const auto& copy : asides(scope))
      if (!others.contains(copy))
        TRY(ask(scope, "drop_aside", Value::object({{"path", copy}}), Deadline::in(seconds(600)), false));
    return {};
  }

 private:
  std::set<std::string> asides(StepScope& scope) const {
    const fs::path data = data_dir(scope);
    std::set<std::string> found;
    std::error_code error;
    for (fs::directory_iterator it(data.parent_path(), error), end; !error && it != end; it.increment(error))
      if (it->path().filename().string().starts_with(data.filename().string() + ".replaced-"))
        found.insert(it->path().string());
    return found;
  }
  /// The directory that was not aside before.
  Result<Value> found(StepScope& scope, const Value& before) const {
    auto now = asides(scope);
    for (const auto& path : before["aside"].items()) now.erase(path.text());
    return Value::object({{"path", now.empty() ? "" : *now.rbegin()}});
  }
};

class DropAside : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    const std::string path = scope.result_of(scope.step().arguments["swap"].text())["path"].text();
    if (!path.empty() && fs::exists(path))
      TRY(ask(scope, "drop_aside", Value::object({{"path", path}}), Deadline::in(seconds(600)), false));
    return Value::object({{"path", path}});
  }
};

/// PostgreSQL: room on a full disk, from WAL that nobody needs.
class FreeWal : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto& what = scope.step().arguments;
    return ask(scope, "free_wal", Value::object({{"keepFrom", what["keepFrom"].text()}, {"dropSlots", what["slots"]}}),
               Deadline::in(seconds(120)), false);
  }
};

}  // namespace

void add_rebuild_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handlers["take_escrow"] = std::make_shared<TakeEscrow>(members);
  handlers["configure_replica"] = std::make_shared<ConfigureReplica>(members);
  handlers["make_side_copy"] = std::make_shared<MakeSideCopy>(members);
  handlers["prove_side"] = std::make_shared<ProveSide>(members);
  handlers["swap_side"] = std::make_shared<SwapSide>(members);
  handlers["free_wal"] = std::make_shared<FreeWal>(members);
  handlers["drop_aside"] = std::make_shared<DropAside>(members);
}

}  // namespace holdfast::repair
