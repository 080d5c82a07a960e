#include "repair/last_look.h"

#include <fmt/format.h>

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

std::string pages_unread(const cluster::MemberFacts& facts) {
  constexpr double kMiB = 1 << 20;
  if (const auto& check = facts.runtime.page_check; check && !check->running && !check->complete)
    return fmt::format("of its tables {:.1f} of {:.1f} MiB were read after its start",
                       static_cast<double>(check->bytes) / kMiB, static_cast<double>(check->of_bytes) / kMiB);
  for (const auto& reading : facts.readings)
    if (!facts.runtime.page_check && reading.name == "damaged pages" && !reading.unknown.empty())
      return "its tables could not be read after its start: " + reading.unknown;
  return "";
}

}  // namespace holdfast::repair
