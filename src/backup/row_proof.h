// The proof of a replay: the rows of every table that can be counted, beside what the dump has.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "engine/dump_scan.h"
#include "sql/rows.h"

namespace holdfast::backup {

struct RowProof {
  uint64_t tables = 0, rows = 0;                     ///< counted, each as the dump has it
  std::map<engine::TableName, std::string> skipped;  ///< not counted, and why
};

/// Counts the rows of every table the dump named and compares, but for those of `uncounted`. "restore.rows_differ"
/// (verification_failed) names the first tables that differ. MySQL's and MariaDB's system schemas are left out: the
/// server writes into them by itself.
Result<RowProof> verify_rows(cluster::Engine engine, const sql::Target& target, const engine::DumpCounts& counts,
                             const std::map<engine::TableName, std::string>& uncounted, std::stop_token stop);

// One per engine, used by verify_rows(): counts the tables in their order. A table that turns out to be none with rows
// of its own is given to `skipped` with the reason.
struct RowSink {
  std::function<void(const engine::TableName&, uint64_t rows)> counted;
  std::function<void(const engine::TableName&, std::string why)> skipped;
};
Status count_mysql_rows(const sql::Target& target, const std::vector<engine::TableName>& tables, const RowSink& sink,
                        std::stop_token stop);
Status count_postgres_rows(const sql::Target& target, const std::vector<engine::TableName>& tables, const RowSink& sink,
                           std::stop_token stop);

}  // namespace holdfast::backup
