// `holdfast inspect --fence` as an operation: crash recovery on stopped Galera members, to learn their positions.
#pragma once

#include <string>
#include <vector>

#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// One step, all members at the same time. Its result is {member: {position} or {error}}: one that cannot be recovered
/// does not keep the others from it. `seconds` is the time each has.
operation::Plan plan_inspection(const cluster::TriageReport& report, const std::vector<std::string>& members,
                                int64_t seconds);

inline constexpr const char* kRecoverStep = "recover-positions";

}  // namespace holdfast::repair
