// Does a replica get what its source has? Its own "lag 0" says only that it has applied what it got.
#pragma once

#include <stop_token>

#include "base/deadline.h"
#include "base/result.h"
#include "cluster/facts.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// How far a replica's receiver is.
struct Receipt {
  std::string position;  ///< Gtid_IO_Pos, retrieved and executed GTID set, received LSN
  std::string mark;      ///< changes with every byte that arrives, also in the middle of a long transaction
};

/// Asks the replica again. Reads only; fails where it follows nobody, or several.
Result<Receipt> read_receipt(cluster::Engine engine, const sql::Target& target, Deadline deadline,
                             std::stop_token stop = {});

/// Is what the source offers (MemberFacts::offered) more than what was received? False when it cannot be told.
bool lacks_of(cluster::Engine engine, const std::string& received, const std::string& offered);

}  // namespace holdfast::engine
