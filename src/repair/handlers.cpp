#include "repair/handlers.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "engine/replication.h"
#include "repair/channels.h"
#include "repair/last_look.h"
#include "repair/live_position.h"
#include "repair/member_step.h"
#include "repair/recognise.h"
#include "sql/mariadb.h"
#include "sql/postgres.h"

namespace holdfast::repair {

using std::chrono::seconds;

namespace {

class StartServer : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    return Value::object({{"running", TRY(control->is_running(soon()))}});
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    if (engine() == Engine::galera) TRY_VOID(component_after_crash(*members_, scope));
    if (takes<kind::StartServer>(scope.step()).restart) TRY_VOID(stop_member(*control, Deadline::in(seconds(60))));
    engine::StartRequest how;
    for (const auto& [setting, value] : takes<kind::StartServer>(scope.step()).settings.members()) {  // PostgreSQL
      how.extra_args.emplace_back("-c");
      how.extra_args.push_back(fmt::format("{}={}", setting, value.integer()));
    }
    const bool rebuilt = scope.plan().find("swap-" + scope.step().member);
    TRY_VOID(start_with_channels(*members_, *control, how, rebuilt, Deadline::in(seconds(180)), scope.stop()));
    if (engine() != Engine::mariadb) return Value::object();
    return Value::object({{"position", TRY(settle_position(*members_, scope, *control))}});
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    if (TRY(control->is_running(soon()))) return {};
    return fail(ErrorClass::failed, "repair.not_running", scope.step().member + " does not run after its start");
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    // It ran before: better that it runs than that it does not.
    if (before["running"].boolean()) return start_member(*control, {}, Deadline::in(seconds(180)));
    return stop_member(*control, Deadline::in(seconds(60)));
  }
};

class ContinueServer : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Result<Value> run(StepScope& scope, const Value&) override {
    return ask(scope, "continue", Value::object({{"timeoutSeconds", 50}}), Deadline::in(seconds(60)));
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    const auto seen = TRY(ask(scope, "inspect", Value::object(), soon()));
    const std::string state = seen["processState"].text();
    if (state == "T" || state == "t")
      return fail(ErrorClass::failed, "repair.not_running", scope.step().member + " is stopped by a signal again");
    // Answered at once by a server that serves.
    TRY(ask(scope, "continue", Value::object({{"timeoutSeconds", 20}}), soon()));
    if (engine() == Engine::galera) TRY_VOID(wait_for_view(scope));
    return {};
  }

 private:
  /// Galera: for a moment it still says what it was when it was stopped, and does not know that the others have gone on
  /// without it. What comes of it is for the next step to prove.
  Status wait_for_view(StepScope& scope) const {
    const auto knows = [&] {
      const auto report = members_->triage();
      const auto* own = report.find(scope.step().member);
      if (!own || !own->facts.galera || !own->facts.galera->conf_id) return false;
      return std::ranges::any_of(report.members, [&](const cluster::MemberReport& other) {
        return &other != own && cluster::in_primary_component(other.facts) &&
               other.facts.galera->conf_id == own->facts.galera->conf_id;
      });
    };
    TRY(sys::wait_until(knows, Deadline::in(seconds(90)), scope.stop()));
    return {};
  }
};

class StopServer : public StartServer {
 public:
  using StartServer::StartServer;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    const auto status = TRY(ask(scope, "status", Value::object(), soon()));
    return Value::object(
        {{"running", TRY(control->is_running(soon()))}, {"data", status["server"]["data"].text_or("main")}});
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(stop_member(*control, Deadline::in(seconds(90))));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    if (!TRY(control->is_running(soon()))) return {};
    return fail(ErrorClass::failed, "repair.still_running", scope.step().member + " still runs");
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    if (!before["running"].boolean() || takes<kind::StopServer>(scope.step()).keep) return {};
    if (before["data"].text() == "side") {
      const auto status = TRY(ask(scope, "status", Value::object(), soon(), false));
      if (status["server"]["side"].boolean()) {
        TRY(ask(scope, "start", Value::object({{"data", "side"}}), Deadline::in(seconds(180)), false));
        return {};
      }
    }
    // A Galera node without a component does not get ready; that it runs again is all that there was before.
    auto started = start_with_channels(*members_, *control, {}, false, Deadline::in(seconds(60)), {});
    return started || TRY(control->is_running(soon())) ? Status() : started;
  }
};

