// The look that a repair is judged by, and what it leaves open.
#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// Looks, and looks again until `settled_by`: servers that were asked a moment apart may not agree yet although each
/// member that `plan` healed was found to be well. What the plan left alone stays as it is and is not waited for.
/// Returns the last look, whatever it says.
cluster::TriageReport look_when_settled(const operation::Plan& plan, const std::function<cluster::TriageReport()>& look,
                                        Deadline settled_by, const std::stop_token& stop = {});

/// What is not known of the pages on a member's disk after its start: "of its tables 12.0 of 80.0 MiB were read after
/// its start"; "" when all were read, or nobody was to read them.
std::string pages_unread(const cluster::MemberFacts& facts);

}  // namespace holdfast::repair
