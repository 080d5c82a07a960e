// MariaDB: a replica that died between logging a statement and noting that it had applied it.
//
// A DDL statement is in the replica's binary log before its GTID is in mysql.gtid_slave_pos, by up to a second. A
// replica killed in between asks its source for the statement again, and refuses it under gtid_strict_mode: 1950,
// "would create an out-of-order sequence number with existing GTID 0-1-37" for 0-1-37 itself. Since 10.6 DDL is atomic:
// what is in the binary log is done. So its own log is its position, if its source has all of that log, and what it did
// not note is only DDL: rows are noted with their own commit, so their want means older data beside newer logs.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "sql/rows.h"

namespace holdfast::engine {

/// Whether the replica's applier has stopped that way, after a start; false when it applies, has come past all it
/// logged, or nothing is known by the deadline.
Result<bool> stopped_at_what_it_logged(const sql::Target& replica, Deadline deadline, std::stop_token stop = {});

/// What the server's own log has behind the position it noted: "0-1-36..0-1-37"; "" = nothing.
Result<std::string> logged_behind(const sql::Target& replica, Deadline deadline, std::stop_token stop = {});

/// Stops all connections, makes what the server's own log names last its position (gtid_slave_pos), and starts
/// `channel` and those that ran. The caller has proven that the source has all of that log.
Status go_on_behind_its_log(const sql::Target& replica, const std::string& channel, Deadline deadline,
                            std::stop_token stop = {});

}  // namespace holdfast::engine
