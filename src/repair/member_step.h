// What the handlers of repair share. Only src/repair/*handlers.cpp includes this.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <memory>

#include "cluster/triage.h"
#include "engine/member_control.h"
#include "engine/replication.h"
#include "operation/handler.h"
#include "repair/handlers.h"
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

struct Members {
  cluster::DatabaseCluster cluster;
  std::vector<std::unique_ptr<engine::MemberControl>> controls;
  std::function<cluster::TriageReport()> triage;
  Doors::Escrow escrow;
  Doors::Dump dump;

  Result<engine::MemberControl*> find(const std::string& name) const {
    for (const auto& control : controls)
      if (control->setup().name == name) return control.get();
    return fail(ErrorClass::refused, "repair.no_member", "the cluster has no member " + name + " any more");
  }
  engine::Source source(const engine::MemberSetup& setup) const {
    return {setup.upstream_host, setup.upstream_port, setup.replication_user, setup.replication_password};
  }
  /// The same, with another member as the one to follow.
  Result<engine::Source> source(const engine::MemberSetup& setup, const std::string& upstream) const {
    const auto* described = cluster.find(upstream);
    if (!described)
      return fail(ErrorClass::refused, "repair.no_member", "whom to follow is no member any more: " + upstream,
                  fmt::format("holdfast triage -c {}", cluster.full_name()));
    engine::Source source = this->source(setup);
    source.host = described->host;
    source.port = described->port;
    return source;
  }
};

class MemberStep : public StepHandler {
 public:
  explicit MemberStep(std::shared_ptr<Members> members) : members_(std::move(members)) {}
  Status undo(StepScope&, const Value&, const Value*) override { return {}; }
  /// Doing it again does no harm: every step here leaves alone what is so already.
  Result<HowFar> how_far(StepScope&, const Value&) override { return HowFar{Reached::part, {}}; }

 protected:
  Result<engine::MemberControl*> member(StepScope& scope) const { return members_->find(scope.step().member); }
  Engine engine() const { return members_->cluster.engine; }
  const std::shared_ptr<Members> members_;
};

void add_keep_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);
void add_rebuild_handlers(operation::HandlerMap& handlers, const std::shared_ptr<Members>& members);

}  // namespace holdfast::repair
