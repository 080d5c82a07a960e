// Making a member anew: copy kept, successor made beside, proved, swapped in by rename.
#include <fmt/format.h>

#include <set>

#include "engine/replication.h"
#include "repair/channels.h"
#include "repair/member_step.h"
#include "sys/process.h"

namespace holdfast::repair {

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
  Result<bool> has_side(StepScope& scope) const {
    auto status = TRY(ask(scope, "status", Value::object(), soon(), false));
    return status["server"]["side"].boolean();
  }
  /// The member follows already: an earlier step has brought it that far without a copy.
  bool is_needless(StepScope& scope, const std::string& earlier) const {
    return !earlier.empty() && scope.result_of(earlier)["joined"].boolean();
  }
  /// Which data directories the member has now.
  struct Directories {
    bool data = false;
    std::set<std::string> replaced, dropping;
  };
  Result<Directories> directories(StepScope& scope) const {
    const Value told = TRY(ask(scope, "directories", Value::object(), soon(), false));
    Directories found;
    found.data = told["data"].boolean();
    for (const auto& path : told["replaced"].items()) found.replaced.insert(path.text());
    for (const auto& path : told["dropping"].items()) found.dropping.insert(path.text());
    return found;
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
    const std::string source = takes<kind::ConfigureReplica>(scope.step()).source;
    TRY(ask(scope, "configure", Value::object({{"role", source.empty() ? "primary" : "replica"}, {"upstream", source}}),
            soon()));
    return Value::object();
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    TRY(ask(scope, "configure",
            Value::object({{"role", before["role"].text()}, {"upstream", before["upstream"].text()}}), soon(), false));
    return {};
  }
};

class DiscardSide : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(discard(scope));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    if (!TRY(has_side(scope))) return {};
    return fail(ErrorClass::failed, "repair.side", "the new directory is still there");
  }

 protected:
  /// Ends the copy first that a killed repair left under way.
  Status discard(StepScope& scope) const {
    TRY(ask(scope, "cancel", Value::object(), soon(), false));
    TRY(ask(scope, "discard_side", Value::object(), Deadline::in(seconds(600)), false));
    return {};
  }
};

class MakeSideCopy : public DiscardSide {
 public:
  using DiscardSide::DiscardSide;
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto how = takes<kind::MakeSideCopy>(scope.step());
    if (is_needless(scope, how.unless)) return Value::object();
    TRY_VOID(discard(scope));  // a half-made one of before
    if (!how.rewind) TRY_VOID(check_donor(scope, how.donor, kDonorPages));
    Value wanted = Value::object({{"from", how.rewind ? "rewind" : "donor"}, {"donor", how.donor}, {"side", true}});
    if (how.rate > 0) {
      // One of before would copy as fast as it can.
      const Value told = TRY(ask(scope, "status", Value::object(), soon()));
      if (told["protocol"].integer() < kSinceRates)
        return fail(ErrorClass::refused, "agent.too_old",
                    fmt::format("the agent of {} knows no rate for a copy", scope.step().member),
                    "install this version of holdfast on its host, too; or repair without --copy-rate");
      wanted.set("rate", how.rate);
    }
    auto made = ask(scope, "initialise", std::move(wanted), Deadline::in(how.rate > 0 ? hours(24 * 14) : hours(12)));
    // The copy may have met damage that the donor does not know of.
    if (!made && !scope.stop().stop_requested()) TRY_VOID(check_donor(scope, how.donor, kDonorPages));
    return made;
  }
  Status prove(StepScope&, const Value&, const Value&) override { return {}; }
  Status undo(StepScope& scope, const Value&, const Value*) override { return discard(scope); }

 private:
  /// What is read in that time is a donor of some hundred gigabytes.
  static constexpr seconds kDonorPages{300};
  static constexpr int kSinceRates = 3;  ///< version of the agents' protocol

  /// Its own agent reads its pages and remembers: one that is damaged is named by triage, and is no donor any more.
  Status check_donor(StepScope& scope, const std::string& donor, seconds limit) const {
    auto* way = members_->access.find(donor);
    const Deadline deadline = Deadline::in(limit + seconds(30));
    const auto asked = [&](const char* op, Value arguments) {
      arguments.set("epoch", scope.epoch());
      return way->request(op, std::move(arguments), Deadline::in(seconds(30)), scope.stop());
    };
    if (!way || !asked("check_pages", Value::object({{"limitSeconds", limit.count()}}))) return {};
    Value check;
    const auto read = [&] {
      const auto inspection = asked("inspect", Value::object());
      if (inspection) check = (*inspection)["pageCheck"];
      return !inspection || !check["running"].boolean();
    };
    (void)TRY(sys::wait_until(read, deadline, scope.stop()));
    if (check["bad"].items().empty()) return {};
    return fail(ErrorClass::failed, "repair.donor_damaged",
                fmt::format("{} cannot be copied from: its {} is damaged", donor, check["bad"].items()[0].text()),
                fmt::format("holdfast repair -c {0}, which takes another donor now; holdfast triage -c {0} names {1}",
                            members_->cluster.full_name(), donor));
  }
};