Value stream_value(const engine::StreamState& s) {
  return Value::object({{"follows", s.follows},
                        {"receiving", s.receiving},
                        {"applying", s.applying},
                        {"host", s.host},
                        {"port", s.port},
                        {"channel", s.channel}});
}

engine::StreamState stream_from(const Value& v) {
  return {v["follows"].boolean(),
          v["receiving"].boolean(),
          v["applying"].boolean(),
          v["host"].text(),
          static_cast<int>(v["port"].integer()),
          v["channel"].text()};
}

class StreamStep : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    const auto channel = TRY(own_channel(*members_, *control, scope.stop()));
    return stream_value(TRY(engine::stream_state(engine(), control->setup().socket, channel, soon(), scope.stop())));
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    const bool level = until_level(scope);
    return engine::wait_for_replication(engine(), control->setup().socket,
                                        TRY(own_channel(*members_, *control, scope.stop())), level,
                                        Deadline::in(seconds(level ? 600 : 60)), scope.stop());
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    return engine::restore_stream(engine(), control->setup().socket, stream_from(before),
                                  members_->source(control->setup()), soon());
  }

 protected:
  /// Where an event could not be applied, that threads run is no proof: they may only try again.
  virtual bool until_level(const StepScope& scope) const { return takes<kind::ResumeReplication>(scope.step()).level; }
};

class ResumeReplication : public StreamStep {
 public:
  using StreamStep::StreamStep;
  Result<Value> run(StepScope& scope, const Value& before) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    auto resumed =
        engine::resume_replication(engine(), control->setup().socket, before["channel"].text(), soon(), scope.stop());
    if (!resumed && engine() == Engine::mysql && engine::relay_logs_missing(resumed.error())) {
      const auto stream =
          TRY(engine::stream_state(engine(), control->setup().socket, before["channel"].text(), soon(), scope.stop()));
      const auto source = source_name(*members_, control->setup(), engine::following_of(stream));
      if (!source.empty()) resumed = fetch(scope, *control, before, source);
    }
    if (!resumed) return fail(std::move(resumed).error());
    return Value::object();
  }

 protected:
  Status fetch(StepScope& scope, engine::MemberControl& replica, const Value& before, const std::string& source) const {
    auto* control = TRY(members_->find(source));
    return engine::fetch_logs_anew(replica.setup().socket, before["channel"].text(), control->setup().socket, soon(),
                                   scope.stop());
  }
};

class ReconnectReceiver : public StreamStep {
 public:
  using StreamStep::StreamStep;
  Result<Value> run(StepScope& scope, const Value& before) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(
        engine::reconnect_receiver(engine(), control->setup().socket, before["channel"].text(), soon(), scope.stop()));
    return Value::object();
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    return engine::resume_replication(engine(), control->setup().socket, before["channel"].text(), soon());
  }

 protected:
  bool until_level(const StepScope&) const override { return true; }
};

class FetchLogsAnew : public ResumeReplication {
 public:
  using ResumeReplication::ResumeReplication;
  Result<Value> run(StepScope& scope, const Value& before) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(fetch(scope, *control, before, takes<kind::FetchLogsAnew>(scope.step()).source));
    return Value::object();
  }
};

