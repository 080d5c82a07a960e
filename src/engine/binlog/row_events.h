// Row events of a binary log, decoded to what a condition in SQL can be made of: the column values before and after a
// change. Pure. MySQL's and MariaDB's plain forms; compressed and partial ones are not read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/binlog/event.h"

namespace holdfast::engine::binlog {

struct MappedColumn {
  uint8_t type = 0;  ///< as the server's field types; of CHAR, ENUM and SET the real one
  uint16_t meta = 0;
};

struct TableMap {
  uint64_t id = 0;
  std::string database, table;
  std::vector<MappedColumn> columns;
  std::string name() const { return database + "." + table; }
};
/// Body of a table map event, without header and checksum.
std::optional<TableMap> parse_whole_table_map(const Format& format, ByteSpan body);

/// One value of a row.
struct Cell {
  enum class Kind {
    null,
    integer,  ///< `number` as signed, `width` bytes wide: the table map does not always tell whether it has a sign
    literal,  ///< DECIMAL, DOUBLE, FLOAT, YEAR: `text` is a literal of SQL
    quoted,   ///< DATE, TIME, DATETIME, TIMESTAMP (in UTC): `text` stands in quotes
    index,    ///< ENUM, SET: `number`
    bits,     ///< BIT: `number`
    bytes,    ///< CHAR, VARCHAR, TEXT, BLOB: `text`, in the column's character set
    opaque,   ///< JSON, GEOMETRY and so on: cannot be told in SQL
  };
  Kind kind = Kind::null;
  int64_t number = 0;
  uint8_t width = 0;
  std::string text;
};
using Cells = std::vector<Cell>;

struct RowChange {
  std::optional<Cells> before, after;  ///< insert: after; delete: before; update: both
};

struct RowsEvent {
  uint64_t table_id = 0;
  bool ends_statement = false;
  bool unchecked = false;  ///< written with foreign key or unique checks off
  std::vector<RowChange> changes;
};
/// Whose map the event wants.
std::optional<uint64_t> rows_table_id(ByteSpan body);
/// The error's message says what cannot be read: "the rows hold some columns only", "of a type that is not known".
Result<RowsEvent> parse_rows_event(const Format& format, uint8_t type, ByteSpan body, const TableMap& map);

}  // namespace holdfast::engine::binlog
