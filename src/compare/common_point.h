// Snapshots of several members at one and the same position.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "compare/session.h"

namespace holdfast::compare {

struct Source {
  std::string member;
  sql::Target target;
};

struct CommonPoint {
  std::string position;
  std::vector<std::unique_ptr<Session>> sessions;  ///< in the order of the sources
};

/// The first source offers snapshots at positions of its own; the others, which come to the same positions a moment
/// later, are asked again and again until each has one at a position that all have. Nothing is held up. PostgreSQL's
/// databases are met one after the other; the position is that of the last. Errors:
/// "compare.no_common_point" (unavailable) when none was found within the deadline, with what each member stood at;
/// the error of a member that cannot be asked.
Result<CommonPoint> find_common_point(cluster::Engine engine, const std::vector<Source>& sources, Deadline deadline,
                                      std::stop_token stop);

}  // namespace holdfast::compare
