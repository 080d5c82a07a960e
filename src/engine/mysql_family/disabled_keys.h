// Keys that ALTER TABLE ... DISABLE KEYS took out of use: a dump enables all.
#pragma once

#include <string>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

/// Statements that take them out of use again, for behind the rows.
Result<std::string> disabled_keys(const Sources& sources);

}  // namespace holdfast::engine
