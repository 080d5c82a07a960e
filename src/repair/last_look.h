// The look that a repair is judged by.
#pragma once

#include <functional>
#include <stop_token>

#include "base/deadline.h"
#include "cluster/triage.h"
#include "operation/plan.h"

namespace holdfast::repair {

/// Looks, and looks again until `settled_by`: servers that were asked a moment apart may not agree yet although each
/// member that `plan` healed was found to be well. What the plan left alone stays as it is and is not waited for.
/// Returns the last look, whatever it says.
cluster::TriageReport look_when_settled(const operation::Plan& plan, const std::function<cluster::TriageReport()>& look,
                                        Deadline settled_by, const std::stop_token& stop = {});

}  // namespace holdfast::repair
