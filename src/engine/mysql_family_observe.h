// What a MariaDB, Galera or MySQL server tells of itself by SQL.
#pragma once

#include "engine/observe.h"

namespace holdfast::engine {

void observe_mysql_family(cluster::Engine engine, cluster::MemberFacts& facts, const sql::Target& target,
                          Deadline deadline, std::stop_token stop);
void observe_mysql_family_position(cluster::Engine engine, cluster::MemberFacts& facts, const sql::Target& target,
                                   Deadline deadline, std::stop_token stop);

}  // namespace holdfast::engine
