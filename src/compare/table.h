// What is compared of a member: its tables, their columns and the key by which they are cut into ranges.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "compare/session.h"
#include "engine/row_checksum.h"

namespace holdfast::compare {

struct Table {
  std::string database, schema, name;        ///< schema: PostgreSQL alone
  std::vector<engine::ColumnShape> columns;  ///< without those the server computes on reading
  std::vector<engine::ColumnShape> key;      ///< NOT NULL and unique; empty: the table is one range
  std::string definition;                    ///< columns and types as one text, to compare between members
  std::string not_compared;                  ///< why its rows are not: "MyISAM: its rows are in no snapshot"
  auto operator<=>(const Table& other) const {
    return std::tie(database, schema, name) <=> std::tie(other.database, other.schema, other.name);
  }
  bool operator==(const Table& other) const { return (*this <=> other) == 0; }
  /// `shop`.`orders` or "public"."orders" (PostgreSQL: inside its database)
  std::string quoted(cluster::Engine engine) const;
  /// shop.orders, shop.public.orders: for people
  std::string text() const;
};

/// Every table of users, sorted, as the session's snapshot has them.
Result<std::vector<Table>> list_tables(cluster::Engine engine, Session& session, Deadline deadline,
                                       std::stop_token stop);

/// A key's values as the server printed them, in the order of Table::key.
using Key = std::vector<std::string>;

/// Rows with after < key <= up_to; a missing bound is open.
struct KeyRange {
  std::optional<Key> after, up_to;
};

// SQL of a range, pure. Every value is a literal of its column's type.
std::string where_text(cluster::Engine engine, const Table& table, const KeyRange& range);
/// The key `rows` rows behind `after`; no row: fewer are left.
std::string boundary_query(cluster::Engine engine, const Table& table, const std::optional<Key>& after, uint64_t rows);
std::string checksum_query(cluster::Engine engine, const Table& table, const KeyRange& range);
/// Key columns k0, k1, ... and column d, the digest, of every row of the range, at most `limit`.
std::string digests_query(cluster::Engine engine, const Table& table, const KeyRange& range, uint64_t limit);
/// "id > 100 and id <= 200", "all rows": for people.
std::string range_text(const Table& table, const KeyRange& range);

}  // namespace holdfast::compare
