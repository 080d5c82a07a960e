// A realistic mixed data set for a lab cluster, and a writer that remembers what was acknowledged.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "lab/lab.h"

namespace holdfast::lab {

struct LoadOptions {
  std::string cluster;
  uint64_t bytes = 200'000'000;  ///< about so much table data
  uint64_t seed = 1;             ///< the same seed gives the same rows
};

struct LoadResult {
  uint64_t rows = 0, bytes = 0;
  double seconds = 0;
};

/// Writes schemas shop, crm and logs (PostgreSQL: databases shop and reports) anew through the primary: many column
/// types, utf8mb4 and emoji, NULLs, decimals, dates, blobs, JSON, generated columns, foreign keys, views, routines,
/// triggers, events, roles and users. What was there under these names is replaced.
Result<LoadResult> load(const Options& options, const LoadOptions& load, Deadline deadline, std::stop_token stop = {});

struct WriteOptions {
  std::string cluster;
  std::chrono::seconds span{10};
};

struct WriteResult {
  uint64_t acknowledged = 0;   ///< rows in the journal by this run
  uint64_t indeterminate = 0;  ///< tried, answer lost: may or may not be there
  std::string journal;         ///< <state>/lab/<cluster>/acknowledged.journal: one "id unix-milliseconds" line per row
};

/// Whether there is a primary to write to: "lab.not_up" (unavailable), "lab.no_cluster" (usage).
Status can_write(const Options& options, const std::string& cluster);

/// Inserts rows into shop.ledger (PostgreSQL: database shop) one by one, a commit each, for `span` or until stopped.
/// A row is in the journal only after the server said it is committed. Ids go on from the end of the journal. A server
/// that goes away is tried again; the ids of lost answers are not used again.
Result<WriteResult> write_rows(const Options& options, const WriteOptions& write, std::stop_token stop = {});

}  // namespace holdfast::lab
