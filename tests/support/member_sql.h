// Signing in to a member as `lab status` describes it.
#pragma once

#include "codec/value.h"
#include "sql/rows.h"

namespace holdfast::test {

/// From one of data.members[]; fails the test when the password file cannot be read.
sql::Target target_of(const codec::Value& member);

}  // namespace holdfast::test
