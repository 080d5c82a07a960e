// What a PostgreSQL server tells of itself by SQL.
#pragma once

#include "engine/observe.h"

namespace holdfast::engine::postgres {

void observe(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop);
void observe_position(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop);

}  // namespace holdfast::engine::postgres
