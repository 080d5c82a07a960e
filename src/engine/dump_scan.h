// Reads a dump as it passes by: what it holds, whether its end is there, and the first lines, where positions stand.
// Pure: no I/O. Fast enough to sit in the stream (it jumps from line to line, and over quoted text).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace holdfast::engine {

enum class DumpFlavour {
  mysql,     ///< mariadb-dump and mysqldump
  postgres,  ///< pg_dumpall
};

struct DumpCounts {
  uint64_t databases = 0, tables = 0, views = 0, sequences = 0, routines = 0, triggers = 0, events = 0, roles = 0;
  uint64_t rows = 0;
  uint64_t bytes = 0;
  /// Rows of each table, "database.table" (PostgreSQL: "database.schema.table"), tables without rows included.
  std::map<std::string, uint64_t> table_rows;

  uint64_t objects() const { return tables + views + sequences + routines + triggers + events; }
};

class DumpScanner {
 public:
  explicit DumpScanner(DumpFlavour flavour) : flavour_(flavour) {}

  void feed(ByteSpan bytes);

  const DumpCounts& counts() const { return counts_; }
  /// True when the last line but blanks is the one the dump program writes at its very end.
  bool complete() const;
  /// Lines that speak of replication positions (commented CHANGE MASTER, gtid_slave_pos, GTID_PURGED).
  const std::string& position_lines() const { return position_lines_; }

 private:
  void line_start(std::string_view line, bool whole);
  void mysql_line(std::string_view line);
  void postgres_line(std::string_view line);
  size_t skip_values(std::string_view text);
  void note_position(std::string_view line);

  const DumpFlavour flavour_;
  DumpCounts counts_;
  std::string head_;           ///< start of the current line, as far as needed
  bool at_line_start_ = true;  ///< the next byte starts a line, or continues head_
  bool in_values_ = false;     ///< inside the rows of an INSERT
  bool in_quote_ = false;      ///< ... inside a quoted string
  bool escaped_ = false;       ///< ... right after a backslash
  int depth_ = 0;              ///< ... parentheses
  bool in_copy_ = false;       ///< inside COPY data
  bool in_body_ = false;       ///< between DELIMITER ;; and DELIMITER ;
  std::string database_;
  uint64_t* rows_ = nullptr;  ///< of the table whose rows pass by
  std::string tail_;          ///< last bytes of the stream
  std::string position_lines_;
};

}  // namespace holdfast::engine
