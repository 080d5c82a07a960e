// Single transactions in a server's binary log: where they are and what they did, so that errant ones can be told apart
// (a heartbeat, an account, user data) and exported.
#pragma once

#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/deadline.h"
#include "engine/binlog/gtids.h"
#include "engine/binlog/position.h"

namespace holdfast::engine::binlog {

enum class TransactionKind {
  rows,       ///< row events: `tables` says whose
  statement,  ///< data changed by statements
  ddl,
  account,  ///< users, roles, grants and passwords, by statement or in the tables of `mysql`
  empty,    ///< nothing but its own frame (an empty transaction somebody injected)
  unknown,  ///< an event we cannot look into
};
std::string_view transaction_kind_name(TransactionKind kind);

struct LoggedTransaction {
  std::string gtid;
  std::string file;
  uint64_t offset = 0, end = 0;  ///< of the GTID event; behind the last event
  uint32_t timestamp = 0;        ///< seconds since 1970, the origin's clock
  TransactionKind kind = TransactionKind::unknown;
  std::set<std::string> tables;  ///< "db.table" of row events, at most kMostTables
  std::set<std::string> verbs;   ///< "CREATE TABLE", "GRANT": never more of a statement, it may hold a password
  uint64_t row_events = 0;
  uint64_t size() const { return end - offset; }
};
constexpr size_t kMostTables = 100;

/// True when a transaction changed rows of these tables and nothing else: "db.table", or "*.table" in any database.
bool changes_only(const LoggedTransaction& transaction, const std::set<std::string>& tables);

/// Whatever there is of one domain and server after `after` and up to `up_to`: not every number needs to exist.
struct MariadbRange {
  uint32_t domain = 0, server = 0;
  uint64_t after = 0, up_to = 0;
  bool contains(const MariadbGtid& gtid) const {
    return gtid.domain == domain && gtid.server == server && gtid.sequence > after && gtid.sequence <= up_to;
  }
  bool operator==(const MariadbRange&) const = default;
};
struct WantedGtids {
  std::vector<MariadbGtid> mariadb;
  std::vector<MariadbRange> ranges;
  std::vector<MysqlInterval> mysql;
  bool empty() const { return mariadb.empty() && ranges.empty() && mysql.empty(); }
};
struct TransactionList {
  std::vector<LoggedTransaction> found;  ///< in the order of the log, at most `most`: the newest files' first
  uint64_t matched = 0;                  ///< how many there are
  bool cut_short = false;                ///< more than `most`
  /// Not in any file that is there (purged, or never logged here). Of a range: what may have been in files that were
  /// purged, or its last number when that was not seen, which is known to have existed.
  WantedGtids missing;
  std::string unknown;  ///< why the search could not see all of the log; "" = it did
};
/// Looks from the newest file to the oldest, and no further than the wanted ones can be. Cost: one header pass over
/// each of these files, plus the events of the wanted transactions. `kind` relay: what was received; every file is
/// looked at.
TransactionList find_transactions(const std::string& data_dir, const WantedGtids& wanted,
                                  const ReadOptions& options = {}, size_t most = 10'000,
                                  LogKind kind = LogKind::binary);

/// What the first words of a statement say: "CREATE TABLE", "GRANT". Comments before them are skipped.
std::string statement_verb(std::string_view statement);
TransactionKind kind_of_verb(std::string_view verb);

/// Fills kind, tables, verbs and row_events from the events in [offset, end). Pure but for `source`. The kind is
/// unknown when the deadline passes first.
void look_into(Source& source, const Format& format, LoggedTransaction& transaction,
               Deadline deadline = Deadline::never());

}  // namespace holdfast::engine::binlog
