// What a member of MariaDB or MySQL with one primary needs, where that is not what any member would. Pure.
#pragma once

#include "repair/rungs.h"

namespace holdfast::repair {

const Rungs& mariadb_rungs();
const Rungs& mysql_rungs();

}  // namespace holdfast::repair