class FollowSource : public StreamStep {
 public:
  using StreamStep::StreamStep;
  Result<Value> look_before(StepScope& scope) override {
    // It may have written since the plan was made: a second writer until it was closed.
    auto* control = TRY(member(scope));
    auto* source = TRY(members_->find(takes<kind::FollowSource>(scope.step()).source));
    const auto own = TRY(held_beyond(engine(), control->setup().socket, source->setup().socket, soon(), scope.stop(),
                                     TRY(foreign_origins(*members_, *control, scope.stop()))));
    if (!own.empty())
      return fail(ErrorClass::refused, "repair.target_is_authority",
                  fmt::format("{} has what {} lacks by now: {}", scope.step().member, source->setup().name, own),
                  fmt::format("holdfast triage -c {} -v", members_->cluster.full_name()));
    Value before = TRY(StreamStep::look_before(scope));
    if (!before["follows"].boolean() && engine() != Engine::postgres) {
      const auto waits = engine::semi_sync_on(control->setup().socket, true, soon(), scope.stop());
      if (!waits && waits.error().id != "replication.no_semi_sync") return fail(waits.error());
      before.set("semiSyncSource", waits.value_or(false));  // without the plug-in it does not
    }
    return before;
  }
  Result<Value> run(StepScope& scope, const Value& before) override {
    auto* control = TRY(member(scope));
    const auto how = takes<kind::FollowSource>(scope.step());
    engine::Source source = TRY(members_->source(control->setup(), how.source));
    source.renew = how.renew;
    source.demote = !before["follows"].boolean();
    TRY_VOID(ready_for_sql(scope));
    // Its applier would wait, too, for replicas that have left it: for as long as the timeout, which may be for ever.
    if (before["semiSyncSource"].boolean()) TRY_VOID(wait_for_receipts(*control, false, scope.stop()));
    TRY_VOID(follow_as_before(*members_, *control, source, scope.stop()));
    return Value::object();
  }
  Status undo(StepScope& scope, const Value& before, const Value* result) override {
    TRY_VOID(StreamStep::undo(scope, before, result));
    return before["semiSyncSource"].boolean() ? wait_for_receipts(*TRY(member(scope)), true, {}) : Status();
  }

 private:
  Status wait_for_receipts(engine::MemberControl& control, bool on, std::stop_token stop) const {
    return engine::set_semi_sync(engine(), control.setup().socket, true, on, "", Deadline::in(seconds(60)),
                                 std::move(stop));
  }
};

/// Nothing is wrong with it but that it leaves data out, as it is configured to.
bool only_filters(const cluster::TriageReport& report, const cluster::MemberReport& member) {
  return !member.healthy() && std::ranges::all_of(report.diagnoses, [&](const cluster::Diagnosis& d) {
    const bool of_it = std::ranges::find(d.members, member.facts.member) != d.members.end();
    return !of_it || d.severity < cluster::Severity::error || d.id == "replica-filters";
  });
}

/// A connection that is no part of the cluster's replication.
class DropChannel : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    const auto own = TRY(own_channel(*members_, *control, scope.stop()));
    if (own != channel(scope)) return Value::object();
    return fail(ErrorClass::refused, "operation.world_changed",
                fmt::format("{} follows by its channel '{}' now: it is not removed", scope.step().member, own),
                fmt::format("holdfast triage -c {}", members_->cluster.full_name()));
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(engine::forget_channel(engine(), control->setup().socket, channel(scope), soon(), scope.stop()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    auto* control = TRY(member(scope));
    const auto state =
        TRY(engine::stream_state(engine(), control->setup().socket, channel(scope), soon(), scope.stop()));
    if (!state.follows) return {};
    return fail(ErrorClass::failed, "repair.not_removed",
                fmt::format("{} still has the channel '{}'", scope.step().member, channel(scope)));
  }

 private:
  static std::string channel(StepScope& scope) { return takes<kind::DropChannel>(scope.step()).channel; }
};

class SetReadOnly : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override {
    auto* control = TRY(member(scope));
    auto connection = TRY(sql::MariadbConnection::connect(control->setup().socket, soon()));
    const auto plain = TRY(connection.query("SELECT @@read_only AS x", soon()));
    return Value::object({{"readOnly", TRY(is_read_only(scope))}, {"toClients", plain.text("x") != "0"}});
  }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(engine::set_read_only(engine(), control->setup().socket, true, soon(), scope.stop()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    if (TRY(is_read_only(scope))) return {};
    return fail(ErrorClass::failed, "repair.not_read_only", scope.step().member + " still accepts writes");
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    if (before["readOnly"].boolean() || takes<kind::SetReadOnly>(scope.step()).keep) return {};
    TRY_VOID(ready_for_sql(scope));
    // MySQL: closed for administrators it was closed for all.
    if (engine() == Engine::mysql && !before["toClients"].boolean())
      return engine::set_writable(control->setup().socket, soon());
    return engine::set_read_only(engine(), control->setup().socket, false, soon());
  }

 private:
  Result<bool> is_read_only(StepScope& scope) const {
    auto* control = TRY(member(scope));
    auto connection = TRY(sql::MariadbConnection::connect(control->setup().socket, soon()));
    auto rows = TRY(connection.query(
        engine() == Engine::mysql ? "SELECT @@super_read_only AS x" : "SELECT @@read_only AS x", soon()));
    return rows.text("x") != "0";
  }
};

