#include "repair/adopt.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/report_view.h"
#include "repair/steps.h"
#include "repair/world.h"

namespace holdfast::repair {

using cluster::AuthorityKind;
using cluster::Engine;
using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;
using codec::Value;
using operation::Step;

namespace {

std::string counted(uint64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

std::string rows_text(const std::map<std::string, AdoptedRows>& tables) {
  std::string text;
  for (const auto& [table, rows] : tables) {
    std::string parts;
    for (const auto& [count, what] :
         {std::pair{rows.inserted, "inserted"}, {rows.updated, "updated"}, {rows.deleted, "deleted"}})
      if (count > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", count, what);
    text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", table, parts);
  }
  return text.empty() ? "no rows" : text;
}

Value transactions_value(const Adoption& adoption) {
  Value list{Value::List()};
  for (const auto& transaction : adoption.transactions) {
    Value tables = Value::object();
    for (const auto& [table, rows] : transaction.tables)
      tables.set(table,
                 Value::object({{"inserted", rows.inserted}, {"updated", rows.updated}, {"deleted", rows.deleted}}));
    list.push(Value::object({{"gtid", transaction.gtid}, {"tables", tables}}));
  }
  return list;
}

std::vector<Step> adopting_steps(const TriageReport& report, const MemberReport& member, const Adoption& adoption,
                                 bool in_place) {
  const std::string victim = name(member);
  std::map<std::string, AdoptedRows> all;
  for (const auto& transaction : adoption.transactions) {
    for (const auto& [table, rows] : transaction.tables) {
      all[table].inserted += rows.inserted;
      all[table].updated += rows.updated;
      all[table].deleted += rows.deleted;
    }
  }
  const kind::RehearseAdoption what{.from = victim,
                                    .set = member.errant.transactions,
                                    .digest = adoption.digest,
                                    .in_place = in_place,
                                    .transactions = transactions_value(adoption)};
  std::vector<std::string> touches = {"leader", "authority"};
  for (const auto& m : report.members)
    if (&m == &member || m.errant.any()) touches.push_back("members/" + name(m));
  Step rehearse =
      step_of(what, {.id = "rehearse-" + victim,
                     .member = report.leader,
                     .title = fmt::format("Try on {} what only {} has, all in one transaction, and roll it back",
                                          report.leader, victim),
                     .preconditions = {"it is the same on both how these tables are defined",
                                       victim + " still holds the rows as it wrote them"},
                     .undo = "nothing: it is rolled back",
                     .expected_seconds = 5,
                     .proof = "every row was as the transactions had found it",
                     .touches = touches});
  Step adopt = step_of(kind::AdoptTransactions{what},
                       {.id = "adopt-" + victim,
                        .member = report.leader,
                        .title = fmt::format("Write {} that only {} has into {}, with their own GTIDs ({}): {}",
                                             counted(adoption.transactions.size(), "transaction"), victim,
                                             report.leader, member.errant.transactions, rows_text(all)),
                        .undo = "nothing: what was written stays, each transaction as a whole",
                        .expected_seconds = 10,
                        .proof = report.leader + " has these GTIDs",
                        .touches = std::move(touches)});
  for (const auto& transaction : adoption.transactions)
    adopt.preconditions.push_back(
        fmt::format("{}: {} is as it was found", transaction.gtid, rows_text(transaction.tables)));
  return {std::move(rehearse), std::move(adopt)};
}

std::unexpected<Error> cannot(const TriageReport& report, std::string why) {
  const std::string cluster = report.cluster.full_name();
  return fail(ErrorClass::refused, "repair.cannot_adopt", std::move(why),
              fmt::format("holdfast triage -c {0} --export-divergence DIR writes what it has as SQL for a person to "
                          "apply; then, without --adopt: holdfast repair -c {0} -i N",
                          cluster));
}

Status check_member(const TriageReport& report, const MemberReport& member) {
  const std::string& victim = name(member);
  if (report.cluster.engine != Engine::mysql)
    return cannot(report,
                  report.cluster.engine == Engine::mariadb
                      ? "MariaDB would give the transactions other GTIDs on the primary: only MySQL can be given "
                        "them so that each is there once"
                      : "only MySQL can be given the transactions of a replica");
  if (report.leader.empty())
    return cannot(report, "no member, or more than one, accepts writes: there is no primary to write them into");
  if (victim == report.leader)
    return fail(ErrorClass::refused, "repair.target_is_primary",
                victim + " accepts writes: name the replica whose transactions it is to have",
                fmt::format("holdfast triage -c {} says which members need repair", report.cluster.full_name()));
  const auto* leader = report.find(report.leader);
  if (!leader || !leader->healthy())
    return cannot(report, fmt::format("{} accepts writes and is not healthy: {}", report.leader,
                                      leader ? leader->sentence : "it was not seen"));
  if (member.verdict == Verdict::unknown)
    return fail(ErrorClass::refused, "repair.target_unknown",
                fmt::format("{}: {}; nothing is done to what is not known", victim, member.sentence),
                fmt::format("holdfast triage -c {} -v", report.cluster.full_name()));
  if (member.verdict == Verdict::foreign) return cannot(report, victim + " holds the data of another cluster");
  if (!member.errant.any()) return cannot(report, victim + " has nothing that the primary lacks");
  if (report.authority.kind == AuthorityKind::undeterminable)
    return fail(ErrorClass::refused, "repair.undeterminable",
                "who has all data is not known: nothing is written into " + report.leader,
                fmt::format("holdfast triage -c {} -v", report.cluster.full_name()));
  if (member.errant.against != report.leader)
    return cannot(report, fmt::format("what {} has of its own is only known beside {}", victim, member.errant.against));
  if (!member.facts.reachable())
    return cannot(report, victim + " does not run: its tables cannot be compared with those of the primary");
  return {};
}

}  // namespace

Result<TriageReport> after_adoption(const TriageReport& report, const MemberReport& member) {
  std::vector<cluster::MemberFacts> facts;
  const auto own = TRY(position::GtidSet::parse(member.errant.transactions));
  for (const auto& m : report.members) {
    facts.push_back(m.facts);
    if (name(m) != report.leader) continue;
    const auto all = TRY(position::GtidSet::parse(m.facts.executed)).unite(own).to_string(",");
    facts.back().executed = all;
    if (!facts.back().offered.empty()) facts.back().offered = all;
  }
  return cluster::triage(report.cluster, facts);
}

Result<Proposal> plan_adoption(const TriageReport& report, const Request& request) {
  Request rest = request;
  rest.adoption.reset();
  if (!request.ordinal)
    return cannot(report, "whose transactions are to be adopted is your choice: name the member with -i");
  const MemberReport* member = nullptr;
  for (const auto& m : report.cluster.members)
    if (m.ordinal == *request.ordinal) member = report.find(m.name.str());
  if (!member) return plan_repair(report, rest);  // which says so
  TRY_VOID(check_member(report, *member));
  const Adoption& adoption = *request.adoption;
  if (!adoption.refused.empty()) return cannot(report, name(*member) + ": " + adoption.refused);
  if (adoption.transactions.empty()) return cannot(report, name(*member) + ": its transactions were not found");

  auto after = TRY(after_adoption(report, *member));
  // Others that have the same of their own are well only once it is written: until then nobody is copied from them.
  for (auto& m : after.members)
    if (name(m) != name(*member) && m.healthy() && !report.find(name(m))->healthy()) m.verdict = Verdict::catching_up;
  auto proposal = TRY(plan_repair(after, rest));
  auto& plan = proposal.plan;
  const std::string victim = name(*member);
  std::erase(proposal.skipped, victim + ": healthy");
  if (!plan.find("prove-" + victim)) plan.steps.push_back(proof_of(*member));
  const bool in_place =
      std::ranges::none_of(plan.steps, [&](const Step& s) { return s.member == victim && is<kind::MakeSideCopy>(s); });
  // It has to apply all that the primary did meanwhile, before anybody can say that it still holds what it wrote.
  std::vector<Step> steps;
  for (const auto& step : plan.steps) {
    if (!in_place || step.member != victim || is<kind::ProveMember>(step)) continue;
    if (!is<kind::SetReadOnly>(step) && !is<kind::ResumeReplication>(step))
      return cannot(report, fmt::format("{} does not follow the primary as it should, so it is not known what the "
                                        "primary did meanwhile to the rows it wrote",
                                        victim));
    steps.push_back(step);
  }
  std::erase_if(plan.steps,
                [&](const Step& step) { return std::ranges::find(steps, step.id, &Step::id) != steps.end(); });
  for (auto& step : adopting_steps(report, *member, adoption, in_place)) steps.push_back(std::move(step));
  plan.steps.insert(plan.steps.begin(), std::make_move_iterator(steps.begin()), std::make_move_iterator(steps.end()));
  plan.losses.insert(plan.losses.begin(),
                     {fmt::format("{} that only {} has: {}", counted(adoption.transactions.size(), "transaction"),
                                  victim, member->errant.transactions),
                      "adopt:" + victim});
  plan.world = world_of(report);
  return proposal;
}

}  // namespace holdfast::repair
