// The schema sys, which the server makes and the dump programs leave out.
#pragma once

#include <string>
#include <vector>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

/// Statements that set what users set in sys.sys_config. What they made there besides is noted.
Result<std::string> sys_schema(const Sources& sources, std::vector<DumpNote>& notes);

}  // namespace holdfast::engine
