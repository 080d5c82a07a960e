// holdfast repair: look, plan, show, and do what is proven to be safe; then what that has shown, if nobody need be
// asked.
#include "repair/plan.h"

#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <optional>
#include <set>

#include "cli/carry_out.h"
#include "cli/cluster_options.h"
#include "cli/operation_handlers.h"
#include "cli/triage_view.h"
#include "cli/verbs.h"
#include "repair/accounts.h"
#include "repair/adopt.h"
#include "sys/process.h"

namespace holdfast::cli {

using codec::Value;

namespace {

constexpr std::chrono::seconds kBetweenLooks{2};

/// By name or by ordinal.
Result<int> ordinal_of(const cluster::DatabaseCluster& cluster, const std::string& wanted) {
  std::string known;
  for (const auto& member : cluster.members) {
    if (member.name.str() == wanted || std::to_string(member.ordinal) == wanted) return member.ordinal;
    known += fmt::format("{}{} ({})", known.empty() ? "" : ", ", member.ordinal, member.name.str());
  }
  return fail(ErrorClass::usage, "repair.no_member", fmt::format("{} has no member {}", cluster.full_name(), wanted),
              "one of: " + known);
}

/// Looks and plans. `request` comes back as it was.
Result<Work> plan_now(const Context& context, const cluster::DatabaseCluster& cluster, repair::Request& request,
                      cluster::TriageReport seen) {
  auto proposal = TRY(repair::plan_repair(seen, request));
  request.refused_accounts = repair::refused_accounts(cluster, proposal.plan, context.stop);
  auto planned = request.refused_accounts.empty() ? std::move(proposal) : repair::plan_repair(seen, request);
  request.refused_accounts.clear();
  proposal = TRY(std::move(planned));
  return Work{.before = std::move(seen),
              .plan = std::move(proposal.plan),
              .left_alone = std::move(proposal.skipped),
              .remarks = std::move(proposal.remarks)};
}

std::string what_it_does(const operation::Plan& plan) {
  std::string titles;
  for (const auto& step : plan.steps) titles += step.title + "\n";  // a copy names its donor there
  return titles;
}

/// The plan for what the last one left, or why there is none. Two looks in a row must lead to it, for servers that were
/// started a moment ago are not what they will be; nothing when they go on changing.
std::optional<Result<Work>> plan_the_rest(const Context& context, const cluster::DatabaseCluster& cluster,
                                          repair::Request& request) {
  std::string before;
  for (int looks = 0; looks < 5 && !context.stop.stop_requested(); ++looks) {
    auto work = plan_now(context, cluster, request, look_at(cluster, context.stop));
    const std::string now = work ? "plan " + what_it_does(work->plan) : work.error().id;
    if (now == before) return work;
    before = now;
    (void)sys::wait_until([] { return false; }, Deadline::in(kBetweenLooks), context.stop);
  }
  return std::nullopt;
}

/// `data` of the envelope: of the first plan, with those behind it as "further"; "after" and "kept" are of them all.
class Account {
 public:
  explicit Account(Output& out) : out_(out) {}

  /// What is known of the plan at work.
  void tell(Value plan) {
    plans_.back() = std::move(plan);
    publish();
  }
  void begin_another() { plans_.emplace_back(); }
  void forget_the_last() {
    plans_.pop_back();
    publish();
  }
  void healthy_after_all(const cluster::TriageReport& seen) {
    plans_.back().set("after", triage_value(seen));
    publish();
  }

 private:
  void publish() {
    Value data = plans_[0];
    for (size_t i = 1; i < plans_.size(); ++i) {
      data.set("further", data["further"]).push(plans_[i]);
      if (const auto* after = plans_[i].find("after")) data.set("after", *after);
      for (const auto& copy : plans_[i]["kept"].items()) data.set("kept", data["kept"]).push(copy);
    }
    out_.set_data(std::move(data));
  }

