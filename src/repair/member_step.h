// What the handlers of repair share. Only src/repair/*handlers.cpp includes this.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "cluster/triage.h"
#include "engine/member_control.h"
#include "engine/replication.h"
#include "operation/handler.h"
#include "provider/epoch.h"
#include "provider/member_access.h"
#include "repair/handlers.h"
#include "repair/step_kinds.h"
#include "sys/process.h"

namespace holdfast::repair {

using cluster::Engine;
using codec::Value;
using operation::HowFar;
using operation::Reached;
using operation::StepHandler;
using operation::StepScope;

inline Deadline soon() {
  return Deadline::in(std::chrono::seconds(30));
}

/// A repair that was killed leaves the agent at what it had asked for: the agent says "agent.busy" until that has
/// ended.
template <class Call>
auto when_free(Deadline deadline, const std::stop_token& stop, Call&& call) -> decltype(call()) {
  auto done = call();
  const auto busy = [&] { return !done && done.error().id == "agent.busy"; };
  if (busy()) TRY(sys::wait_until([&] { return !(done = call(), busy()); }, deadline, stop));
  return done;
}

inline Status start_member(engine::MemberControl& control, const engine::StartRequest& how, Deadline deadline) {
  return when_free(deadline, std::stop_token(), [&] { return control.start(how, deadline); });
}

inline Status stop_member(engine::MemberControl& control, Deadline deadline) {
  return when_free(deadline, std::stop_token(), [&] { return control.stop(deadline); });
}

/// What was seen of the cluster last, for who need not know it as it is now.
struct LastLook {
  std::optional<cluster::TriageReport> report;
  std::chrono::steady_clock::time_point at;
};

struct Members {
  explicit Members(provider::ClusterMembers ways) : access(std::move(ways)), cluster(access.cluster()) {}
  const provider::ClusterMembers access;
  const cluster::DatabaseCluster& cluster;
  std::vector<std::unique_ptr<engine::MemberControl>> controls;
  std::function<cluster::TriageReport()> triage;
  HandlerServices::Escrow escrow;
  HandlerServices::Dump dump;
  provider::CurrentEpoch epoch;  ///< of the operation; `controls` send it
  std::shared_ptr<LastLook> last_look = std::make_shared<LastLook>();

  std::unexpected<Error> no_member(const std::string& what) const {
    return fail(ErrorClass::refused, "repair.no_member", what,
                fmt::format("holdfast triage -c {}", cluster.full_name()));
  }
  Result<engine::MemberControl*> find(const std::string& name) const {
    for (const auto& control : controls) {
      if (control->setup().name != name) continue;
      TRY_VOID(control->learn());
      return control.get();
    }
    return no_member("the cluster has no member " + name + " any more");
  }
  Result<provider::MemberAccess*> way_to(const std::string& name) const {
    if (auto* way = access.find(name)) return way;
    return no_member("the cluster has no member " + name + " any more");
  }
  /// A request to a member's agent, with the operation's epoch.
  Result<Value> ask(const StepScope& scope, const std::string& name, const std::string& op, Value arguments,
                    Deadline deadline, const std::stop_token& stop) const {
    auto* way = TRY(way_to(name));
    arguments.set("epoch", scope.epoch());
    return when_free(deadline, stop, [&] { return way->request(op, arguments, deadline, stop); });
  }
  engine::Source source(const engine::MemberSetup& setup) const {
    engine::Source source{setup.upstream_host, setup.upstream_port, setup.replication_user, setup.replication_password};
    source.member = setup.upstream;
    return source;
  }
  /// The same, with another member as the one to follow.
  Result<engine::Source> source(const engine::MemberSetup& setup, const std::string& upstream) const {
    const auto* described = cluster.find(upstream);
    if (!described) return no_member("its source is no longer a member: " + upstream);
    engine::Source source = this->source(setup);
    source.member = upstream;
    // The description is for us; from the member's host another address may lead there.
    const auto peer = setup.peers.find(upstream);
    source.host = peer == setup.peers.end() ? described->host : peer->second.host;
    source.port = peer == setup.peers.end() ? described->port : peer->second.port;
    return source;
  }
};

/// After a power failure, or the end of an agent, servers are down that a done step had left running. One that should
/// follow is started again, as its init system would; one that should take writes is not. (after_crash.cpp)
Status start_after_crash(const Members& members, StepScope& scope, const std::string& member);
/// Galera: the component that this plan has bootstrapped is bootstrapped again when all of it is gone, if its first
/// member is still the one that holds everything. "repair.no_component" when it cannot be known. (after_crash.cpp)
Status component_after_crash(const Members& members, StepScope& scope);

/// MariaDB, after a start: a replica that asks for what it has logged already goes on behind it. "noted" when it needs
/// nothing, "settled", "unknown" when its source does not prove it, "none" when it follows nobody.
/// (logged_position.cpp)
Result<std::string> settle_position(const Members& members, StepScope& scope, engine::MemberControl& control);

class MemberStep : public StepHandler {
 public:
  explicit MemberStep(std::shared_ptr<Members> members) : members_(std::move(members)) {}
  Status undo(StepScope&, const Value&, const Value*) override { return {}; }
  /// A repair of several members: one that was proven healthy stays so when another one's repair fails.
  bool stays(StepScope& scope) override {
    return scope.plan().verb == "repair" && scope.result_of("prove-" + scope.step().member).is_object();
  }
  /// Doing it again does no harm: every step here leaves alone what is so already.
  Result<HowFar> how_far(StepScope&, const Value&) override { return HowFar{Reached::part, {}}; }

 protected:
  Result<engine::MemberControl*> member(StepScope& scope) const {
    *members_->epoch = scope.epoch();
    return members_->find(scope.step().member);
  }
  /// A request to the step's member's agent, with the operation's epoch.
  Result<Value> ask(StepScope& scope, const std::string& op, Value arguments, Deadline deadline,
                    bool interruptible = true) const {
    return members_->ask(scope, scope.step().member, op, std::move(arguments), deadline,
                         interruptible ? scope.stop() : std::stop_token());
  }
  /// Before a statement that changes a server, which knows no epochs: whether nobody has taken over meanwhile. An agent
  /// that does not answer cannot tell.
  Status still_ours(StepScope& scope) const {
    auto asked = ask(scope, "fence", Value::object(), soon(), false);
    if (!asked && asked.error().error_class != ErrorClass::unavailable) return fail(std::move(asked).error());
    return {};
  }
  Status ready_for_sql(StepScope& scope) const {
    TRY_VOID(still_ours(scope));
    return start_after_crash(*members_, scope, scope.step().member);
  }
  Engine engine() const { return members_->cluster.engine; }
  const std::shared_ptr<Members> members_;
};

/// Steps of `Kind` are carried out by a `Handler`.
template <class Kind, class Handler>
void handle_with(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members) {
  handlers.emplace(Kind::kName, std::make_shared<Handler>(members));
}

void add_adoption_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_inspection_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_keep_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_rebuild_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_galera_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_postgres_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_tail_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_received_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_logged_position_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);

}  // namespace holdfast::repair
