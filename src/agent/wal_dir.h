// PostgreSQL's WAL on a volume of its own: pg_wal is a link. What takes the data's place gets a WAL directory of its
// own beside the member's, and its link leads there, so that a directory keeps its WAL wherever it is moved:
//
//   data/pg_wal               -> /wal/main
//   data.new/pg_wal           -> /wal/main.holdfast-<time>
#pragma once

#include <string>

#include "agent/config.h"
#include "base/result.h"

namespace holdfast::agent {

/// Where the link in a data directory leads, without links; "" where pg_wal is no link, or not to a directory of the
/// same user.
std::string wal_elsewhere(const std::string& data_dir);

/// A WAL directory for what is being made: made, empty, the server's; "" where the member has its WAL among its data.
Result<std::string> make_wal_dir(const MemberConfig& config);

/// Removes the WAL directory of a data directory that is to be removed: where it is one of the member's, and the
/// member's data has another. Fine where there is none.
Status remove_wal_dir(const MemberConfig& config, const std::string& data_dir);

}  // namespace holdfast::agent
