#include "repair/rungs_galera.h"

#include <fmt/format.h>

#include <algorithm>

#include "position/galera.h"

namespace holdfast::repair {

using cluster::Action;
using cluster::MemberReport;
using cluster::TriageReport;
using cluster::Verdict;
using operation::Step;

namespace {

/// Of all that vote, arbitrators among them.
bool has_majority(const TriageReport& report, const MemberReport& in_it, size_t members) {
  const auto arbitrators = static_cast<size_t>(in_it.facts.galera->arbitrators);
  return (members + arbitrators) * 2 > report.members.size() + arbitrators;
}

/// The members other than this one that are together in a Primary component of more than half of all; else none.
std::vector<const MemberReport*> component_beside(const TriageReport& report, const MemberReport& member) {
  std::vector<const MemberReport*> best;
  for (const auto& m : report.members) {
    if (&m == &member || !in_primary_component(m)) continue;
    std::vector<const MemberReport*> same;
    for (const auto& other : report.members)
      if (&other != &member && in_one_component(m, other)) same.push_back(&other);
    if (same.size() > best.size()) best = same;
  }
  return !best.empty() && has_majority(report, *best[0], best.size()) ? best : std::vector<const MemberReport*>();
}

Step setting_step(const MemberReport& m, std::string_view variable, std::string_view value, std::string title) {
  return step_of(kind::GaleraSetting{std::string(variable), std::string(value)},
                 {.id = fmt::format("set-{}-{}", variable == "wsrep_desync" ? "synced" : "open", name(m)),
                  .member = name(m),
                  .title = std::move(title),
                  .undo = "set it to what it was",
                  .expected_seconds = 10,
                  .proof = "the server says so, and is Synced"});
}

std::unexpected<Error> needs_operator(const MemberReport& member, std::string why, std::string hint) {
  return fail(ErrorClass::refused, "repair.needs_operator", fmt::format("{} needs a person: {}", name(member), why),
              std::move(hint));
}

/// Everybody else is in one Primary component of more than half of all, or stands still at a point that component has
/// passed.
bool only_member_unknown(const TriageReport& report, const MemberReport& member) {
  const auto component = component_beside(report, member);
  if (component.empty()) return false;
  int64_t last = -1;
  for (const auto* m : component) last = std::max(last, m->facts.galera->last_committed.value_or(-1));
  return std::ranges::all_of(report.members, [&](const MemberReport& m) {
    if (&m == &member || std::ranges::find(component, &m) != component.end()) return true;
    if (m.verdict == Verdict::empty) return true;
    if (m.facts.reachable() || !m.facts.stored || m.facts.stored->position.empty()) return false;
    const auto at = position::GaleraPosition::parse(m.facts.stored->position, position::GaleraSource::grastate);
    return at && at->uuid.to_string() == component[0]->facts.galera->uuid && at->seqno <= last;
  });
}

/// Synced, in the component of more than half of all, not the only such one if there are several.
const MemberReport* synced_donor(const TriageReport& report, const MemberReport& victim) {
  const MemberReport* donor = nullptr;
  for (const auto* m : component_beside(report, victim)) {
    if (m->facts.galera->state != "Synced" || m->facts.galera->ready == false) continue;
    if (m->verdict == Verdict::foreign) continue;  // a component of another history than the recorded one wins nothing
    if (!m->facts.damaged_pages().empty()) continue;
    // Clients are mostly sent to the first.
    donor = m;
  }
  return donor;
}

std::optional<operation::Loss> loss_beside_verdict(const MemberReport& member, const MemberReport& donor) {
  if (!member.facts.galera || !member.facts.reachable()) return std::nullopt;
  const auto& galera = *member.facts.galera;
  const std::string victim = name(member);
  std::string what;
  if (galera.state.starts_with("Inconsistent"))
    what = victim + " will no longer have the rows in which it differs from the others, which voted it out";
  else if (galera.wsrep_on == false || galera.provider == "none")
    what = victim + " will no longer have what was written to it while it did not replicate";
  else if (galera.status == "Primary" && galera.state == "Synced" && !in_one_component(member, donor))
    what = victim + " will no longer have what its side of the split has committed and the other has not";
  else
    return std::nullopt;
  return operation::Loss{what, "discard-diverged:" + victim};
}

Result<Rung> rung_of(const Planning& planning, const MemberReport& member) {
  const TriageReport& report = planning.report;
  const bool targeted = planning.request.ordinal.has_value();
  const auto& facts = member.facts;
  const std::string triage = fmt::format("holdfast triage -c {}", report.cluster.full_name());
  if (report.has("galera-no-primary-component")) {
    if (member.action == Action::nothing) return Rung::common;
    return fail(ErrorClass::refused, "repair.no_donor",
                "no member is in a primary component that " + name(member) + " could join",
                fmt::format("holdfast bootstrap -c {} --dry-run", report.cluster.full_name()));
  }
  if (facts.agent.answers == false && member.action != Action::nothing)
    return needs_operator(member,
                          facts.agent.silent.empty() ? "no agent runs there that could start its server"
                                                     : "its agent cannot be reached: " + facts.agent.silent,
                          "holdfast explain agent-gone");
  // On a side of its own: only the person who names it says which side goes.
  if (targeted && says(report, member, "galera-two-components")) {
    const auto own =
        std::ranges::count_if(report.members, [&](const MemberReport& m) { return in_one_component(m, member); });
    if (has_majority(report, member, static_cast<size_t>(own)))
      return fail(ErrorClass::refused, "repair.split_brain",
                  fmt::format("{} is on the side that has more than half of all members", name(member)),
                  "name a member of the other side, after you checked what it has: " + triage + " -v");
    if (component_beside(report, member).empty())
      return needs_operator(member, "no side of the split has more than half of all members",
                            "holdfast explain galera-two-components");
    if (facts.tcp == false)
      return needs_operator(member, "the network between the sides is cut, so it could not join the other",
                            "repair the network first: holdfast explain tcp-unreachable");
    return Rung::refill;
  }
  if (targeted && member.verdict == Verdict::foreign && member.action == Action::nothing) {
    if (only_member_unknown(report, member)) return Rung::refill;
    return Rung::common;
  }
  if (says(report, member, "galera-receiving-state"))
    return needs_operator(member, "a state transfer into it is running, and its data is worth nothing before that ends",
                          triage + " --watch");
  // What Galera has begun to write over is replaced as after a transfer that was cut off. Whether nothing more comes
  // is a person's word: the donor may wait for a lock.
  if (says(report, member, "galera-transfer-stuck")) {
    if (targeted) return Rung::refill;
    return needs_operator(member, "nothing has come of its state for a while; if nothing will, rebuild it",
                          command(report, "repair", name(member)));
  }
  // A state transfer ends by itself, and so does a backup; a person who names it says that there is none.
  if (targeted && member.verdict == Verdict::catching_up && facts.galera && facts.galera->state.starts_with("Donor") &&
      facts.galera->desynced != true) {
    const bool feeds =
        std::ranges::any_of(report.members, [&](const MemberReport& m) { return &m != &member && !m.healthy(); });
    if (feeds || component_beside(report, member).empty())
      return needs_operator(member, "it may be giving its state to another member", triage + " --watch");
    planning.add(join_step(name(member), true, false, "it stays a donor and no member needs one"));
    planning.add_proof(member);
    return Rung::done;
  }
  if (!targeted && member.verdict == Verdict::catching_up && facts.galera && facts.galera->state.starts_with("Donor") &&
      facts.galera->desynced != true) {
    std::string hint = "holdfast explain galera-not-synced";
    for (const auto& m : report.members) {
      if (says(report, m, "galera-receiving-state")) hint = triage + " --watch";
      if (says(report, m, "galera-transfer-stuck")) hint = command(report, "repair", name(m));
    }
    return needs_operator(member,
                          "it gives its state to another member, or a backup runs there; both end by themselves", hint);
  }
  switch (member.action) {
    case Action::resume:
      if (says(report, member, "server-frozen")) {
        planning.add(continue_step(member));  // it finds the others by itself
        planning.add_proof(member);
        return Rung::done;
      }
      if (facts.galera && facts.galera->desynced == true)
        planning.add(setting_step(member, "wsrep_desync", "OFF",
                                  fmt::format("Let {} take part in flow control again", name(member))));
      if (facts.galera && !facts.galera->reject_queries.empty() && facts.galera->reject_queries != "NONE")
        planning.add(setting_step(member, "wsrep_reject_queries", "NONE",
                                  fmt::format("Let {} take queries again", name(member))));
      planning.add_proof(member);
      return Rung::done;
    case Action::restart: {
      if (facts.reachable() && facts.tcp == false)
        return needs_operator(member, "its network is cut, and it finds the others by itself when it is back",
                              "holdfast explain tcp-unreachable");
      const bool runs = facts.reachable() || facts.runtime.pid > 0;
      planning.add(
          join_step(name(member), runs, false, runs ? "it is outside, or does not work as it is" : "it does not run"));
      planning.add_proof(member);
      return Rung::done;
    }
    default:
      return Rung::common;
  }
}

class GaleraRungs final : public Rungs {
 public:
  bool follows_a_primary() const override { return false; }
  bool refills_unknown_unasked() const override { return true; }
  Result<Rung> add(const Planning& planning, const MemberReport& member) const override {
    return rung_of(planning, member);
  }
  const MemberReport* donor(const TriageReport& report, const MemberReport& victim) const override {
    return synced_donor(report, victim);
  }
  bool only_it_is_unknown(const TriageReport& report, const MemberReport& member) const override {
    return only_member_unknown(report, member);
  }
  std::optional<operation::Loss> loss(const TriageReport&, const MemberReport& victim,
                                      const MemberReport& donor) const override {
    return victim.verdict == Verdict::diverged ? std::nullopt : loss_beside_verdict(victim, donor);
  }
};

}  // namespace

const Rungs& galera_rungs() {
  static const GaleraRungs rungs;
  return rungs;
}

Step join_step(const std::string& member, bool restart, bool whole, std::string_view why) {
  return step_of(kind::JoinComponent{.restart = restart, .whole = whole},
                 {.id = "join-" + member,
                  .member = member,
                  .title = fmt::format("{} the server of {}, which joins the component ({})",
                                       restart ? "Restart" : "Start", member, why),
                  .preconditions = {"what it holds is a point of the component's own history",
                                    whole ? "a member is Synced" : "a Synced member still has the write sets it lacks"},
                  .undo = restart ? "start it again if it ran before" : "stop it again",
                  .expected_seconds = 30,
                  .proof = "it says Primary and Synced",
                  .touches = {"members/" + member, "leader", "authority"}});
}

}  // namespace holdfast::repair
