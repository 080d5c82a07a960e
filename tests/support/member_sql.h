// Signing in to a member as `lab status` describes it.
#pragma once

#include <string>

#include "cluster/types.h"
#include "codec/value.h"
#include "sql/rows.h"

namespace holdfast::test {

/// From one of data.members[]; fails the test when the password file cannot be read.
sql::Target target_of(const codec::Value& member);

/// First column of the first row, "" without one, or the error as text.
std::string ask(cluster::Engine engine, const sql::Target& target, const std::string& statement);

}  // namespace holdfast::test
