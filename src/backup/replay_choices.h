// What the caller of a replay chooses, and what is reported at the end.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/dump_scan.h"

namespace holdfast::backup {

/// What a replay leaves out and goes on without.
struct ReplayChoices {
  std::vector<std::string> skip;                   ///< objects by label: "shop: INDEX public.orders_idx"
  bool keep_going = false;                         ///< objects that fail are left out and listed
  std::map<std::string, std::string> tablespaces;  ///< location in the dump -> here
  std::chrono::seconds statement_limit{0};         ///< for one statement; 0 = none
  /// Only these databases of the dump, each into the one that is there for it (MariaDB, MySQL: of the same name);
  /// nothing of what belongs to the server, its accounts and its other databases.
  std::optional<std::map<std::string, std::string>> databases;
};

struct FailedObject {
  std::string label;  ///< "shop: INDEX public.orders_idx"
  std::string error;  ///< what the server said
};

struct ReplayReport {
  engine::DumpCounts counts;  ///< what the dump holds
  std::vector<FailedObject> failed;
  std::vector<std::string> skipped;                  ///< labels
  std::map<engine::TableName, std::string> no_rows;  ///< tables whose rows were left out, and why
};

using Say = std::function<void(const std::string&)>;

}  // namespace holdfast::backup
