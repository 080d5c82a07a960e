// What the scanner of one dialect gives to DumpScanner. One file for each dialect: dump_scan_mysql.cpp and
// dump_scan_postgres.cpp.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "engine/dump_scan.h"

namespace holdfast::engine {

/// A statement of a dump of MariaDB or MySQL as its client cuts it, by its place in the stream.
struct StatementSpan {
  uint64_t begin = 0, end = 0;  ///< from its first byte to behind its delimiter
  size_t delimiter = 0;         ///< bytes of that
};

class DialectScan {
 public:
  virtual ~DialectScan() = default;
  /// The next bytes of the dump, cut anywhere.
  virtual void feed(std::string_view text) = 0;
  /// False while what was fed ends inside a statement, where no text is an end marker.
  virtual bool between_statements() const = 0;

  DumpCounts counts;
  std::string position_lines;
  /// MariaDB and MySQL: called inside feed() when a statement has ended.
  std::function<void(const StatementSpan&)> on_statement;
  /// Tables with a row that takes a statement larger than any server accepts.
  std::set<TableName> too_large;
  /// MariaDB: tables with options that their storage engine does not know, which are comments in a dump.
  std::set<TableName> unknown_options;
};

std::unique_ptr<DialectScan> mysql_dump_scan();
std::unique_ptr<DialectScan> postgres_dump_scan();

/// The name in `quote` at the start of `text`, doubled quotes undone; "" when there is none. `after`: where it ends.
std::string quoted_name(std::string_view text, char quote, size_t* after = nullptr);

}  // namespace holdfast::engine
