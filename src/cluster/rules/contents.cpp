// What the last comparison of contents found: no position shows it.
#include "cluster/rules/rule.h"

namespace holdfast::cluster::rules {

namespace {

std::vector<Finding> differ(const View& view) {
  if (!view.cluster.compared) return {};
  const Comparison& compared = *view.cluster.compared;
  return each_member(view, [&](const MemberFacts& m) -> std::optional<Finding> {
    if (!compared.differs(m.member.str())) return {};
    Finding f;
    std::string tables;
    for (const auto& d : compared.differences) {
      if (d.member != m.member.str()) continue;
      f.evidence.push_back(fmt::format("{}, {}: {}", d.table, d.range, d.what));
      if (tables.find(d.table) == std::string::npos) tables += (tables.empty() ? "" : ", ") + d.table;
    }
    f.summary = fmt::format("{} had other rows than {} at the same position, on {}: {}", m.member.str(),
                            compared.reference, minute_text(compared.finished), tables);
    f.remedy = "find out which of the two is right; " + view.command("compare") + " shows whether it still holds";
    f.blocks = {"being a donor"};
    return f;
  });
}

constexpr Rule kContentsRules[] = {
    {"contents-differ", Severity::error, Verdict::broken, Action::nothing, "members hold different rows", differ},
};

}  // namespace

std::span<const Rule> contents_rules() {
  return kContentsRules;
}

}  // namespace holdfast::cluster::rules
