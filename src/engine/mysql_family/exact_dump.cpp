#include "engine/mysql_family/exact_dump.h"

#include <fmt/format.h>

namespace holdfast::engine {

Result<ExactDump> prepare_exact(const Sources& sources, const sql::Target& target, const HistoryPlan& history,
                                bool checksums, std::vector<DumpNote>& notes) {
  ExactDump exact;
  exact.tables = TRY(plan_exact_tables(sources, history, notes));
  exact.history = history;
  exact.listed = TRY(list_tables(sources.source, sources.stop));
  const size_t snapshots = (exact.tables.empty() ? 0 : 1) + (checksums ? 1 : 0);
  if (snapshots == 0) return exact;
  auto twin = SnapshotTwin::open(target, snapshots, sources.stop);
  if (twin) {
    exact.twin = std::move(*twin);
    exact.checksums = checksums;
    return exact;
  }
  if (sources.stop.stop_requested()) return fail(std::move(twin).error());
  if (checksums)
    notes.push_back({"checksums.missing", "",
                     fmt::format("the backup has no checksums of tables: no second snapshot could be taken ({})",
                                 twin.error().message)});
  for (const auto& table : exact.tables) {
    const std::string name = table.name.database + "." + table.name.table;
    notes.push_back({"values.rounded", name,
                     fmt::format("FLOAT, DOUBLE, JSON and values of other character sets in {} are dumped as the "
                                 "server prints them: no second snapshot could be taken ({})",
                                 name, twin.error().message)});
  }
  exact.tables.clear();
  return exact;
}

void leave_out(const std::vector<ExactTable>& tables, sys::Command& command) {
  for (const auto& table : tables)
    command.argv.push_back(fmt::format("--ignore-table={}.{}", table.name.database, table.name.table));
}

}  // namespace holdfast::engine
