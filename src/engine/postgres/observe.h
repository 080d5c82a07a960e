// What a PostgreSQL server tells of itself by SQL.
#pragma once

#include "engine/observe.h"

namespace holdfast::engine::postgres {

void observe(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop,
             sql::KeptPostgres* kept);
void observe_position(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop,
                      sql::KeptPostgres* kept);
/// data_bytes, where nothing else told it: a look at each file.
void observe_size(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop,
                  sql::KeptPostgres* kept);

}  // namespace holdfast::engine::postgres
