// The proof of a replay: the rows of every table that can be counted, beside what the dump has.
#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "cluster/types.h"
#include "engine/checksum_results.h"
#include "engine/dump_scan.h"
#include "sql/rows.h"

namespace holdfast::backup {

struct RowProof {
  uint64_t tables = 0, rows = 0;                          ///< counted, each as the dump has it
  bool by_checksum = false;                               ///< checksums were compared, too
  uint64_t equal = 0;                                     ///< of `tables`: compared by checksum
  std::map<engine::TableName, std::string> only_counted;  ///< by_checksum: tables without one, and why
  std::map<engine::TableName, std::string> skipped;       ///< not counted, and why
};

/// Counts the rows of every table the dump named and compares, but for those of `uncounted`. "restore.rows_differ"
/// (verification_failed) names the first tables that differ. MySQL's and MariaDB's system schemas are left out: the
/// server writes into them by itself.
Result<RowProof> verify_rows(cluster::Engine engine, const sql::Target& target, const engine::DumpCounts& counts,
                             const std::map<engine::TableName, std::string>& uncounted, std::stop_token stop);

/// Sums every table that has a checksum in `kept` and compares; the others are counted as verify_rows() does.
/// "restore.checksums_differ" (verification_failed) names the first tables that differ.
Result<RowProof> verify_checksums(cluster::Engine engine, const sql::Target& target, const engine::DumpCounts& counts,
                                  const std::map<engine::TableName, std::string>& uncounted,
                                  const engine::ChecksumResults& kept, std::stop_token stop);

/// Of a schema that MySQL and MariaDB write into by themselves: no proof counts it.
bool is_system_table(const engine::TableName& name);

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
