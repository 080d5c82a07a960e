// What is known of adopting a member's errant transactions before it is planned: found by survey_adoption(), judged by
// plan_repair(). Pure values.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::repair {

struct AdoptedRows {
  uint64_t inserted = 0, updated = 0, deleted = 0;
};

struct AdoptedTransaction {
  std::string gtid;
  std::map<std::string, AdoptedRows> tables;  ///< "db.table"; none: an empty transaction
};

struct Adoption {
  std::string refused;  ///< why they cannot be adopted; "" = nothing is known that speaks against it
  std::vector<AdoptedTransaction> transactions;
  std::string digest;  ///< of what would be written
};

}  // namespace holdfast::repair
