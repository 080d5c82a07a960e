// Transactions that a replica's log passes over: it has their number, and nothing in them.
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "base/deadline.h"
#include "engine/binlog/position.h"

namespace holdfast::engine::binlog {

struct SkippedList {
  /// As Errant::transactions names them: MySQL a set of GTIDs, MariaDB "0-1-5..0-1-7"; "" = none.
  std::string transactions;
  std::string unknown;  ///< why not all of the log was read; "" = it was, as far as asked
  uint64_t bytes = 0;   ///< read
};

/// Reads the newest files of the binary log, `most_bytes` of them at most. MySQL: transactions that are nothing but
/// their own frame, as they are injected to skip one. MariaDB: numbers that are left out of a domain's sequence within
/// one file; not all of them need ever to have been there. Whether they had a content only the source's log tells. One
/// pass over headers, and one short read for each small transaction.
SkippedList find_skipped(const std::string& data_dir, uint64_t most_bytes, const ReadOptions& options = {});

}  // namespace holdfast::engine::binlog
