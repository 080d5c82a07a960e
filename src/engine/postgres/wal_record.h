// What a record of PostgreSQL's write-ahead log is: who wrote it, whose pages it changed, and what a commit says.
// Formats of PostgreSQL 13 to 18 (access/xlogrecord.h, access/xact.h). Pure: no I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "engine/postgres/wal.h"

namespace holdfast::engine::postgres {

struct Relation {
  uint32_t tablespace = 0, database = 0, number = 0;
  std::string to_string() const;  ///< "1663/5/16385", as pg_waldump and the files are named
  /// Numbers below 16384 are the catalogs' (a rewritten catalog gets a higher one, and counts as a user's).
  bool is_catalog() const { return number < 16384; }
  auto operator<=>(const Relation&) const = default;
};

enum class WalManager : uint8_t { xlog = 0, transaction = 1, heap2 = 9, heap = 10, sequence = 15 };

struct WalRecord {
  uint8_t manager = 0, info = 0;
  uint32_t xid = 0;
  std::vector<Relation> relations;  ///< of the pages it names, each once
  ByteSpan main;                    ///< what the manager wrote of its own
  bool is(WalManager which) const { return manager == static_cast<uint8_t>(which); }
  /// Adds, changes or removes rows (not: locks, prunes, freezes them).
  bool changes_rows() const;
};
/// Nothing when the bytes make no sense.
std::optional<WalRecord> parse_wal_record(const WalItem& item);
/// "Heap INSERT", "Transaction COMMIT", "Btree": as pg_waldump names the managers.
std::string wal_record_name(const WalRecord& record);

/// COMMIT and COMMIT PREPARED.
struct WalCommit {
  uint32_t xid = 0;
  std::vector<uint32_t> subtransactions;
  int64_t time_us = 0;  ///< since 1970, the server's clock
};
/// Nothing when it is no commit; `damaged` is set when it is one that cannot be read.
std::optional<WalCommit> parse_commit(const WalRecord& record, uint16_t magic, bool& damaged);
/// Transactions an abort ends: they leave nothing.
std::vector<uint32_t> parse_abort(const WalRecord& record);

}  // namespace holdfast::engine::postgres
