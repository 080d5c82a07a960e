// What would be gone with a member's data. Pure.
#pragma once

#include <optional>
#include <string>

#include "cluster/triage.h"

namespace holdfast::repair {

/// What `member` holds and the member it would be made anew after lacks: that is the one that takes writes, or `donor`
/// when nobody does. nullopt = proven that there is nothing. "" = that cannot be proven, and there is no list of it.
/// The verdict alone does not tell: a member may be broken first and hold something of its own besides.
std::optional<std::string> held_only_by(const cluster::TriageReport& report, const cluster::MemberReport& member,
                                        const cluster::MemberReport& donor);

}  // namespace holdfast::repair
