// What each member counts as, before anybody is compared. Part of find_authority(); rules in
// docs/decisions/0006-authority.md.
#pragma once

#include <string>
#include <vector>

#include "cluster/authority.h"

namespace holdfast::cluster {

/// What a member counts as.
struct Standing {
  enum Kind { candidate, empty, foreign, blocked } kind = blocked;
  std::string why;      ///< blocked: why
  std::string lineage;  ///< candidates and foreign ones of PostgreSQL and Galera
};

/// One for each member, in the order given.
std::vector<Standing> standings(Engine engine, const std::vector<History>& members, const std::string& known_lineage);

}  // namespace holdfast::cluster
