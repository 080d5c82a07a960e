// Exact tables and the snapshot their rows are read in, together: planned before the dump program starts.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "engine/mysql_family/completeness.h"
#include "engine/mysql_family/exact_rows.h"
#include "engine/mysql_family/snapshot_twin.h"
#include "sys/process.h"

namespace holdfast::engine {

struct ExactDump {
  std::vector<ExactTable> tables;
  std::optional<SnapshotTwin> twin;  ///< with its lock held; empty without tables and checksums
  bool checksums = false;            ///< to be taken in a snapshot of the twin
  ListedTables listed;               ///< what is there before the snapshot
  HistoryPlan history;
};

/// What the dump program is to leave to us, and a snapshot for `checksums`. Where no second snapshot can be had,
/// nothing, and that is noted. The last thing before the program starts: from here on the source is locked.
Result<ExactDump> prepare_exact(const Sources& sources, const sql::Target& target, const HistoryPlan& history,
                                bool checksums, std::vector<DumpNote>& notes);
void leave_out(const std::vector<ExactTable>& tables, sys::Command& command);

}  // namespace holdfast::engine