  Output& out_;
  std::vector<Value> plans_ = {Value()};
};

bool nothing_begun(const Error& error) {
  return error.error_class == ErrorClass::usage || error.error_class == ErrorClass::refused ||
         error.error_class == ErrorClass::conflict;
}

/// What was planned is done, or failed and was undone, and showed what nobody had seen: a member that was started is
/// found to be damaged, a donor could not be read. Goes on with plans that do something else than those before and
/// lose nothing, so that nobody need be asked. Returns how it ended; `done` when it could not go on.
Exit mend_the_rest(Context& context, const cluster::DatabaseCluster& cluster, repair::Request& request, Account account,
                   std::set<std::string> tried, Exit done) {
  // Each member made anew, and something before and after: what needs more is looked at by a person.
  const size_t most_plans = cluster.members.size() + 2;
  while (!done && tried.size() < most_plans) {
    const bool partial = done.error().id == "repair.partial";
    if (!partial && done.error().id != "operation.failed_undone") return done;
    const auto not_without = [&](const std::string& why, const std::string& hint) -> Exit {
      if (!partial) return done;
      return fail(ErrorClass::partial, done.error().id, done.error().message + ": " + why, hint);
    };
    auto rest = plan_the_rest(context, cluster, request);
    if (!rest || context.stop.stop_requested()) return done;
    if (!*rest) return not_without(rest->error().message, rest->error().hint);
    Work& work = **rest;
    if (partial && work.before.healthy) {
      account.healthy_after_all(work.before);
      print_triage(context.out, work.before, false);
      return {};
    }
    if (work.plan.steps.empty() || !tried.insert(what_it_does(work.plan)).second) return done;
    if (!work.plan.losses.empty())
      return not_without(
          "the rest would lose something",
          fmt::format("holdfast repair -c {} --dry-run shows what, and how it is accepted", cluster.full_name()));
    if (!partial) context.out.warning(done.error().id, done.error().message);
    context.out.line();
    context.out.line("what is left now has a plan of its own:");
    account.begin_another();
    auto more = carry_out(context, cluster, std::move(work), [&](const Value& told) { account.tell(told); });
    if (!more && nothing_begun(more.error())) {
      account.forget_the_last();
      return done;
    }
    done = std::move(more);
  }
  return done;
}

}  // namespace

Exit run_repair(Context& context) {
  const Options& options = context.options;
  const auto cluster = TRY(selected_cluster(context));
  TRY_VOID(refuse_if_unfinished(context, cluster, "repair"));
  repair::Request request;
  if (const std::string wanted = options.text("instance"); !wanted.empty())
    request.ordinal = TRY(ordinal_of(cluster, wanted));
  request.has_repository = options.given("backups-path");
  request.no_escrow = options.flag("no-escrow");
  for (int looks = 1;; ++looks) {
    const auto before = look_at(cluster, context.stop);
    TRY_VOID(refuse_if_interrupted(context));
    print_triage(context.out, before, false);
    context.out.line();
    Account account(context.out);
    account.tell(Value::object({{"before", triage_value(before)}}));
    if (options.flag("adopt"))
      request.adoption = repair::survey_adoption(before, request.ordinal.value_or(-1), context.stop);
    auto work = TRY(plan_now(context, cluster, request, before));
    work.accepted = options.list("accept");
    work.last_look = [&]() -> Status {
      if (!request.adoption) return {};
      return repair::rehearse_adoption(before, *request.ordinal, *request.adoption, context.stop);
    };
    const bool asks = !work.plan.losses.empty() || !work.accepted.empty();
    const std::set<std::string> tried = {what_it_does(work.plan)};
    auto done = carry_out(context, cluster, std::move(work), [&](const Value& told) { account.tell(told); });
    // Nothing was begun. A plan that nobody had to agree to may be made anew.
    if (!done && done.error().id == "operation.plan_changed" && !asks && looks < 3) {
      context.out.note("meanwhile the cluster is no longer as it was seen: looking again");
      continue;
    }
    return request.adoption ? done
                            : mend_the_rest(context, cluster, request, std::move(account), tried, std::move(done));
  }
}

}  // namespace holdfast::cli