/// Runs the server on the new directory, in the member's own place, until it follows and is level; then stops it.
class ProveSide : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    if (is_needless(scope, takes<kind::ProveSide>(scope.step()).unless)) return Value::object();
    auto* control = TRY(member(scope));
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    TRY(ask(scope, "start", Value::object({{"mode", "normal"}, {"data", "side"}}), Deadline::in(seconds(600))));
    auto proved = follows(scope, *control);
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    return proved;
  }
  Status undo(StepScope& scope, const Value&, const Value*) override {
    auto* control = TRY(member(scope));
    return stop_member(*control, Deadline::in(seconds(90)));
  }

 private:
  Result<Value> follows(StepScope& scope, engine::MemberControl& control) {
    if (engine() == Engine::galera) return Value::object();  // the agent waited until it was in the primary component
    const auto& server = control.setup().socket;
    const auto keeps_up = [&](const engine::Which& which) {
      return engine::wait_for_replication(engine(), server, which, true, Deadline::in(seconds(600)), scope.stop());
    };
    if (engine() == Engine::postgres) {
      TRY_VOID(keeps_up(std::nullopt));
      return Value::object();
    }
    const engine::Source source = TRY(members_->source(control.setup(), takes<kind::ProveSide>(scope.step()).source));
    TRY_VOID(still_ours(scope));
    const auto restored = TRY(restore_channels(*members_, control, source, scope.stop()));
    TRY_VOID(keeps_up(restored.own));
    if (restored.delayed) TRY_VOID(engine::set_delay(engine(), server, *restored.delayed, soon(), scope.stop()));
    return Value::object(
        {{"otherChannels", Value::list_of(restored.others)}, {"channelsNotMade", Value::list_of(restored.not_made)}});
  }
};

