// Acceptances: dangers named on the command line, --accept=NAME[:ARGUMENT][@HASH]. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "operation/plan.h"

namespace holdfast::operation {

struct Acceptance {
  std::string name;  ///< with its argument: "discard-diverged:shop-mysql-1"
  std::string hash;  ///< of the plan it is meant for; empty = any plan
};

/// "operation.bad_acceptance" (usage) for anything that is not of that form. A hash has at least 12 digits.
Result<Acceptance> parse_acceptance(std::string_view text);

/// Ok if `given` accepts exactly what the plan loses.
/// - one bound to another plan: "operation.plan_changed" (refused)
/// - one the plan does not need: "operation.acceptance_not_needed" (usage), so that scripts carry none for luck
/// - one missing: "operation.not_accepted" (refused), whose hint is exactly the flags to add
Status check_acceptances(const Plan& plan, const std::vector<std::string>& given);

}  // namespace holdfast::operation
