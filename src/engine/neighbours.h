// What one server says of the others of its cluster: for cluster/discovery.h. Reads only.
#pragma once

#include <stop_token>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/discovery.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// Logs in and asks. A question that an account of few rights is refused leaves its answer empty, with a remark.
/// "discover.engine" (usage): the server is of another engine. Blocks until `deadline` at most.
Result<cluster::ServerWords> ask_neighbours(cluster::Engine engine, const sql::Target& target, Deadline deadline,
                                            std::stop_token stop);

}  // namespace holdfast::engine
