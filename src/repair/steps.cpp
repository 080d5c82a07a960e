#include "repair/steps.h"

#include <fmt/format.h>

#include <algorithm>

#include "repair/report_view.h"

namespace holdfast::repair {

using cluster::MemberReport;
using cluster::TriageReport;
using codec::Value;
using operation::Step;

Step start_step(const TriageReport& report, const MemberReport& member, std::string_view why) {
  const bool runs = member.facts.reachable() || says(report, member, "server-frozen");
  return {.id = "start-" + name(member),
          .kind = "start_server",
          .member = name(member),
          .title = fmt::format("{} the server of {} ({})", runs ? "Restart" : "Start", name(member), why),
          .arguments = Value::object({{"restart", runs}}),
          .preconditions = {"its agent answers"},
          .undo = runs ? "there is nothing to undo: it ran before" : "stop it again",
          .expected_seconds = 30,
          .proof = "it accepts logins and is ready",
          .touches = {"members/" + name(member), "leader", "authority"}};
}

Step continue_step(const MemberReport& member) {
  return {.id = "continue-" + name(member),
          .kind = "continue_server",
          .member = name(member),
          .title = fmt::format("Continue the server of {}, which a signal has stopped (SIGCONT)", name(member)),
          .arguments = Value::object(),
          .preconditions = {"its agent answers", "what it holds is known"},
          .undo = "there is nothing to undo: it is not stopped again",
          .expected_seconds = 5,
          .proof = "none of its processes is stopped, it accepts logins and is ready",
          .touches = {"members/" + name(member), "leader", "authority"}};
}

Step resume_step(const MemberReport& member, bool until_level) {
  return {.id = "resume-" + name(member),
          .kind = "resume_replication",
          .member = name(member),
          .title = fmt::format("Start replication on {} where it was stopped", name(member)),
          .arguments = Value::object({{"level", until_level}}),
          .preconditions = {"it has nothing of its own", "no event is skipped"},
          .undo = "stop again what was stopped before",
          .expected_seconds = 10,
          .proof = "it receives and applies",
          .touches = {"members/" + name(member)}};
}

Step reconnect_step(const MemberReport& member) {
  return {
      .id = "reconnect-" + name(member),
      .kind = "reconnect_receiver",
      .member = name(member),
      .title = fmt::format("Let {} reconnect to its source: through the old connection nothing comes", name(member)),
      .preconditions = {"its applier runs, so that what it has received is kept"},
      .undo = "there is nothing to undo: it received before",
      .expected_seconds = 10,
      .proof = "it receives, applies and has caught up",
      .touches = {"members/" + name(member)}};
}

Step follow_step(const MemberReport& member, const std::string& leader, bool renew) {
  return {
      .id = "follow-" + name(member),
      .kind = "follow_source",
      .member = name(member),
      .title = fmt::format("Make {} follow {}{}", name(member), leader,
                           renew ? " again: with the account its agent has, and from the position it has applied" : ""),
      .arguments = Value::object({{"source", leader}, {"renew", renew}}),
      .preconditions = {fmt::format("{} has nothing that {} lacks", name(member), leader)},
      .undo = "make it follow its previous source",
      .expected_seconds = 10,
      .proof = "it receives from " + leader + " and applies",
      .touches = {"members/" + name(member)}};
}

Step read_only_step(const MemberReport& member) {
  return {.id = "close-" + name(member),
          .kind = "set_read_only",
          .member = name(member),
          .title = fmt::format("Close {} for writes", name(member)),
          .arguments = Value::object(),
          .preconditions = {},
          .undo = "open it again if it was open",
          .expected_seconds = 2,
          .proof = "it says read-only",
          .touches = {"members/" + name(member)}};
}

Step slot_step(const MemberReport& member, const std::string& leader) {
  return {.id = "slot-" + name(member),
          .kind = "create_slot",
          .member = leader,
          .title = fmt::format("Make the replication slot {} on {}", member.facts.upstream()->slot, leader),
          .arguments = Value::object({{"slot", member.facts.upstream()->slot}}),
          .preconditions = {leader + " still has the WAL that " + name(member) + " needs"},
          .undo = "drop it if it was not there before",
          .expected_seconds = 2,
          .proof = "it is listed in pg_replication_slots",
          .touches = {"members/" + name(member)}};
}

Step semi_sync_step(const MemberReport& member, bool as_source) {
  return {.id = "semi-sync-" + name(member),
          .kind = "set_semi_sync",
          .member = name(member),
          .title = fmt::format("Switch semi-synchronous replication on for {}", name(member)),
          .arguments = Value::object({{"source", as_source}}),
          .preconditions = {},
          .undo = "switch it off again if it was off",
          .expected_seconds = 5,
          .proof = "the server says that it is on",
          .touches = {"members/" + name(member)}};
}

std::optional<Step> tidying_step(const MemberReport& member) {
  const bool left = std::ranges::any_of(member.facts.leftovers, [](const cluster::Leftover& leftover) {
    return leftover.kind == cluster::Leftover::Kind::side || leftover.kind == cluster::Leftover::Kind::half_made;
  });
  if (!left && member.facts.agent_work.empty()) return std::nullopt;
  return Step{.id = "tidy-" + name(member),
              .kind = "discard_side",
              .member = name(member),
              .title = fmt::format("Remove the new data directory of {} that an earlier repair left beside its own",
                                   name(member)),
              .arguments = Value::object(),
              .preconditions = {"no operation is unfinished", "it is not the directory in use"},
              .undo = "nothing: it was a copy of another member",
              .expected_seconds = 5,
              .proof = "it is gone, and the agent is at nothing",
              .touches = {"members/" + name(member)}};
}

Step proof_of(const MemberReport& member) {
  return {.id = "prove-" + name(member),
          .kind = "prove_member",
          .member = name(member),
          .title = fmt::format("Wait until triage finds {} healthy", name(member)),
          .arguments = Value::object(),
          .preconditions = {},
          .undo = "there is nothing to undo",
          .expected_seconds = 20,
          .proof = "triage says healthy",
          .touches = {"members/" + name(member)}};
}

Step proof_of_start(const MemberReport& member) {
  auto step = proof_of(member);
  step.title = fmt::format("Wait until triage finds {} healthy, or sees what else it needs", name(member));
  step.proof = "triage says healthy, or that it serves and needs something else";
  step.arguments.set("servesIsEnough", true);
  return step;
}

}  // namespace holdfast::repair
