#include "cli/further_plans.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <optional>

#include "cli/triage_view.h"
#include "repair/accounts.h"
#include "sys/process.h"

namespace holdfast::cli {

using codec::Value;

namespace {

constexpr std::chrono::seconds kBetweenLooks{2};
/// How often a further plan may be overtaken by a cluster that changes.
constexpr int kMostOvertaken = 2;

struct Rest {
  cluster::TriageReport seen;
  Result<Work> work;
};

/// What the last plan left, and the plan for it. Two looks in a row must lead to it, for servers that were started a
/// moment ago are not what they will be; nothing when they go on changing.
std::optional<Rest> look_at_the_rest(const Context& context, const cluster::DatabaseCluster& cluster,
                                     repair::Request& request) {
  std::string before;
  for (int looks = 0; looks < 5 && !context.stop.stop_requested(); ++looks) {
    auto seen = look_at(cluster, context.stop);
    auto work = plan_for(context, cluster, request, seen);
    std::string now = work ? "" : work.error().id;
    if (work)
      for (const auto& step : work->plan.steps) now += step.title + "\n";
    if (looks > 0 && now == before) return Rest{std::move(seen), std::move(work)};
    before = now;
    (void)sys::wait_until([] { return false; }, Deadline::in(kBetweenLooks), context.stop);
  }
  return std::nullopt;
}

/// Is there a named member, and is it the rest that is not well?
bool is_well(const cluster::DatabaseCluster& cluster, const cluster::TriageReport& seen,
             const repair::Request& request) {
  for (const auto& member : cluster.members) {
    if (member.ordinal != request.ordinal) continue;
    const auto* found = seen.find(member.name.str());
    return found && found->healthy();
  }
  return false;
}

std::string dry_run(const Context& context, const cluster::DatabaseCluster& cluster) {
  const Options& options = context.options;
  std::string command = "holdfast repair -c " + cluster.full_name();
  if (const std::string member = options.text("instance"); !member.empty()) command += " -i " + member;
  if (options.given("backups-path")) command += " -r " + options.text("backups-path");
  if (options.flag("no-escrow")) command += " --no-escrow";
  return command + " --dry-run";
}

/// How the plans of a command came out together.
struct Outcome {
  std::optional<Error> partial, failed;  ///< the last of each
  bool last_is_partial = false;

  /// Takes note of how a plan ended; false when that is the end of the command.
  bool note(const Exit& done) {
    if (done) return false;
    last_is_partial = done.error().id == "repair.partial";
    if (last_is_partial)
      partial = done.error();
    else if (done.error().id == "operation.failed_undone")
      failed = done.error();
    else
      return false;
    return true;
  }
  Error told(const std::string& why = {}, const std::string& hint = {}) const {
    Error error = partial ? *partial : *failed;
    if (partial && failed) {
      error.message += "; another plan failed and was undone: " + failed->message;
      error.hint = failed->hint;
    }
    if (!why.empty()) error.message += "; not mended: " + why;
    if (!hint.empty()) error.hint = hint;
    return error;
  }
};

}  // namespace

void Account::tell(Value plan) {
  plans_.back() = std::move(plan);
  publish();
}

void Account::forget_the_last() {
  plans_.pop_back();
  publish();
}

void Account::healthy_after_all(const cluster::TriageReport& seen) {
  plans_.back().set("after", triage_value(seen));
  publish();
}

void Account::publish() {
  Value data = plans_[0];
  for (size_t i = 1; i < plans_.size(); ++i) {
    data.set("further", data["further"]).push(plans_[i]);
    if (const auto* after = plans_[i].find("after")) data.set("after", *after);
    for (const auto& copy : plans_[i]["kept"].items()) data.set("kept", data["kept"]).push(copy);
  }
  out_.set_data(std::move(data));
}

Result<Work> plan_for(const Context& context, const cluster::DatabaseCluster& cluster, repair::Request& request,
                      cluster::TriageReport seen) {
  auto proposal = TRY(repair::plan_repair(seen, request));
  auto accounts = repair::check_accounts(cluster, proposal.plan, context.stop);
  request.refused_accounts = std::move(accounts.refused);
  auto planned = request.refused_accounts.empty() ? std::move(proposal) : repair::plan_repair(seen, request);
  request.refused_accounts.clear();
  proposal = TRY(std::move(planned));
  std::ranges::move(accounts.unchecked, std::back_inserter(proposal.remarks));
  return Work{.before = std::move(seen),
              .plan = std::move(proposal.plan),
              .left_alone = std::move(proposal.skipped),
              .remarks = std::move(proposal.remarks)};
}

Exit mend_the_rest(Context& context, const cluster::DatabaseCluster& cluster, repair::Request& request, Account account,
                   repair::PlansTried tried, Exit done) {
  // Each member made anew, and something before and after: what needs more is looked at by a person.
  const size_t most_plans = cluster.members.size() + 2;
  Outcome outcome;
  for (int overtaken = 0; outcome.note(done);) {
    if (tried.count() == most_plans) return fail(outcome.told());
    auto rest = look_at_the_rest(context, cluster, request);
    if (context.stop.stop_requested())
      return fail(ErrorClass::interrupted, "cli.interrupted", "interrupted: " + outcome.told().message,
                  outcome.told().hint);
    if (!rest) return fail(outcome.told());
    if (outcome.partial && rest->seen.healthy) {
      account.healthy_after_all(rest->seen);
      print_triage(context.out, rest->seen, false);
      return {};
    }
    if (!rest->work) {
      return fail(is_well(cluster, rest->seen, request)
                      ? outcome.told()
                      : outcome.told(rest->work.error().message, rest->work.error().hint));
    }
    const operation::Plan plan = rest->work->plan;
    if (!tried.is_new(plan)) return fail(outcome.told());
    if (!plan.losses.empty())
      return fail(outcome.told("that would lose something, and is to be accepted", dry_run(context, cluster)));
    if (!repair::stands_without_a_name(rest->seen, request, plan))
      return fail(outcome.told("what is to be done now is a choice of its own", dry_run(context, cluster)));
    if (!outcome.last_is_partial)
      context.out.warning(outcome.failed->id, outcome.failed->message + "; " + outcome.failed->hint);
    context.out.line();
    context.out.line("what is left now has a plan of its own:");
    account.begin_another();
    auto more = carry_out(context, cluster, std::move(*rest->work), [&](const Value& told) { account.tell(told); });
    if (!more && !account.has_begun()) {
      account.forget_the_last();
      if (more.error().error_class == ErrorClass::interrupted)
        return fail(ErrorClass::interrupted, more.error().id, "interrupted: " + outcome.told().message,
                    outcome.told().hint);
      if (more.error().id == "operation.plan_changed" && ++overtaken <= kMostOvertaken) continue;
      return fail(outcome.told(more.error().message, more.error().hint));
    }
    tried.add(plan);
    done = std::move(more);
  }
  return done;
}

}  // namespace holdfast::cli
