// Transactions of a member's binary log, read so that another server can be given them: whole, row by row, in the order
// of the log. MySQL.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "engine/binlog/row_events.h"
#include "engine/errant_log.h"

namespace holdfast::engine {

struct AdoptableChange {
  std::string table;  ///< "db.table", a key of Adoptable::tables
  binlog::RowChange change;
};

/// What one statement logged: it is applied in one piece.
struct AdoptableStatement {
  std::string events;  ///< table maps and row events as they stand in the log, in base64
  std::vector<AdoptableChange> changes;
};

struct AdoptableTransaction {
  std::string gtid;
  double time = 0;
  std::vector<AdoptableStatement> statements;           ///< none: an empty transaction
  std::map<std::string, std::array<uint64_t, 3>> rows;  ///< by table: inserted, updated, deleted
};

struct MappedTable {
  std::string database, table;
  std::vector<binlog::MappedColumn> columns;
};

struct Adoptable {
  std::vector<AdoptableTransaction> transactions;
  std::map<std::string, MappedTable> tables;
  std::string format;  ///< the logs' format description event, in base64
  std::string digest;  ///< of all that would be applied
};

/// Bytes of row events, and rows, that are adopted at most: all of it is tried in one transaction first.
constexpr uint64_t kMostAdoptedBytes = 64 << 20;
constexpr uint64_t kMostAdoptedRows = 100'000;
constexpr size_t kMostAdopted = 10'000;  ///< transactions

/// All of `transactions`, or "adopt.unfit" (refused) with the transaction and the reason: not in the logs any more, a
/// change of a definition or an account, a statement instead of rows, rows that are not whole, a system table, or a
/// table whose definition was changed afterwards. `log` was read with ErrantLogOptions::altered.
Result<Adoptable> read_adoptable(const ErrantLog& log, std::string_view transactions);

}  // namespace holdfast::engine
