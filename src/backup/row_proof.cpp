#include "backup/row_proof.h"

#include <fmt/format.h>

namespace holdfast::backup {

Result<RowProof> verify_rows(cluster::Engine engine, const sql::Target& target, const engine::DumpCounts& counts,
                             const std::map<engine::TableName, std::string>& uncounted, std::stop_token stop) {
  RowProof proof;
  std::vector<engine::TableName> tables;
  for (const auto& [name, rows] : counts.table_rows) {
    if (const auto found = uncounted.find(name); found != uncounted.end()) {
      proof.skipped.insert(*found);
    } else {
      tables.push_back(name);
    }
  }
  std::string differing;
  size_t differ = 0;
  const RowSink sink{[&](const engine::TableName& name, uint64_t found) {
                       ++proof.tables;
                       proof.rows += found;
                       const uint64_t expected = counts.table_rows.at(name);
                       if (expected == found) return;
                       if (++differ <= 5)
                         differing += fmt::format("{}{}: {} in the dump, {} restored", differing.empty() ? "" : "; ",
                                                  name.text(), expected, found);
                     },
                     [&](const engine::TableName& name, std::string why) { proof.skipped[name] = std::move(why); }};
  TRY_VOID(engine == cluster::Engine::postgres ? count_postgres_rows(target, tables, sink, stop)
                                               : count_mysql_rows(target, tables, sink, stop));
  if (differ > 0) {
    return fail(ErrorClass::verification_failed, "restore.rows_differ",
                fmt::format("{} tables hold another number of rows than the dump: {}", differ, differing),
                "restore another snapshot; holdfast get backups lists them");
  }
  return proof;
}

}  // namespace holdfast::backup
