// The --keep rules, and which snapshots they apply to.
#pragma once

#include <functional>

#include "cli/context.h"
#include "repo/format/retention.h"

namespace holdfast::cli {

struct Retention {
  bool given = false;  ///< any --keep flag or its environment variable
  repo::RetentionPolicy policy;
  repo::GroupBy group_by;
};
Result<Retention> retention_options(const Options& options);

/// --host, --tag, --path and, as tags, -c, -n and -e.
std::function<bool(const repo::Snapshot&)> cluster_snapshot_filter(const Options& options);

}  // namespace holdfast::cli
