// MariaDB: what a replica has received and not applied, applied without its source.
//
// By GTID the server deletes its relay logs as soon as a thread starts while neither runs. So it is started without its
// threads, and its applier is led through the relay logs by file and offset, over exactly the transactions that
// gtid_slave_pos does not have; then it follows by GTID again.
#pragma once

#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "base/result.h"
#include "sql/rows.h"

namespace holdfast::engine {

struct AppliedReceived {
  uint64_t transactions = 0;
  std::string position;  ///< gtid_slave_pos then
};

/// The server runs on `data_dir` and neither of its threads does. Errors: "replication.received" (failed) says what
/// could not be applied, or read; its relay logs are then still there, and it follows by GTID.
Result<AppliedReceived> apply_received(const sql::Target& replica, const std::string& data_dir, Deadline deadline,
                                       std::stop_token stop = {});

}  // namespace holdfast::engine
