// Tables whose files lie outside the data directory (DATA DIRECTORY): a restore makes them inside it.
#pragma once

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

Status note_directories(const Sources& sources, std::vector<DumpNote>& notes);

}  // namespace holdfast::engine
