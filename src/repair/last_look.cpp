#include "repair/last_look.h"

#include <algorithm>

#include "sys/process.h"

namespace holdfast::repair {

cluster::TriageReport look_when_settled(const operation::Plan& plan, const std::function<cluster::TriageReport()>& look,
                                        Deadline settled_by, const std::stop_token& stop) {
  auto report = look();
  const auto may_settle = [&] {
    return !report.healthy && std::ranges::all_of(report.members, [&](const cluster::MemberReport& m) {
      return m.healthy() || plan.find("prove-" + m.facts.member.str());
    });
  };
  const auto settled = [&] {
    if (may_settle()) report = look();
    return !may_settle();
  };
  (void)sys::wait_until(settled, settled_by, stop);
  return report;
}

}  // namespace holdfast::repair
