// What an account of MariaDB or MySQL may do with a database, by what SHOW GRANTS says. Pure.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "backup/dump_content.h"

namespace holdfast::backup {

/// Whether one of `rights` (engine::rights_of_grants()) gives `privilege` on the database: on *.*, on it, or on a
/// pattern that fits it.
bool may(const std::set<std::string>& rights, std::string_view privilege, std::string_view database);

/// Privileges that loading the database takes, on it.
std::vector<std::string> privileges_to_load(const DumpedDatabase& database);

/// LIKE with \ for the characters themselves, as the server reads the database of a grant.
bool fits_pattern(std::string_view name, std::string_view pattern);

}  // namespace holdfast::backup