class SetSemiSync : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override { return Value::object({{"on", TRY(is_on(scope))}}); }
  Result<Value> run(StepScope& scope, const Value&) override {
    auto* control = TRY(member(scope));
    TRY_VOID(ready_for_sql(scope));
    TRY_VOID(engine::set_semi_sync(engine(), control->setup().socket, as_source(scope), true,
                                   TRY(own_channel(*members_, *control, scope.stop())), Deadline::in(seconds(60)),
                                   scope.stop()));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    if (TRY(is_on(scope))) return {};
    return fail(ErrorClass::failed, "repair.semi_sync", scope.step().member + " does not say that semi-sync is on");
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    auto* control = TRY(member(scope));
    if (before["on"].boolean()) return {};
    TRY_VOID(ready_for_sql(scope));
    return engine::set_semi_sync(engine(), control->setup().socket, as_source(scope), false,
                                 TRY(own_channel(*members_, *control, {})), Deadline::in(seconds(60)));
  }

 private:
  static bool as_source(StepScope& scope) { return takes<kind::SetSemiSync>(scope.step()).source; }
  Result<bool> is_on(StepScope& scope) const {
    auto* control = TRY(member(scope));
    return engine::semi_sync_on(control->setup().socket, as_source(scope), soon(), scope.stop());
  }
};

class CreateSlot : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope& scope) override { return Value::object({{"there", TRY(is_there(scope))}}); }
  Result<Value> run(StepScope& scope, const Value&) override {
    if (TRY(is_there(scope))) return Value::object();
    TRY_VOID(ready_for_sql(scope));
    TRY(select(scope, "SELECT pg_create_physical_replication_slot({}, true)"));
    return Value::object();
  }
  Status prove(StepScope& scope, const Value&, const Value&) override {
    if (TRY(is_there(scope))) return {};
    return fail(ErrorClass::failed, "repair.slot", "the slot is not there after it was made");
  }
  Status undo(StepScope& scope, const Value& before, const Value*) override {
    if (before["there"].boolean() || !TRY(is_there(scope))) return {};
    TRY_VOID(ready_for_sql(scope));
    TRY(select(scope, "SELECT pg_drop_replication_slot({})"));
    return {};
  }

 private:
  Result<sql::Rows> select(StepScope& scope, std::string_view statement) const {
    auto* control = TRY(member(scope));
    auto connection = TRY(sql::PostgresConnection::connect(control->setup().socket, soon()));
    const std::string slot = sql::quote_postgres(takes<kind::CreateSlot>(scope.step()).slot);
    return connection.query(fmt::format(fmt::runtime(statement), slot), soon());
  }
  Result<bool> is_there(StepScope& scope) const {
    return !TRY(select(scope, "SELECT 1 FROM pg_replication_slots WHERE slot_name = {}")).empty();
  }
};

/// A member that serves, and for a while has asked for one and the same thing, which no waiting brings.
class NeedsMore {
 public:
  bool for_good(const cluster::MemberReport* seen) {
    const auto now = std::chrono::steady_clock::now();
    std::string need;
    if (seen && seen->facts.reachable() && seen->action > cluster::Action::restart)
      need = fmt::format("{} {}", cluster::action_name(seen->action), seen->sentence);
    if (need.empty() || need != need_) {
      need_ = need;
      since_ = now;
    }
    return !need.empty() && now - since_ > seconds(10);
  }

 private:
  std::string need_;
  std::chrono::steady_clock::time_point since_;
};

