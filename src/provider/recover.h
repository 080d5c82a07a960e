// `holdfast inspect --fence`: which members it recovers. How: repair/inspect.h.
#pragma once

#include <string>
#include <vector>

#include "cluster/triage.h"

namespace holdfast::provider {

/// What is to be done with a member, decided from a triage report alone.
struct RecoverStep {
  enum class Kind {
    recover,   ///< crashed: only InnoDB knows its position
    known,     ///< stopped cleanly, or recovered before: `position` holds
    running,   ///< left alone: its server runs and answers for itself
    withheld,  ///< stopped, but what it holds is no position (`why`)
  };
  MemberName member;
  Kind kind = Kind::withheld;
  std::string position, why;
};
std::vector<RecoverStep> plan_recovery(const cluster::TriageReport& report);

}  // namespace holdfast::provider
