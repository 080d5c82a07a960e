// Tables whose values a dump program does not write exactly, because it writes text in utf8mb4: FLOAT (six digits),
// DOUBLE (-0), character sets that do not come back the same from Unicode (sjis 5C), JSON with decimals, ENUM and SET
// with an empty member. Tables whose history may hold rows that cannot be loaded. ARCHIVE tables whose AUTO_INCREMENT
// refuses their own rows. Generated columns that are other values in another mode of SQL. And namesakes (namesakes.h).
// They are kept out of the program; their structure is made before its output, and their rows, written by us, follow
// it.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "engine/mysql_family/sources.h"

namespace holdfast::engine {

/// How a column's value is asked for, and written again.
enum class ValueForm {
  text,    ///< as the server prints it, in quotes
  number,  ///< as the server prints it
  bytes,   ///< hexadecimal, in the column's own character set, or binary
  json,    ///< MySQL's: its text in hexadecimal and, in a second value, its types (json_exact.h)
};

struct ExactColumn {
  std::string name;
  ValueForm form = ValueForm::text;
  std::string expression;  ///< selects it
  std::string introducer;  ///< before X'...': "_sjis ", "" for binary
};

struct ExactTable {
  TableName name;
  bool history = false;                              ///< system-versioned, with its former rows
  std::string start = "row_start", end = "row_end";  ///< of the period, where there is history
  std::string create;                                ///< SHOW CREATE TABLE
  std::string counter;                               ///< AUTO_INCREMENT of an ARCHIVE table, taken out of `create`
  std::string schema;                                ///< CREATE DATABASE of its database
  std::string triggers;                              ///< statements
  std::string modes;                                 ///< ",A,B": more modes of SQL its expressions were written for
  bool plain_literals = false;                       ///< and its rows under NO_BACKSLASH_ESCAPES
  std::vector<ExactColumn> columns;
};

/// Takes AUTO_INCREMENT=N out of SHOW CREATE TABLE of an ARCHIVE table; N, or "". Pure.
std::string take_archive_counter(std::string& create);
/// The form of a column by its type and character set (information_schema.COLUMNS). Pure.
ExactColumn exact_column(const std::string& name, const std::string& data_type, const std::string& charset,
                         bool mariadb);
/// One row's values, as they stand between the parentheses of an INSERT; counts those that had to be written as text
/// though that loses their types. Pure.
std::string exact_values(const std::vector<ExactColumn>& columns, const sql::Row& row, size_t* inexact);
/// "SELECT ... FROM `a`.`b`" and "INSERT INTO `b` (...) VALUES". Pure.
std::string exact_select(const ExactTable& table);
std::string exact_insert(const ExactTable& table);
/// "`row_start` < `row_end`": no statement loads other rows, which a clock that was set back or changes within one
/// microsecond made. Pure.
std::string loadable_history(const std::string& start, const std::string& end);

/// What of system-versioned tables' history the dump has.
struct HistoryPlan {
  bool dumped = false;
  std::set<TableName> by_transaction;  ///< but not of these: the dump program refuses them
};

/// The tables of the source that need it, with all that is asked of the catalogue, and those that the program would
/// take for one of them.
Result<std::vector<ExactTable>> plan_exact_tables(const Sources& sources, const HistoryPlan& history,
                                                  std::vector<DumpNote>& notes);
/// Fills everything but name and history from the catalogue.
Status describe(const Sources& sources, ExactTable& table);
/// Their structures, without rows. Pure.
std::string exact_structures(const std::vector<ExactTable>& tables);
/// Around the rows of all of them: the settings of the session.
std::string exact_rows_prologue();
std::string exact_rows_epilogue();

}  // namespace holdfast::engine