class ProveMember : public MemberStep {
 public:
  using MemberStep::MemberStep;
  Result<Value> look_before(StepScope&) override { return Value::object(); }
  Result<Value> run(StepScope& scope, const Value&) override {
    TRY_VOID(start_after_crash(*members_, scope, scope.step().member));
    const Deadline deadline = Deadline::in(seconds(takes<kind::ProveMember>(scope.step()).tell ? 30 : 120));
    // A standby that is always a little behind has its files compared sooner or later, not here.
    const Deadline patience = deadline.at_most(seconds(20));
    std::mutex mutex;
    std::condition_variable_any wake;
    NeedsMore needs_more;
    for (;;) {
      const auto report = members_->triage();
      const auto* seen = report.find(scope.step().member);
      // A server knows of damage on its disk when it comes upon it: its agent looks, and no waiting mends what it
      // finds.
      const bool still_looked_at =
          seen && ((seen->facts.runtime.page_check && seen->facts.runtime.page_check->running) ||
                   (seen->facts.files_compared == false && !patience.passed()));
      const bool damaged = seen && !seen->facts.damaged_pages().empty();
      if (seen && seen->healthy() && !still_looked_at)
        return Value::object({{"healthy", true}, {"sentence", seen->sentence}, {"remark", pages_unread(seen->facts)}});
      // Its filters came back with its connections: what else it is to be, it is.
      if (seen && scope.plan().find("swap-" + scope.step().member) && only_filters(report, *seen))
        return Value::object({{"healthy", false}, {"unproven", seen->sentence}});
      const bool serves_is_enough = takes<kind::ProveMember>(scope.step()).serves_is_enough;
      if (serves_is_enough && (needs_more.for_good(seen) || damaged))
        return Value::object(
            {{"healthy", false}, {"unproven", seen->sentence}, {"needs", cluster::action_name(seen->action)}});
      if (scope.stop().stop_requested()) return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted");
      if (deadline.passed() || damaged) {
        const std::string sentence = seen ? seen->sentence : "not seen";
        if (takes<kind::ProveMember>(scope.step()).tell)
          return Value::object({{"healthy", false}, {"unproven", sentence}});
        return fail(
            ErrorClass::failed, "repair.not_healthy",
            fmt::format("{} did not get healthy{}: {}", scope.step().member, damaged ? "" : " in time", sentence),
            fmt::format("holdfast triage -c {}", report.cluster.full_name()));
      }
      std::unique_lock lock(mutex);
      wake.wait_for(lock, scope.stop(), std::chrono::milliseconds(300), [] { return false; });
    }
  }
  Status prove(StepScope&, const Value&, const Value&) override { return {}; }  // run() is the proof
  Status still_so(StepScope& scope, const Value& before, const Value& result) override {
    if (!result["healthy"].boolean()) return {};  // it was told then what was not proven
    const Value now = TRY(run(scope, before));
    if (now["healthy"].boolean()) return {};
    return fail(ErrorClass::failed, "repair.not_healthy",
                fmt::format("{} is not healthy any more: {}", scope.step().member, now["unproven"].text()),
                fmt::format("holdfast triage -c {}", members_->cluster.full_name()));
  }
};

}  // namespace

Result<operation::HandlerMap> repair_handlers(const provider::ClusterMembers& cluster, HandlerServices services,
                                              std::stop_token stop) {
  auto members = std::make_shared<Members>(cluster);
  members->epoch = services.epoch;
  members->controls = TRY(cluster.control(stop, members->epoch));
  members->triage = std::move(services.triage);
  members->escrow = std::move(services.escrow);
  members->dump = std::move(services.dump);
  operation::HandlerMap handlers;
  handle_with<kind::StartServer, StartServer>(handlers, members);
  handle_with<kind::ContinueServer, ContinueServer>(handlers, members);
  handle_with<kind::StopServer, StopServer>(handlers, members);
  handle_with<kind::ResumeReplication, ResumeReplication>(handlers, members);
  handle_with<kind::FetchLogsAnew, FetchLogsAnew>(handlers, members);
  handle_with<kind::ReconnectReceiver, ReconnectReceiver>(handlers, members);
  handle_with<kind::FollowSource, FollowSource>(handlers, members);
  handle_with<kind::DropChannel, DropChannel>(handlers, members);
  handle_with<kind::SetReadOnly, SetReadOnly>(handlers, members);
  handle_with<kind::SetSemiSync, SetSemiSync>(handlers, members);
  handle_with<kind::CreateSlot, CreateSlot>(handlers, members);
  handle_with<kind::ProveMember, ProveMember>(handlers, members);
  add_adoption_handlers(handlers, members);
  add_inspection_handlers(handlers, members);
  add_keep_handlers(handlers, members);
  add_rebuild_handlers(handlers, members);
  add_galera_handlers(handlers, members);
  add_postgres_handlers(handlers, members);
  add_tail_handlers(handlers, members);
  add_logged_position_handlers(handlers, members);
  add_received_handlers(handlers, members);
  return handlers;
}

}  // namespace holdfast::repair
