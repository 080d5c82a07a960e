// What running MariaDB and MySQL servers hold right now, compared.
#pragma once

#include <set>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "cluster/types.h"
#include "sql/rows.h"

namespace holdfast::repair {

/// Transactions `member` has and `other` lacks, as text; "" = proven that there are none. `member` is asked first, so
/// that what it gets from `other` meanwhile is no difference. What came over connections from outside the cluster
/// (`foreign`: engine::Channel::origins) and is not with `other` at all does not count.
Result<std::string> held_beyond(cluster::Engine engine, const sql::Target& member, const sql::Target& other,
                                Deadline deadline, std::stop_token stop = {},
                                const std::set<std::string>& foreign = {});

}  // namespace holdfast::repair
