// What the last comparison of members' contents (holdfast compare) found: kept on disk, read by every triage. Pure.
//
// Positions say which transactions a member has; only this says that the rows are the same, as of its time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "codec/value.h"

namespace holdfast::cluster {

struct Comparison {
  struct Difference {
    std::string member, table, range, what;
    std::vector<std::string> keys;  ///< of the first rows that differ
  };
  int64_t finished = 0;                ///< seconds since 1970, UTC
  std::string reference;               ///< with which the others were compared
  std::vector<std::string> members;    ///< compared, the reference among them
  std::vector<std::string> positions;  ///< at which
  uint64_t tables = 0, rows = 0;       ///< compared
  std::vector<std::string> not_compared;
  std::vector<Difference> differences;

  bool covers(std::string_view member) const;
  bool differs(std::string_view member) const;
};

codec::Value comparison_value(const Comparison& comparison);
/// "compare.record" (corrupt data counts as no record for triage): not such a document.
Result<Comparison> parse_comparison(const codec::Value& document);

/// "2026-11-23 04:05 UTC"
std::string minute_text(int64_t seconds);
/// "contents were compared 2026-11-23 04:05 UTC at 0-1-17: 3 members equal in 41 tables", or which differ.
std::string comparison_sentence(const Comparison& comparison);

}  // namespace holdfast::cluster
