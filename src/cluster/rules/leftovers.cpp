// What operations that nobody knows of any more have left with a member: directories, a copy under way.
#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

std::string list_command(const View& view) {
  return "holdfast operations list --unfinished -c " + view.cluster.full_name();
}

/// A repair proves a new directory in this way; when none is at work, nobody is going to put it in its place.
std::vector<Finding> on_side(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.runtime.data != "side" || m.runtime.pid <= 0) return {};
    return Finding{.members = {},
                   .summary = m.member.str() + " runs on a new data directory that has not taken the old one's place",
                   .evidence = {"agent: its server runs on the side directory; the next start is on the old one"},
                   .remedy = list_command(view) + "; when there is none: " + view.command("repair", &m),
                   .blocks = {"restart of " + m.member.str() + " by hand"}};
  });
}

std::vector<Finding> at_work(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (m.runtime.work.empty()) return {};
    return Finding{.members = {},
                   .summary = fmt::format("the agent of {} is at work: {}", m.member.str(), m.runtime.work),
                   .remedy = list_command(view) + "; when there is none: " + view.command("repair", &m) + " ends it"};
  });
}

std::vector<Finding> unfinished(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    Finding f;
    for (const auto& left : m.runtime.leftovers) {
      if (left.kind == Leftover::Kind::replaced || left.kind == Leftover::Kind::dropping || !m.runtime.work.empty() ||
          m.runtime.data == "side")
        continue;
      f.evidence.push_back(fmt::format("{}: {}", left.path,
                                       left.kind == Leftover::Kind::side ? "a whole copy of another member, not in use"
                                                                         : "a copy that was never finished"));
    }
    if (f.evidence.empty()) return {};
    f.summary = m.member.str() + " has a new data directory beside its own that was never put in its place";
    f.remedy = list_command(view) + "; when there is none: " + view.command("repair", &m) + " removes it";
    return f;
  });
}

std::vector<Finding> replaced(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    Finding f;
    for (const auto& left : m.runtime.leftovers)
      if (left.kind == Leftover::Kind::replaced) f.evidence.push_back(left.path);
    if (f.evidence.empty()) return {};
    f.summary = fmt::format("{} has kept {} old data director{} beside its own", m.member.str(), f.evidence.size(),
                            f.evidence.size() == 1 ? "y" : "ies");
    f.remedy =
        "it may hold what nothing else does: look into holdfast operations list, and remove it by hand when a "
        "copy of it is in a repository or it is no longer needed";
    return f;
  });
}

/// It has lost the name that anything takes for data; what is left of it holds space.
std::vector<Finding> half_removed(const View& view) {
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    Finding f;
    for (const auto& left : m.runtime.leftovers)
      if (left.kind == Leftover::Kind::dropping) f.evidence.push_back(left.path);
    if (f.evidence.empty() || !m.runtime.work.empty()) return {};
    f.summary = m.member.str() + " has a directory beside its own whose removal did not end";
    f.remedy = "see what keeps it (lsattr -R shows immutable files), remove it by hand, then " + view.command("triage");
    return f;
  });
}

std::vector<Finding> operation_left(const View& view) {
  std::vector<Finding> found;
  for (const auto& operation : view.around.operations) {
    const bool running = operation.state == "running";
    Finding f{.members = {},
              .summary = running ? fmt::format("a {} is under way: operation {}", operation.verb, operation.id)
                                 : fmt::format("a {} did not end: operation {} is {}", operation.verb, operation.id,
                                               operation.state),
              .evidence = {"started " + operation.started},
              .remedy = "holdfast operations show " + operation.id,
              .blocks = {"repair", "bootstrap", "restore"}};
    if (running)
      f.severity = Severity::info;
    else
      f.remedy += "; then holdfast operations resume " + operation.id + ", or undo";
    found.push_back(std::move(f));
  }
  return found;
}

constexpr Rule kLeftoverRules[] = {
    {"operation-unfinished", Severity::error, Verdict::healthy, Action::nothing,
     "an operation on the cluster did not end", operation_left},
    {"removal-unfinished", Severity::warning, Verdict::healthy, Action::nothing, "a directory could not be removed",
     half_removed},
    {"server-on-side-directory", Severity::error, Verdict::broken, Action::rebuild,
     "a server runs on a directory that is not its own yet", on_side},
    {"agent-at-work", Severity::info, Verdict::healthy, Action::nothing, "an agent copies or rewinds", at_work},
    {"side-directory-left", Severity::warning, Verdict::healthy, Action::nothing,
     "a repair left a new data directory behind", unfinished},
    {"replaced-directory-left", Severity::info, Verdict::healthy, Action::nothing, "an old data directory was kept",
     replaced},
};

}  // namespace

std::span<const Rule> leftover_rules() {
  return kLeftoverRules;
}

}  // namespace holdfast::cluster::rules
