// Names of the replication slots that PostgreSQL members use. Pure.
#pragma once

#include <string>

#include "cluster/triage.h"

namespace holdfast::repair {

/// As its agent names it.
std::string usual_slot(const cluster::MemberReport& member);
/// The one it is configured with, else the usual one.
std::string slot_of(const cluster::MemberReport& member);

}  // namespace holdfast::repair
