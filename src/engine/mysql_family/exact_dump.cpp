#include "engine/mysql_family/exact_dump.h"

#include <fmt/format.h>

namespace holdfast::engine {

Result<ExactDump> prepare_exact(const Sources& sources, const sql::Target& target, const HistoryPlan& history,
                                std::vector<DumpNote>& notes) {
  ExactDump exact;
  exact.tables = TRY(plan_exact_tables(sources, history, notes));
  if (exact.tables.empty()) return exact;
  auto twin = SnapshotTwin::open(target, sources.stop);
  if (twin) {
    exact.twin = std::move(*twin);
    return exact;
  }
  if (sources.stop.stop_requested()) return fail(std::move(twin).error());
  for (const auto& table : exact.tables) {
    const std::string name = table.name.database + "." + table.name.table;
    notes.push_back({"values.rounded", name,
                     fmt::format("FLOAT, JSON and values of other character sets in {} are dumped as the server prints "
                                 "them: no second snapshot could be taken ({})",
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
