// Contents of a cluster's members compared at one and the same position: what turns "positions agree" into "the same
// rows". Reads only; nothing is locked, paused or held up.
//
// Tables are cut into ranges of their keys; the checksum of each is asked of all members at once. A range that differs
// is asked again at further common positions, and counts only when it differs at each. Points are renewed, so that no
// snapshot is held open for long.
#pragma once

#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "compare/common_point.h"
#include "compare/table.h"

namespace holdfast::compare {

struct Options {
  uint64_t range_rows = 20000;      ///< rows a range has
  uint64_t rows_per_second = 0;     ///< of each member; 0 = as fast as they answer
  std::chrono::seconds meet{30};    ///< how long a common position is looked for
  std::chrono::seconds renew{300};  ///< a snapshot is held no longer than this and one range
  std::vector<std::string> done;    ///< Table::text() of tables found equal before (--resume)
  std::function<void(const std::string& table, uint64_t rows)> progress;  ///< after each range
  std::function<void(const std::string& table)> table_done;               ///< a table was found equal
};

/// Rows of one range that differ between the reference and one member.
struct Difference {
  Table table;
  KeyRange range;
  std::string member;
  std::string what;                                ///< "table is missing", "definition differs", "12 rows differ", ...
  uint64_t missing = 0, extra = 0, different = 0;  ///< rows: the member lacks, has alone, has with other values
  std::vector<std::string> keys;                   ///< of the first of them
};

struct Outcome {
  std::string reference;
  std::vector<std::string> members;           ///< compared, the reference first
  std::vector<std::string> positions;         ///< common ones, in their order; one, unless it took long
  uint64_t tables = 0, rows = 0, ranges = 0;  ///< compared; rows of the reference
  std::vector<Difference> differences;
  std::vector<std::string> not_compared;  ///< "shop.log (MyISAM: its rows are in no snapshot)"
  std::vector<std::string> unread;  ///< "shop.log (shop-1: no privilege)": could be compared, and could not be read
  bool equal() const { return differences.empty(); }
};

/// sources[0] is the reference. Errors: as find_common_point(); "compare.lost" (unavailable) when a member was lost
/// again and again.
Result<Outcome> compare_members(cluster::Engine engine, const std::vector<Source>& sources, const Options& options,
                                std::stop_token stop);

}  // namespace holdfast::compare
