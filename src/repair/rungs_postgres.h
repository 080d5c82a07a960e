// What a PostgreSQL member needs, where that is not what any replica would. Pure.
#pragma once

#include "repair/rungs.h"

namespace holdfast::repair {

const Rungs& postgres_rungs();

}  // namespace holdfast::repair
