#include "steward/further_plans.h"

#include <algorithm>
#include <optional>

#include "steward/plan_run.h"
#include "steward/repair_plan.h"
#include "sys/process.h"

namespace holdfast::steward {

namespace {

/// How often the cluster is observed for two observations in a row that lead to the same plan.
constexpr int kMostObservations = 5;
/// How often a further plan may be overtaken by a cluster that changes.
constexpr int kMostOvertaken = 2;

struct Rest {
  cluster::TriageReport seen;
  Result<PlanRun> run;
};

/// What the last plan left, and the plan for it. Two observations in a row must lead to it, for servers that were
/// started a moment ago are not what they will be; nothing when they go on changing, or a stop was requested.
std::optional<Rest> observe_the_rest(ClusterAccess& cluster, const repair::Request& wanted, const Caller& caller) {
  std::string before;
  for (int count = 0; count < kMostObservations && !caller.stop.stop_requested(); ++count) {
    auto seen = cluster.observe(caller.stop);
    auto run = propose_repair(cluster, wanted, seen, caller.stop);
    std::string now = run ? "" : run.error().id;
    if (run)
      for (const auto& step : run->plan->steps) now += step.title + "\n";
    if (caller.stop.stop_requested()) return std::nullopt;  // what was cut short is no observation
    if (count > 0 && now == before) return Rest{std::move(seen), std::move(run)};
    before = now;
    (void)sys::wait_until([] { return false; }, Deadline::in(caller.pace.between_observations), caller.stop);
  }
  return std::nullopt;
}

/// A member was named, it is healthy, and what is not is the rest.
bool is_healthy(const cluster::DatabaseCluster& cluster, const cluster::TriageReport& seen,
                const repair::Request& wanted) {
  const auto named =
      std::ranges::find_if(cluster.members, [&](const auto& member) { return member.ordinal == wanted.ordinal; });
  if (named == cluster.members.end()) return false;
  const auto* found = seen.find(named->name.str());
  return found && found->healthy();
}

std::string dry_run_command(const cluster::DatabaseCluster& cluster, const RepairRequest& request) {
  std::string command = "holdfast repair -c " + cluster.full_name();
  if (!request.member.empty()) command += " -i " + request.member;
  if (request.escrow.repository) command += " -r " + *request.escrow.repository;
  if (request.escrow.none) command += " --no-escrow";
  return command + " --dry-run";
}

/// How several plans ended together.
class Endings {
 public:
  /// Takes note of how a plan ended; false when nothing may be started after it.
  bool add(const Status& ended) {
    if (ended) return false;
    last_is_partial_ = ended.error().id == "repair.partial";
    if (last_is_partial_)
      partial_ = ended.error();
    else if (ended.error().id == "operation.failed_undone")
      failed_ = ended.error();
    else
      return false;
    return true;
  }
  bool any_executed() const { return partial_.has_value(); }
  /// The failure of the plan added last, if it failed.
  const Error* last_failure() const { return last_is_partial_ ? nullptr : &*failed_; }

  Error together(const std::string& why_not_more = {}, const std::string& hint = {}) const {
    Error error = partial_ ? *partial_ : *failed_;
    if (partial_ && failed_) {
      error.message += "; another plan failed and was undone: " + failed_->message;
      error.hint = failed_->hint;
    }
    if (!why_not_more.empty()) error.message += "; not repaired: " + why_not_more;
    if (!hint.empty()) error.hint = hint;
    return error;
  }
  Error interrupted() const {
    const Error so_far = together();
    return {ErrorClass::interrupted, "cli.interrupted", "interrupted: " + so_far.message, so_far.hint, {}};
  }

 private:
  std::optional<Error> partial_, failed_;  ///< the last of each
  bool last_is_partial_ = false;
};

}  // namespace

Status execute_further_plans(ClusterAccess& cluster, const RepairRequest& request, const repair::Request& wanted,
                             std::vector<PlanRun>& runs, repair::PlansTried tried, Status ended, const Caller& caller) {
  // Each member rebuilt, and something before and after: what needs more needs a person.
  const size_t most_plans = cluster.cluster().members.size() + 2;
  Endings endings;
  for (int overtaken = 0; endings.add(ended);) {
    if (tried.count() == most_plans) return fail(endings.together());
    auto rest = observe_the_rest(cluster, wanted, caller);
    if (caller.stop.stop_requested()) return fail(endings.interrupted());
    if (!rest) return fail(endings.together());
    if (endings.any_executed() && rest->seen.healthy) {
      runs.back().after = rest->seen;
      caller.observer.observed(Observed::settled, rest->seen);
      return {};
    }
    if (!rest->run) {
      if (is_healthy(cluster.cluster(), rest->seen, wanted)) return fail(endings.together());
      return fail(endings.together(rest->run.error().message, rest->run.error().hint));
    }
    const operation::Plan plan = *rest->run->plan;
    if (!tried.is_new(plan)) return fail(endings.together());
    if (!plan.losses.empty())
      return fail(endings.together("the next plan loses something, which must be accepted",
                                   dry_run_command(cluster.cluster(), request)));
    if (!repair::stands_without_a_name(rest->seen, wanted, plan))
      return fail(endings.together("the next step needs your decision", dry_run_command(cluster.cluster(), request)));
    if (const Error* failure = endings.last_failure())
      caller.observer.warning({failure->id, failure->message + "; " + failure->hint});
    runs.push_back(std::move(*rest->run));
    runs.back().further = true;
    auto more = execute_plan(cluster, runs.back(), {.escrow = request.escrow}, caller);
    if (!more && runs.back().operation.empty()) {
      runs.pop_back();
      if (more.error().error_class == ErrorClass::interrupted) {
        Error error = endings.interrupted();
        error.id = more.error().id;
        return fail(std::move(error));
      }
      if (more.error().id == "operation.plan_changed" && ++overtaken <= kMostOvertaken) continue;
      return fail(endings.together(more.error().message, more.error().hint));
    }
    tried.add(plan);
    ended = std::move(more);
  }
  return ended;
}

}  // namespace holdfast::steward
