// Reads a dump as it passes by: what it holds, whether its end is there, and the first lines, where positions stand.
// Pure: no I/O. Fast enough to sit in the stream (it jumps from line to line, and over quoted text).
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::engine {

enum class DumpFlavour {
  mysql,     ///< mariadb-dump and mysqldump
  postgres,  ///< pg_dumpall
};

/// A table by its parts: any of them may hold dots, quotes and newlines, so it is never text that is split again.
struct TableName {
  std::string database;
  std::string schema;  ///< PostgreSQL only
  std::string table;
  auto operator<=>(const TableName&) const = default;
  /// For people: the parts joined by dots.
  std::string text() const;
};

struct DumpCounts {
  uint64_t databases = 0, tables = 0, views = 0, sequences = 0, routines = 0, triggers = 0, events = 0, roles = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  /// Rows of each table, tables without rows included.
  std::map<TableName, uint64_t> table_rows;

  uint64_t objects() const { return tables + views + sequences + routines + triggers + events; }
};

class DialectScan;

class DumpScanner {
 public:
  explicit DumpScanner(DumpFlavour flavour);
  ~DumpScanner();

  void feed(ByteSpan bytes);

  const DumpCounts& counts() const;
  /// True when the last line but blanks is the one the dump program writes at its very end.
  bool complete() const;
  /// Lines that speak of replication positions (commented CHANGE MASTER, gtid_slave_pos, GTID_PURGED).
  const std::string& position_lines() const;
  /// Tables with a row that no server takes back: MariaDB and MySQL end at statements of 1 GiB.
  const std::set<TableName>& too_large() const;
  /// Tables with options that their storage engine does not know: MariaDB writes them as comments.
  const std::set<TableName>& unknown_options() const;

 private:
  const DumpFlavour flavour_;
  std::unique_ptr<DialectScan> dialect_;
  std::string tail_;  ///< last bytes of the stream
};

}  // namespace holdfast::engine
