#include "repair/rebuild_plan.h"

#include <fmt/format.h>

#include "repair/report_view.h"
#include "repair/rungs_galera.h"
#include "repair/rungs_postgres.h"
#include "repair/sides.h"
#include "repair/sources.h"
#include "repair/unique.h"

namespace holdfast::repair {

using cluster::Engine;
using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;
using codec::Value;
using operation::Step;

void plan_rebuild(const TriageReport& report, const Request& request, const MemberReport& member,
                  const MemberReport& donor, bool holds_data, Proposal& proposal) {
  const std::string victim = name(member);
  const std::vector<std::string> touches = {"members/" + victim, "authority", "leader"};
  auto step = [&](std::string_view what, std::string_view kind, std::string title, std::string undo, uint64_t seconds,
                  std::string proof, Value arguments = Value::object()) -> Step& {
    proposal.plan.steps.push_back({.id = fmt::format("{}-{}", what, victim),
                                   .kind = std::string(kind),
                                   .member = victim,
                                   .title = std::move(title),
                                   .arguments = std::move(arguments),
                                   .undo = std::move(undo),
                                   .expected_seconds = seconds,
                                   .proof = std::move(proof),
                                   .touches = touches});
    return proposal.plan.steps.back();
  };
  // In coarse steps: a plan must be the same when it is shown and when it is accepted, while the data grows.
  const uint64_t copy_seconds = 20 + donor.facts.data_bytes.value_or(0) / (3ULL << 30) * 30;
  if (member.facts.reachable() || member.facts.server_pid > 0)
    step("stop", "stop_server", fmt::format("Stop the server of {}", victim), "start it again if it ran before", 20,
         "its process is gone");
  if (holds_data && !request.no_escrow)
    step("escrow", "take_escrow", fmt::format("Keep a copy of the data directory of {} in the repository", victim),
         "nothing: the copy is kept", copy_seconds * 2, "every byte of it was read back from the repository");
  const bool postgres = report.cluster.engine == Engine::postgres;
  const std::string source = source_for(report, member);
  const bool told_otherwise = postgres ? postgres_is_told_otherwise(report, member)
                                       : (report.cluster.engine != Engine::galera &&
                                          member.facts.role_wanted != cluster::MemberRole::replica) ||
                                             is_told_otherwise(report, member, source);
  if (told_otherwise) proposal.plan.steps.push_back(telling_step(victim, source));
  const bool cuts = holds_data && !request.no_escrow && may_cut_its_tail(report, member);
  if (cuts) proposal.plan.steps.push_back(cutting_step(victim, report.leader));
  const std::string cut = cuts ? "cut-" + victim : "";
  const auto copy_arguments = [&](std::initializer_list<std::pair<std::string, Value>> fields) {
    Value arguments = Value::object(fields);
    if (request.copy_rate > 0) arguments.set("rate", request.copy_rate);
    return arguments;
  };
  if (postgres && holds_data && postgres_can_rewind(report, member))
    step(
        "copy", "make_side_copy",
        fmt::format("Copy the directory of {0} beside itself and rewind the copy onto {1}; where that is not possible, "
                    "copy {1} instead",
                    victim, report.leader),
        "remove the new directory", copy_seconds, "the copy is complete and has its position",
        copy_arguments({{"donor", report.leader}, {"rewind", true}, {"unless", cut}}));
  else
    step("copy", "make_side_copy",
         fmt::format("Copy {} into a new directory of {}, beside the old one", name(donor), victim),
         "remove the new directory", copy_seconds, "the copy is complete and has its position",
         copy_arguments({{"donor", name(donor)}, {"unless", cut}}));
  step("try", "prove_side", fmt::format("Start {} on the new directory and see that it keeps up", victim), "stop it",
       60, "it follows and has caught up", Value::object({{"source", source}, {"unless", cut}}));
  step("swap", "swap_side", fmt::format("Put the new directory in the old one's place, by rename", victim),
       "move the old directory back", 5, "the old directory is beside it");
  step("start", "start_server", fmt::format("Start the server of {}", victim), "stop it again", 30,
       "it accepts logins and is ready", Value::object({{"restart", false}}));
  step("prove", "prove_member", fmt::format("Wait until triage finds {} healthy", victim), "there is nothing to undo",
       60, "triage says healthy");
  if (holds_data && !request.no_escrow) {
    Step& drop =
        step("drop", "drop_aside", fmt::format("Remove the old directory of {}; its copy is in the repository", victim),
             "", 10, "the directory is gone", Value::object({{"swap", "swap-" + victim}}));
    drop.point_of_no_return = true;
  }
  auto lose = [&](std::string what, std::string_view acceptance) {
    proposal.plan.losses.push_back({std::move(what), fmt::format("{}:{}", acceptance, victim)});
  };
  const auto own_loss = postgres ? postgres_loss(member, postgres_only_it_is_unknown(report, member))
                        : only_it_is_unknown(report, member) ? unknown_loss(member)
                        : report.cluster.engine == Engine::galera && member.verdict != Verdict::diverged
                            ? galera_loss(member, donor)
                            : std::nullopt;
  if (own_loss)
    proposal.plan.losses.push_back(*own_loss);
  else if (member.verdict == Verdict::foreign)
    lose(victim + " will no longer have its data of another cluster", "discard-foreign");
  else if (const auto own = held_only_by(report, member, donor))
    lose(fmt::format("{} will no longer have what only it has{}", victim, own->empty() ? "" : ": " + *own),
         "discard-diverged");
  if (holds_data && request.no_escrow) lose("no copy of the data of " + victim + " will be kept", "no-escrow");
}

}  // namespace holdfast::repair
