#include "repair/steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::MemberReport;
using cluster::TriageReport;
using operation::Step;

namespace {

/// A restart, a stop and what may change who leads.
std::vector<std::string> touched_by_a_start(const std::string& member) {
  return {"members/" + member, "leader", "authority"};
}

std::string with(std::string_view how) {
  return how.empty() ? "" : fmt::format(" {}", how);
}

}  // namespace

Step start_step(const std::string& member, bool restart, std::string_view how) {
  return step_of(kind::StartServer{.restart = restart},
                 {.id = "start-" + member,
                  .member = member,
                  .title = fmt::format("{} the server of {}{}", restart ? "Restart" : "Start", member, with(how)),
                  .preconditions = {"its agent answers"},
                  .undo = restart ? "there is nothing to undo: it ran before" : "stop it again",
                  .expected_seconds = 30,
                  .proof = "it accepts logins and is ready",
                  .touches = touched_by_a_start(member)});
}

Step start_step(const TriageReport& report, const MemberReport& member, std::string_view why) {
  const bool runs = member.facts.reachable() || says(report, member, "server-frozen");
  return start_step(name(member), runs, fmt::format("({})", why));
}

Step stop_step(const std::string& member, std::string_view how) {
  return step_of(kind::StopServer{}, {.id = "stop-" + member,
                                      .member = member,
                                      .title = fmt::format("Stop the server of {}{}", member, with(how)),
                                      .undo = "start it again if it ran before",
                                      .expected_seconds = 20,
                                      .proof = "its process is gone",
                                      .touches = touched_by_a_start(member)});
}

Step continue_step(const MemberReport& member) {
  return step_of(kind::ContinueServer{},
                 {.id = "continue-" + name(member),
                  .member = name(member),
                  .title = fmt::format("Continue the server of {}, which a signal has stopped (SIGCONT)", name(member)),
                  .preconditions = {"its agent answers", "what it holds is known"},
                  .undo = "there is nothing to undo: it is not stopped again",
                  .expected_seconds = 5,
                  .proof = "none of its processes is stopped, it accepts logins and is ready",
                  .touches = touched_by_a_start(name(member))});
}

Step resume_step(const MemberReport& member, bool until_level) {
  return step_of(kind::ResumeReplication{.level = until_level},
                 {.id = "resume-" + name(member),
                  .member = name(member),
                  .title = fmt::format("Start replication on {} where it was stopped", name(member)),
                  .preconditions = {"it has nothing of its own", "no event is skipped"},
                  .undo = "stop again what was stopped before",
                  .expected_seconds = 10,
                  .proof = "it receives and applies"});
}

Step reconnect_step(const MemberReport& member) {
  return step_of(
      kind::ReconnectReceiver{},
      {.id = "reconnect-" + name(member),
       .member = name(member),
       .title = fmt::format("Let {} reconnect to its source: through the old connection nothing comes", name(member)),
       .preconditions = {"its applier runs, so that what it has received is kept"},
       .undo = "there is nothing to undo: it received before",
       .expected_seconds = 10,
       .proof = "it receives, applies and has caught up"});
}

Step follow_step(const MemberReport& member, const std::string& leader, bool renew) {
  return step_of(kind::FollowSource{.source = leader, .renew = renew},
                 {.id = "follow-" + name(member),
                  .member = name(member),
                  .title = fmt::format(
                      "Make {} follow {}{}", name(member), leader,
                      renew ? " again: with the account its agent has, and from the position it has applied" : ""),
                  .preconditions = {fmt::format("{} has nothing that {} lacks", name(member), leader)},
                  .undo = "make it follow its previous source",
                  .expected_seconds = 10,
                  .proof = "it receives from " + leader + " and applies"});
}

Step read_only_step(const std::string& member) {
  return step_of(kind::SetReadOnly{}, {.id = "close-" + member,
                                       .member = member,
                                       .title = fmt::format("Close {} for writes", member),
                                       .undo = "open it again if it was open",
                                       .expected_seconds = 2,
                                       .proof = "it says read-only"});
}

Step telling_step(const std::string& member, const std::string& leader) {
  return step_of(kind::ConfigureReplica{leader},
                 {.id = "configure-" + member,
                  .member = member,
                  .title = leader.empty() ? fmt::format("Tell the agent of {} that it is the primary now", member)
                                          : fmt::format("Tell the agent of {} that it follows {}", member, leader),
                  .undo = "restore its agent's setting from before",
                  .expected_seconds = 2,
                  .proof = "its agent says so",
                  .touches = touched_by_a_start(member)});
}

