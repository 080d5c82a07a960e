// SQL text of a checksum over a table's rows that no order of the rows changes: the number of rows and the sum of a
// digest of each. Two tables of one engine and version with equal checksums hold equal rows (but for chance, 2^-60).
// Pure: text in, text out. A digest sees every byte of a value (FLOAT with all its digits, text in its own character
// set); which session settings it counts on, session_settings() says.
#pragma once

#include <string>
#include <vector>

#include "cluster/types.h"

namespace holdfast::engine {

struct ColumnShape {
  std::string name;
  std::string type;  ///< DATA_TYPE of information_schema ("varchar", "float"); PostgreSQL: unused
};

/// Statement that makes values print alike wherever it runs: time zone, digits, formats, sql_mode.
std::string session_settings(cluster::Engine engine);

/// An expression: at least 32 hexadecimal digits over the values of these columns, NULL told from every value. No
/// columns: a constant.
std::string row_digest(cluster::Engine engine, const std::vector<ColumnShape>& columns);

/// "COUNT(*) AS n, ... AS s": the select list of a table's (or a key range's) checksum.
std::string checksum_list(cluster::Engine engine, const std::vector<ColumnShape>& columns);

}  // namespace holdfast::engine
