#pragma once

#include <stop_token>

#include "base/deadline.h"
#include "cluster/facts.h"
#include "sql/rows.h"

namespace holdfast::engine::mariadb {

/// Fills the facts of one mariadb member.
void observe(cluster::MemberFacts& facts, const sql::Target& target, Deadline deadline, std::stop_token stop);

}  // namespace holdfast::engine::mariadb
