// What a Galera member needs, where that is not what a replica would. Pure.
#pragma once

#include "repair/rungs.h"

namespace holdfast::repair {

const Rungs& galera_rungs();

/// The step that has a member join the component there is. `whole`: also when its state must be transferred whole,
/// which replaces what it holds.
operation::Step join_step(const std::string& member, bool restart, bool whole, std::string_view why);

}  // namespace holdfast::repair