class SwapSide : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> look_before(StepScope& scope) override {
    const auto now = TRY(directories(scope));
    return Value::object({{"aside", Value::list_of(now.replaced)}, {"data", now.data}});
  }
  Result<Value> run(StepScope& scope, const Value& before) override {
    TRY_VOID(still_ours(scope));
    if (was_needless(scope)) return Value::object({{"path", ""}});
    if (!TRY(has_side(scope))) {  // taken up after a crash
      auto made = TRY(found(scope, before));
      if (!made["path"].text().empty() || !before["data"].boolean(true)) return made;
      return fail(ErrorClass::failed, "repair.no_side",
                  "the new directory of " + scope.step().member + " is gone; the old one is where it was",
                  "run repair again: it makes another one");
    }
    auto swapped = TRY(ask(scope, "swap_side", Value::object(), Deadline::in(seconds(120)), false));
    return Value::object({{"path", swapped["path"].text()}});
  }
  /// Which directory is the old one is written down before anything moves: once both have been moved, and nobody came
  /// to say so, nothing on the disk tells them apart.
  Status undo(StepScope& scope, const Value& before, const Value* result) override {
    auto* control = TRY(member(scope));
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    Value noted = scope.progress();
    if (!noted.is_object()) {
      const Value seen = result ? *result : TRY(found(scope, before));
      noted =
          Value::object({{"path", seen["path"].text()}, {"others", Value::list_of(TRY(directories(scope)).replaced)}});
      TRY_VOID(scope.record(noted));
    }
    const std::string path = noted["path"].text();
    if (path.empty()) return {};
    if (TRY(directories(scope)).replaced.contains(path))
      TRY(ask(scope, "put_back", Value::object({{"path", path}}), Deadline::in(seconds(120)), false));
    // The copy, moved aside by that: there is a donor to make it again from, and the disk needs the space.
    std::set<std::string> copies = TRY(directories(scope)).replaced;
    for (const auto& other : noted["others"].items()) copies.erase(other.text());
    for (const auto& copy : copies)
      TRY(ask(scope, "drop_aside", Value::object({{"path", copy}}), Deadline::in(seconds(600)), false));
    return {};
  }

 private:
  /// No new directory was made: the member came back without.
  static bool was_needless(StepScope& scope) {
    for (const auto& step : scope.plan().steps)
      if (is<kind::MakeSideCopy>(step) && step.member == scope.step().member)
        return scope.result_of(step.id).is_object() && scope.result_of(step.id).members().empty();
    return false;
  }
  /// The directory that was not aside before.
  Result<Value> found(StepScope& scope, const Value& before) const {
    auto now = TRY(directories(scope)).replaced;
    for (const auto& path : before["aside"].items()) now.erase(path.text());
    return Value::object({{"path", now.empty() ? "" : *now.rbegin()}});
  }
};

class DropAside : public AgentStep {
 public:
  using AgentStep::AgentStep;
  /// It goes by one rename first: as long as it has its name it is whole, and earlier requests for it are refused since
  /// this operation's present epoch is known to the agent.
  Result<HowFar> how_far(StepScope& scope, const Value&) override {
    TRY(ask(scope, "fence", Value::object(), soon(), false));
    const std::string path = path_of(scope);
    return HowFar{TRY(directories(scope)).replaced.contains(path) ? Reached::nothing : Reached::part, {}};
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(start_after_crash(*members_, scope, scope.step().member));
    const std::string path = path_of(scope);
    const auto now = TRY(directories(scope));
    if (!path.empty() && (now.replaced.contains(path) || !now.dropping.empty()))
      TRY(ask(scope, "drop_aside", Value::object({{"path", path}}), Deadline::in(seconds(600)), false));
    return Value::object({{"path", path}});
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    const std::string path = path_of(scope);
    const auto left = TRY(directories(scope));
    if (!left.replaced.contains(path) && left.dropping.empty()) return {};
    return fail(ErrorClass::failed, "repair.not_removed",
                (left.dropping.empty() ? path : *left.dropping.begin()) + " is still there: its removal did not end",
                "see what keeps it there (lsattr -R shows immutable files: chattr -i), then holdfast operations list");
  }

 private:
  static std::string path_of(StepScope& scope) {
    return scope.result_of(takes<kind::DropAside>(scope.step()).swap)["path"].text();
  }
};

/// PostgreSQL: room on a full disk, from WAL that nobody needs.
class FreeWal : public AgentStep {
 public:
  using AgentStep::AgentStep;
  Result<Value> run(StepScope& scope, const Value&) override {
    const auto what = takes<kind::FreeWal>(scope.step());
    return ask(scope, "free_wal",
               Value::object({{"keepFrom", what.keep_from}, {"dropSlots", Value::list_of(what.slots)}}),
               Deadline::in(seconds(120)), false);
  }
};

}  // namespace

void add_rebuild_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handle_with<kind::ConfigureReplica, ConfigureReplica>(handlers, members);
  handle_with<kind::DiscardSide, DiscardSide>(handlers, members);
  handle_with<kind::MakeSideCopy, MakeSideCopy>(handlers, members);
  handle_with<kind::ProveSide, ProveSide>(handlers, members);
  handle_with<kind::SwapSide, SwapSide>(handlers, members);
  handle_with<kind::FreeWal, FreeWal>(handlers, members);
  handle_with<kind::DropAside, DropAside>(handlers, members);
}

}  // namespace holdfast::repair