Step semi_sync_step(const MemberReport& member, bool as_source) {
  return step_of(kind::SetSemiSync{as_source},
                 {.id = "semi-sync-" + name(member),
                  .member = name(member),
                  .title = fmt::format("Switch semi-synchronous replication on for {}", name(member)),
                  .undo = "switch it off again if it was off",
                  .expected_seconds = 5,
                  .proof = "the server says that it is on"});
}

std::optional<Step> tidying_step(const MemberReport& member) {
  const bool left = std::ranges::any_of(member.facts.runtime.leftovers, [](const cluster::Leftover& leftover) {
    return leftover.kind == cluster::Leftover::Kind::side || leftover.kind == cluster::Leftover::Kind::half_made;
  });
  if (!left && member.facts.runtime.work.empty()) return std::nullopt;
  return step_of(kind::DiscardSide{},
                 {.id = "tidy-" + name(member),
                  .member = name(member),
                  .title = fmt::format("Remove the new data directory of {} that an earlier repair left beside its own",
                                       name(member)),
                  .preconditions = {"no operation is unfinished", "it is not the directory in use"},
                  .undo = "nothing: it was a copy of another member",
                  .expected_seconds = 5,
                  .proof = "it is gone, and the agent is at nothing"});
}

Step escrow_step(const std::string& member, uint64_t expected_seconds) {
  return step_of(kind::TakeEscrow{},
                 {.id = "escrow-" + member,
                  .member = member,
                  .title = fmt::format("Keep a copy of the data directory of {} in the repository", member),
                  .preconditions = {"its server does not run"},
                  .undo = "nothing: the copy is kept",
                  .expected_seconds = expected_seconds,
                  .proof = "every byte of it was read back from the repository",
                  .touches = touched_by_a_start(member)});
}

Step copy_step(const std::string& member, kind::MakeSideCopy how, uint64_t expected_seconds) {
  std::string title =
      how.rewind ? fmt::format(
                       "Copy the directory of {0} beside itself and rewind the copy onto {1}; where that is not "
                       "possible, copy {1} instead",
                       member, how.donor)
                 : fmt::format("Copy {} into a new directory of {}, beside the old one", how.donor, member);
  return step_of(std::move(how), {.id = "copy-" + member,
                                  .member = member,
                                  .title = std::move(title),
                                  .undo = "remove the new directory",
                                  .expected_seconds = expected_seconds,
                                  .proof = "the copy is complete and has its position",
                                  .touches = touched_by_a_start(member)});
}

Step try_step(const std::string& member, kind::ProveSide how, std::string proof) {
  return step_of(std::move(how),
                 {.id = "try-" + member,
                  .member = member,
                  .title = fmt::format("Start {} on the new directory and see that it keeps up", member),
                  .undo = "stop it",
                  .expected_seconds = 60,
                  .proof = std::move(proof),
                  .touches = touched_by_a_start(member)});
}

Step swap_step(const std::string& member) {
  return step_of(kind::SwapSide{}, {.id = "swap-" + member,
                                    .member = member,
                                    .title = "Put the new directory in the old one's place, by rename",
                                    .undo = "move the old directory back",
                                    .expected_seconds = 5,
                                    .proof = "the old directory is beside it",
                                    .touches = touched_by_a_start(member)});
}

Step drop_step(const std::string& member) {
  return step_of(kind::DropAside{"swap-" + member},
                 {.id = "drop-" + member,
                  .member = member,
                  .title = fmt::format("Remove the old directory of {}; its copy is in the repository", member),
                  .point_of_no_return = true,
                  .expected_seconds = 10,
                  .proof = "the directory is gone",
                  .touches = touched_by_a_start(member)});
}

Step proof_of(const std::string& member, uint64_t expected_seconds) {
  return step_of(kind::ProveMember{}, {.id = "prove-" + member,
                                       .member = member,
                                       .title = fmt::format("Wait until triage finds {} healthy", member),
                                       .undo = "there is nothing to undo",
                                       .expected_seconds = expected_seconds,
                                       .proof = "triage says healthy"});
}

Step proof_of(const MemberReport& member) {
  return proof_of(name(member));
}

Step proof_of_start(const MemberReport& member) {
  Step step = proof_of(member);
  step.title = fmt::format("Wait until triage finds {} healthy, or sees what else it needs", name(member));
  step.proof = "triage says healthy, or that it serves and needs something else";
  give(step, kind::ProveMember{.serves_is_enough = true});
  return step;
}

}  // namespace holdfast::repair
