// What changed in the world since a plan was made. Pure.
#pragma once

#include <string>
#include <vector>

#include "codec/value.h"
#include "operation/plan.h"

namespace holdfast::operation {

struct WorldChange {
  std::string path;  ///< "members/shop-mysql-1/role"
  std::string was;   ///< JSON, shortened; "nothing" where it was not there
  std::string is;
};

/// Every leaf that differs, in the order of `before`. Lists are compared as a whole.
std::vector<WorldChange> world_changes(const codec::Value& before, const codec::Value& now);

/// Those no step of `begun` (ids of steps that have been started) says it touches: somebody else changed them.
std::vector<WorldChange> foreign_changes(const Plan& plan, const std::vector<std::string>& begun,
                                         const codec::Value& now);

/// "members/a/role was "replica", is "primary"; ..."
std::string changes_text(const std::vector<WorldChange>& changes);

}  // namespace holdfast::operation
