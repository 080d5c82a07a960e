// Giving a MySQL primary the transactions that only a replica has: whole, with their own GTIDs, and only where every
// row is still as the replica found it.
//
// Rows are applied by the server itself (BINLOG), so that their values are exactly those of the log. Before that, in
// the same transaction and under lock, each row that is changed or removed is compared with its image before the
// change, all columns of it; an insert that collides is refused by the server.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <stop_token>

#include "engine/adoptable.h"
#include "sql/mariadb.h"

namespace holdfast::engine {

struct TableColumn {
  std::string name, type;  ///< "int unsigned"
  std::string data_type;   ///< "int"
  std::string charset;     ///< "" = none
  bool key = false;        ///< of the primary key
};
using TableColumns = std::map<std::string, std::vector<TableColumn>>;

/// What of `adoptable` can be judged from the servers' definitions: "adopt.unfit" (refused) for a table that the
/// primary lacks or has otherwise than the member, whose engine knows no transactions, that has generated columns;
/// where rows are changed or removed also one without primary key, with columns that cannot be compared, or that
/// foreign keys carry changes on from. Only asks.
Result<TableColumns> check_adoptable(const Adoptable& adoptable, const sql::Target& primary, const sql::Target& member,
                                     Deadline deadline, std::stop_token stop = {});

/// A session on the primary that adopts. Ids of its refusals: "adopt.conflict" names transaction, table and row.
class Adopter {
 public:
  static Result<Adopter> connect(const sql::Target& primary, TableColumns columns, const std::string& format,
                                 Deadline deadline, std::stop_token stop = {});
  /// Does all of them in one transaction, and rolls it back.
  Status rehearse(const std::vector<AdoptableTransaction>& transactions, Deadline deadline, std::stop_token stop = {});
  /// Whether the primary has it, by GTID.
  Result<bool> has(const std::string& gtid, Deadline deadline, std::stop_token stop = {});
  /// Everything the primary has.
  Result<std::string> executed(Deadline deadline, std::stop_token stop = {});
  /// Commits it under its own GTID; does nothing where the primary has it. Not interrupted once it commits.
  /// `before_commit` is asked when its rows are locked; what it refuses is rolled back.
  Status adopt(const AdoptableTransaction& transaction, const std::function<Status()>& before_commit, Deadline deadline,
               std::stop_token stop = {});

 private:
  Adopter(sql::MariadbConnection connection, TableColumns columns)
      : connection_(std::move(connection)), columns_(std::move(columns)) {}
  Status apply(const AdoptableTransaction& transaction, Deadline deadline, const std::stop_token& stop);
  Status execute(const std::string& statement, Deadline deadline, const std::stop_token& stop);

  sql::MariadbConnection connection_;
  TableColumns columns_;
};

/// Rows the transactions left that the member no longer holds so, each "db.table, id = 5"; at most ten. What a member
/// itself wrote may have been overwritten by its source since. `of`: only rows that the transaction of this index was
/// the last to touch.
Result<std::vector<std::string>> rows_not_held(const Adoptable& adoptable, const TableColumns& columns,
                                               const sql::Target& member, std::optional<size_t> of, Deadline deadline,
                                               std::stop_token stop = {});

/// Waits until the member has applied all of these. "adopt.behind" (unavailable) when it does not within `seconds`.
Status wait_for_transactions(const sql::Target& member, const std::string& set, int seconds, std::stop_token stop = {});

/// A condition that is true of exactly the rows with these values; columns that cannot be compared are left out.
std::string condition_of(const std::vector<TableColumn>& columns, const binlog::Cells& cells);
/// "id = 5"
std::string key_text(const std::vector<TableColumn>& columns, const binlog::Cells& cells);

}  // namespace holdfast::engine
